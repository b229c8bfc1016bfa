//! Every golden of the method, through the program.
//!
//! - here: the authors'; `heads`: one whose heads are as wide as Stable Diffusion's, in both precisions; `velocity`: one of a
//!   model that predicts velocities
//! - `conversion`: a golden converted by the program, and how near it must come

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod conversion;
mod heads;
mod velocity;

use kernels::vectors::{self, Vectors};
use tests::golden;
use tests::goldens::folders;
use tests::program::Outcome;

use crate::conversion::{Conversion, Made};

macro_rules! goldens {
    ($($test:ident: $folder:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check($folder);
            }
        )*

        const FOLDERS: &[&str] = &[$($folder),*];
    };
}

goldens! {
    adain_in_snow_agrees_with_the_authors: "adain-snow",
    cacti_at_night_agrees_with_the_authors: "cacti-night",
    cactif_at_night_agrees_with_the_authors: "cactif-night",
    cactif_with_the_default_schedule_agrees_with_the_authors: "cactif-night-default",
    cactif_in_snow_with_other_settings_agrees_with_the_authors: "cactif-snow-warm",
    cross_image_attention_in_snow_agrees_with_the_authors: "cross-image-snow",
    the_papers_reading_agrees_with_an_independent_one: "paper-night",
}

#[test]
fn every_folder_of_goldens_has_a_test() {
    assert_eq!(folders(&golden("")), FOLDERS);
}

/// With whatever vectors kernels compute, the golden's numbers come out, and the same bytes.
///
/// ONNX Runtime and the library behind products of single pixels choose their vectors themselves, and nothing pins theirs:
/// they are the same in each of these conversions. One number at a time takes minutes for a golden, see
/// [`a_step_comes_out_with_the_same_bytes_whatever_vectors_kernels_compute_with`].
#[test]
fn a_golden_agrees_with_the_authors_whatever_vectors_kernels_compute_with() {
    let mut widths = Vectors::of_this_processor();
    widths.retain(|vectors| *vectors != Vectors::Scalar);
    let made = widths.iter().map(|vectors| {
        let conversion = Conversion::of("cactif-night").with_vectors(*vectors);
        conversion.agrees();
        conversion.made()
    });
    let made: Vec<Made> = made.collect();
    for (vectors, others) in widths.iter().zip(&made) {
        assert!(*others == made[0], "{}", vectors.as_str());
    }
}

/// As above, and one number at a time too: one step with everything that the method does.
#[test]
fn a_step_comes_out_with_the_same_bytes_whatever_vectors_kernels_compute_with() {
    let one_step = [
        "steps=2",
        "skip=1",
        "injected_steps=0..",
        "class_adain_steps=0..",
    ];
    let by = |vectors: Option<Vectors>| {
        let mut conversion = Conversion::of("cactif-night");
        conversion.settings.extend(one_step.map(str::to_owned));
        // The golden's noise is that of other steps.
        conversion.is_of_given_noise = false;
        conversion.vectors = vectors;
        conversion.run();
        conversion.made()
    };
    let widest = by(None);
    for vectors in Vectors::of_this_processor() {
        assert!(by(Some(vectors)) == widest, "{}", vectors.as_str());
    }
}

#[test]
fn vectors_that_there_are_not_are_refused_by_name_before_anything_is_computed() {
    let conversion = Conversion::of("cactif-night");
    let command = &mut conversion.command();
    let outcome = Outcome::of(command.env(vectors::VARIABLE, "v5")).exits(3);
    outcome.complains_about(&[vectors::VARIABLE, "\"v5\"", "scalar, v3, v4 or v4-bf16"]);
    assert!(!conversion.image().exists());
}

fn check(folder: &str) {
    Conversion::of(folder).agrees();
}

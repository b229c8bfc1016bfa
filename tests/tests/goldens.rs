//! Every golden of the method, through the program.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use kernels::vectors::{self, Vectors};
use ndarray::{Array1, Array2, Array3, Array4, ArrayD, Axis, Dimension};
use ndarray_npy::{NpzReader, NpzWriter, ReadableElement};
use serde_json::Value;
use tempfile::TempDir;
use tests::program::{Outcome, synth2real};
use tests::{device, golden, golden_model};

const WORST: f32 = 1e-3;
const MEAN: f32 = 1e-5;
const EQUAL_LABELS: f64 = 0.995;
const EQUAL_PIXELS: f64 = 0.999;

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
    let mut folders: Vec<String> = fs::read_dir(golden(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("meta.json").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    folders.sort();
    assert_eq!(folders, FOLDERS);
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
        conversion.agrees_with_the_authors();
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
    outcome.complains_about(&[vectors::VARIABLE, "\"v5\"", "scalar, v3 or v4"]);
    assert!(!conversion.image().exists());
}

fn check(folder: &'static str) {
    Conversion::of(folder).agrees_with_the_authors();
}

/// A golden converted by the program.
struct Conversion {
    folder: &'static str,
    meta: Value,
    /// What `--set` takes.
    settings: Vec<String>,
    is_of_given_noise: bool,
    /// What kernels are to compute with; the widest if nothing is said.
    vectors: Option<Vectors>,
    out: TempDir,
}

/// What a conversion gives.
#[derive(PartialEq)]
struct Made {
    image: Vec<u8>,
    latents: Vec<Array3<f32>>,
}

impl Conversion {
    fn of(folder: &'static str) -> Self {
        let meta = fs::read(golden(folder).join("meta.json")).unwrap();
        let meta: Value = serde_json::from_slice(&meta).unwrap();
        Self {
            folder,
            settings: settings(&meta),
            is_of_given_noise: true,
            vectors: None,
            meta,
            out: tempfile::tempdir().unwrap(),
        }
    }

    fn with_vectors(mut self, vectors: Vectors) -> Self {
        self.vectors = Some(vectors);
        self
    }

    fn image(&self) -> PathBuf {
        self.out.path().join("out.png")
    }

    fn trace(&self) -> PathBuf {
        self.out.path().join("trace.npz")
    }

    fn golden(&self) -> Arrays {
        Arrays::open(&golden(self.folder).join("golden.npz"))
    }

    fn command(&self) -> Command {
        let mut command = synth2real();
        command.arg("transfer").arg("--model").arg(golden_model());
        for input in ["content", "style"] {
            let file = |kind: &str| {
                let name = self.meta[format!("{input}_{kind}")].as_str().unwrap();
                golden("inputs").join(name)
            };
            command.arg(format!("--{input}")).arg(file("image"));
            command.arg(format!("--{input}-label")).arg(file("label"));
        }
        if self.is_of_given_noise {
            let noise = self.out.path().join("noise.npz");
            write_noise(&noise, &mut self.golden());
            command.arg("--noise").arg(noise);
        }
        command.arg("--trace").arg(self.trace());
        command.arg("--out").arg(self.image());
        if let Some(device) = device() {
            command.arg("--device").arg(device);
        }
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        if let Some(vectors) = self.vectors {
            command.env(vectors::VARIABLE, vectors.as_str());
        }
        command
    }

    /// Converts, and proves that kernels computed with the vectors they were to.
    fn run(&self) {
        let outcome = Outcome::of(&mut self.command()).exits(0);
        let Some(vectors) = self.vectors else {
            return;
        };
        let logged = outcome.stderr.lines();
        let logged = logged.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // A kernel counted them in the dispatch that all go through.
        let lanes: Vec<u64> = logged
            .filter_map(|event| event["fields"]["lanes"].as_u64())
            .collect();
        assert_eq!(lanes, [vectors.lanes() as u64], "{outcome}");
    }

    fn agrees_with_the_authors(&self) {
        self.run();
        let mut expected = self.golden();
        let mut found = Arrays::open(&self.trace());
        compare_inputs(&mut found, &mut expected);
        for (step, found) in self.latents().iter().enumerate() {
            let expected = expected.output_branch(&format!("step{step}_latents"));
            assert_close(found, &expected, &format!("step {step}"));
        }
        let found = image::open(self.image()).unwrap().into_rgb8().into_raw();
        let expected: Array3<u8> = expected.read("image_output");
        let share = share(found.iter().zip(&expected), |(a, b)| a.abs_diff(**b) <= 1);
        assert!(share >= EQUAL_PIXELS, "{share} of the output's pixels");
    }

    fn made(&self) -> Made {
        Made {
            image: fs::read(self.image()).unwrap(),
            latents: self.latents(),
        }
    }

    /// Returns the output's latent after each executed step.
    fn latents(&self) -> Vec<Array3<f32>> {
        let number = |key: &str| {
            let key = format!("{key}=");
            let mut values = self.settings.iter().rev();
            let value = values.find_map(|setting| setting.strip_prefix(&key));
            value.unwrap().parse::<usize>().unwrap()
        };
        let executed = number("steps") - number("skip");
        let mut arrays = Arrays::open(&self.trace());
        let latents = (0..executed).map(|step| arrays.read(&format!("step{step}_latent")));
        latents.collect()
    }
}

/// Returns the settings that a golden was made with, as `--set` takes them.
fn settings(meta: &Value) -> Vec<String> {
    let uses = |part: &str| meta["method"][part].as_bool().unwrap();
    let method = if uses("filtering") {
        "cactif"
    } else if uses("class_adain") {
        "cacti"
    } else if uses("cross_image_attention") {
        "cross-image"
    } else {
        "adain"
    };
    let steps = |key: &str| match meta[key].as_str().unwrap() {
        "every executed step" => "0..".to_owned(),
        "0 and 2.." => "0,2..".to_owned(),
        half_open => half_open.replace(',', ".."),
    };
    vec![
        format!("method={method}"),
        format!("preset={}", meta["preset"].as_str().unwrap()),
        format!("steps={}", meta["steps"]),
        format!("skip={}", meta["skip"]),
        format!("class_adain_steps={}", steps("class_adain_steps")),
        format!("injected_steps={}", steps("injected_steps")),
        format!("contrast_strength={}", meta["contrast_strength"]),
        format!("filter_fraction={}", meta["filter_fraction"]),
    ]
}

fn compare_inputs(found: &mut Arrays, expected: &mut Arrays) {
    let timesteps: Array1<i64> = expected.read("timesteps");
    assert_eq!(found.read::<i64, _>("timesteps"), timesteps);
    for branch in ["content", "style"] {
        let latent = format!("latent_{branch}");
        let pair = [&mut *found, &mut *expected].map(|arrays| arrays.read::<f32, _>(&latent));
        let [found_latent, latent] = pair.map(|batch: Array4<f32>| batch.remove_axis_of_one());
        assert_close(&found_latent, &latent, &format!("latent of the {branch}"));
        for labels in [format!("label_{branch}"), format!("label_{branch}_latent")] {
            let found: Array2<u8> = found.read(&labels);
            let expected: Array2<u8> = expected.read(&labels);
            assert_eq!(found.dim(), expected.dim(), "{labels}");
            let share = share(found.iter().zip(&expected), |(a, b)| a == b);
            assert!(share >= EQUAL_LABELS, "{share} of {labels}");
        }
    }
}

fn write_noise(path: &Path, golden: &mut Arrays) {
    let mut npz = NpzWriter::new(File::create(path).unwrap());
    for branch in ["content", "style"] {
        let noise: Array4<f32> = golden.read(&format!("noise_{branch}"));
        npz.add_array(branch, &noise).unwrap();
    }
    npz.finish().unwrap();
}

fn share<T>(pairs: impl Iterator<Item = T>, agree: impl Fn(&T) -> bool) -> f64 {
    let (all, agreeing) = pairs.fold((0_u32, 0_u32), |(all, agreeing), pair| {
        (all + 1, agreeing + u32::from(agree(&pair)))
    });
    f64::from(agreeing) / f64::from(all)
}

fn assert_close(found: &Array3<f32>, expected: &Array3<f32>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let differences = (found - expected).abs();
    let worst = differences.fold(0.0, |worst: f32, &d| worst.max(d));
    let mean = differences.mean().unwrap();
    assert!(
        worst <= WORST && mean <= MEAN,
        "{what}: {worst:e} at worst, {mean:e} on average"
    );
}

trait OneOfABatch {
    fn remove_axis_of_one(self) -> Array3<f32>;
}

impl OneOfABatch for Array4<f32> {
    fn remove_axis_of_one(self) -> Array3<f32> {
        assert_eq!(self.dim().0, 1);
        self.index_axis_move(Axis(0), 0)
    }
}

struct Arrays(NpzReader<File>);

impl Arrays {
    fn open(path: &Path) -> Self {
        Self(NpzReader::new(File::open(path).unwrap()).unwrap())
    }

    fn read<T: ReadableElement, D: Dimension>(&mut self, name: &str) -> ndarray::Array<T, D> {
        let array = self.0.by_name(name);
        array.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the first of the branches, if the array has more than the output's.
    fn output_branch(&mut self, name: &str) -> Array3<f32> {
        let array: ArrayD<f32> = self.read(name);
        let array = match array.ndim() {
            4 => array.index_axis_move(Axis(0), 0),
            _ => array,
        };
        array.into_dimensionality().unwrap()
    }
}

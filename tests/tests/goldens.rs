//! Every golden of the method, through the program.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::Path;

use ndarray::{Array1, Array2, Array3, Array4, ArrayD, Axis, Dimension};
use ndarray_npy::{NpzReader, NpzWriter, ReadableElement};
use serde_json::Value;
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

fn check(folder: &str) {
    let meta = fs::read(golden(folder).join("meta.json")).unwrap();
    let meta: Value = serde_json::from_slice(&meta).unwrap();
    let mut expected = Arrays::open(&golden(folder).join("golden.npz"));
    let out = tempfile::tempdir().unwrap();
    let (noise, trace) = (out.path().join("noise.npz"), out.path().join("trace.npz"));
    let image = out.path().join("out.png");
    write_noise(&noise, &mut expected);

    let mut command = synth2real();
    command.arg("transfer").arg("--model").arg(golden_model());
    for input in ["content", "style"] {
        let file = |kind: &str| {
            let name = meta[format!("{input}_{kind}")].as_str().unwrap();
            golden("inputs").join(name)
        };
        command.arg(format!("--{input}")).arg(file("image"));
        command.arg(format!("--{input}-label")).arg(file("label"));
    }
    command.arg("--noise").arg(noise).arg("--trace").arg(&trace);
    command.arg("--out").arg(&image);
    if let Some(device) = device() {
        command.arg("--device").arg(device);
    }
    for setting in settings(&meta) {
        command.arg("--set").arg(setting);
    }
    let _ = Outcome::of(&mut command).exits(0);

    let executed = meta["steps"].as_u64().unwrap() - meta["skip"].as_u64().unwrap();
    let mut found = Arrays::open(&trace);
    compare_inputs(&mut found, &mut expected);
    for step in 0..executed {
        let found: Array3<f32> = found.read(&format!("step{step}_latent"));
        let expected = expected.output_branch(&format!("step{step}_latents"));
        assert_close(&found, &expected, &format!("step {step}"));
    }
    let found = image::open(&image).unwrap().into_rgb8().into_raw();
    let expected: Array3<u8> = expected.read("image_output");
    let share = share(found.iter().zip(&expected), |(a, b)| a.abs_diff(**b) <= 1);
    assert!(share >= EQUAL_PIXELS, "{share} of the output's pixels");
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

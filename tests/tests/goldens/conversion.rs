//! A golden converted by the program, and how near it must come.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use kernels::vectors::{self, Vectors};
use ndarray::{Array1, Array2, Array3, Array4, Axis};
use serde_json::Value;
use tempfile::TempDir;
use tests::goldens::{Arrays, Bounds, assert_within, psnr, share, write_noise};
use tests::program::{Outcome, synth2real};
use tests::{device, golden, golden_model};

const EQUAL_LABELS: f64 = 0.995;
const EQUAL_PIXELS: f64 = 0.999;

/// A golden converted by the program.
pub(super) struct Conversion {
    folder: PathBuf,
    model: PathBuf,
    meta: Value,
    /// What `--set` takes.
    pub(super) settings: Vec<String>,
    pub(super) is_of_given_noise: bool,
    /// What kernels are to compute with; the widest if nothing is said.
    pub(super) vectors: Option<Vectors>,
    /// How near it must come to the golden.
    bounds: Bounds,
    out: TempDir,
}

/// What a conversion gives.
#[derive(PartialEq)]
pub(super) struct Made {
    image: Vec<u8>,
    latents: Vec<Array3<f32>>,
}

impl Conversion {
    /// Returns the conversion of one of the authors' goldens.
    pub(super) fn of(folder: &str) -> Self {
        Self::by(golden_model(), golden(folder))
    }

    /// Returns the conversion of the golden in a folder by a model.
    pub(super) fn by(model: PathBuf, folder: PathBuf) -> Self {
        let meta = fs::read(folder.join("meta.json")).unwrap();
        let meta: Value = serde_json::from_slice(&meta).unwrap();
        Self {
            folder,
            model,
            settings: settings(&meta),
            is_of_given_noise: true,
            vectors: None,
            bounds: Bounds::SINGLE,
            meta,
            out: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns the conversion by a model in half precision.
    pub(super) fn in_half_precision(mut self) -> Self {
        self.bounds = Bounds::half(self.meta["method"]["filtering"].as_bool().unwrap());
        self
    }

    pub(super) fn with_vectors(mut self, vectors: Vectors) -> Self {
        self.vectors = Some(vectors);
        self
    }

    pub(super) fn image(&self) -> PathBuf {
        self.out.path().join("out.png")
    }

    fn trace(&self) -> PathBuf {
        self.out.path().join("trace.npz")
    }

    fn golden(&self) -> Arrays {
        Arrays::open(&self.folder.join("golden.npz"))
    }

    pub(super) fn command(&self) -> Command {
        let mut command = synth2real();
        command.arg("transfer").arg("--model").arg(&self.model);
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
    pub(super) fn run(&self) {
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

    /// Converts, and proves that latents and image are the golden's.
    pub(super) fn agrees(&self) {
        self.run();
        let mut expected = self.golden();
        let mut found = Arrays::open(&self.trace());
        compare_inputs(self.bounds, &mut found, &mut expected);
        for (step, found) in self.latents().iter().enumerate() {
            let expected = expected.output_branch(&format!("step{step}_latents"));
            assert_within(self.bounds, found, &expected, &format!("step {step}"));
        }
        let found = image::open(self.image()).unwrap().into_rgb8().into_raw();
        let expected: Array3<u8> = expected.read("image_output");
        assert_eq!(found.len(), expected.len());
        let psnr = psnr(&found, &expected);
        assert!(psnr >= self.bounds.psnr, "the image has {psnr} dB");
        if self.bounds == Bounds::SINGLE {
            let pairs = found.iter().zip(&expected);
            let share = share(pairs.map(|(a, b)| a.abs_diff(*b) <= 1));
            assert!(share >= EQUAL_PIXELS, "{share} of the output's pixels");
        }
    }

    pub(super) fn made(&self) -> Made {
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

fn compare_inputs(bounds: Bounds, found: &mut Arrays, expected: &mut Arrays) {
    let timesteps: Array1<i64> = expected.read("timesteps");
    assert_eq!(found.read::<i64, _>("timesteps"), timesteps);
    for branch in ["content", "style"] {
        let latent = format!("latent_{branch}");
        let pair = [&mut *found, &mut *expected].map(|arrays| arrays.read::<f32, _>(&latent));
        let [found_latent, latent] = pair.map(|batch: Array4<f32>| batch.remove_axis_of_one());
        let what = format!("latent of the {branch}");
        assert_within(bounds, &found_latent, &latent, &what);
        for labels in [format!("label_{branch}"), format!("label_{branch}_latent")] {
            let found: Array2<u8> = found.read(&labels);
            let expected: Array2<u8> = expected.read(&labels);
            assert_eq!(found.dim(), expected.dim(), "{labels}");
            let share = share(found.iter().zip(&expected).map(|(a, b)| a == b));
            assert!(share >= EQUAL_LABELS, "{share} of {labels}");
        }
    }
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

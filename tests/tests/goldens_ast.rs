//! Every golden of ASTModel, through the program. The style's label is the class map that the authors' program took for it,
//! or is made as that was.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use image::GrayImage;
use ndarray::{Array1, Array2, Array3, Array4, s};
use serde_json::Value;
use tempfile::TempDir;
use tests::changed_model::ChangedModel;
use tests::goldens::{Arrays, assert_close, folders, share, write_noise};
use tests::program::{Outcome, synth2real};
use tests::{device, golden, golden_model, repository};

const EQUAL: f64 = 0.999;
/// Of the queries of a layer, as many keep as many keys.
const EQUAL_KEPT: f64 = 0.995;
/// Of the filter's statistics, relative.
const STATISTICS: f64 = 1e-4;

macro_rules! goldens {
    ($($test:ident: $folder:literal,)*) => {
        $(
            #[test]
            fn $test() {
                Conversion::of($folder).agrees_with_the_authors();
            }
        )*

        const FOLDERS: &[&str] = &[$($folder),*];
    };
}

goldens! {
    the_defaults_at_night_agree_with_the_authors: "ast-night-default",
    votes_without_a_filter_agree_with_the_authors: "ast-night-no-filter",
    a_filter_without_votes_agrees_with_the_authors: "ast-night-no-vote",
    strong_contrast_agrees_with_the_authors: "ast-night-strong",
    ten_steps_in_snow_agree_with_the_authors: "ast-snow",
    classes_missing_on_either_side_agree_with_the_authors: "ast-snow-rare",
}

#[test]
fn every_folder_of_goldens_has_a_test() {
    assert_eq!(folders(&of_ast("")), FOLDERS);
}

#[test]
fn a_photograph_without_label_gets_the_authors_class_map_and_becomes_their_image() {
    for folder in ["ast-snow", "ast-night-strong"] {
        let mut conversion = Conversion::of(folder);
        conversion.has_label = false;
        conversion.agrees_with_the_authors();
    }
}

#[test]
fn a_prior_without_prototypes_or_a_prototype_without_label_is_refused() {
    let mut conversion = Conversion::of("ast-snow");
    conversion.has_label = false;
    let mut command = conversion.command(&golden_model());
    command.arg("--prototype").arg(golden("inputs/00002.png"));
    let outcome = Outcome::of(&mut command).exits(2);
    outcome.complains_about(&["--prototype is given 3 times", "needs its label"]);

    conversion.meta["prototype_images"] = Value::Array(Vec::new());
    conversion.meta["prototype_labels"] = Value::Array(Vec::new());
    let outcome = Outcome::of(&mut conversion.command(&golden_model())).exits(2);
    assert!(outcome.stderr.contains("--prototype"), "{outcome}");
}

#[test]
fn a_model_that_hands_over_no_input_is_refused_with_what_helps() {
    let conversion = Conversion::of("ast-snow");
    let model = ChangedModel::copied().with_contract(of_first_version);
    let outcome = Outcome::of(&mut conversion.command(&model.folder())).exits(3);
    outcome.complains_about(&["model.json", "format version 1", "export the model again"]);
    assert!(!conversion.image().exists());
}

/// Makes a contract what the first version of it is: no layer hands over its input.
fn of_first_version(contract: String) -> String {
    let mut contract: Value = serde_json::from_str(&contract).unwrap();
    contract["format_version"] = 1.into();
    for segment in contract["segments"].as_array_mut().unwrap() {
        if let Some(layer) = segment["layer"].as_object_mut() {
            layer.remove("input");
        }
    }
    contract.to_string()
}

fn of_ast(relative: &str) -> PathBuf {
    repository("tests/fixtures/golden-ast").join(relative)
}

fn input(name: &str) -> PathBuf {
    let [other, own] = [golden("inputs"), of_ast("inputs")].map(|folder| folder.join(name));
    if own.exists() { own } else { other }
}

/// A golden converted by the program.
struct Conversion {
    folder: &'static str,
    meta: Value,
    /// Whether the style has a label, or is given what makes one.
    has_label: bool,
    out: TempDir,
}

impl Conversion {
    fn of(folder: &'static str) -> Self {
        let meta = fs::read(of_ast(folder).join("meta.json")).unwrap();
        Self {
            folder,
            meta: serde_json::from_slice(&meta).unwrap(),
            has_label: true,
            out: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.out.path().join(name)
    }

    fn image(&self) -> PathBuf {
        self.path("out.png")
    }

    fn golden(&self) -> Arrays {
        Arrays::open(&of_ast(self.folder).join("golden.npz"))
    }

    fn input(&self, key: &str) -> PathBuf {
        input(self.meta[key].as_str().unwrap())
    }

    /// Writes what the program is given: the style's class map as its label, and the noise.
    fn write_given(&self) {
        let mut golden = self.golden();
        let style = image::open(self.input("style_image")).unwrap();
        let prior: Array2<u8> = golden.read("prior");
        let (height, width) = prior.dim();
        let side = style.width() as usize / width;
        assert_eq!(style.height() as usize, side * height);
        // Each pixel as often as the photograph is larger: the nearest is itself.
        let label = GrayImage::from_fn(style.width(), style.height(), |x, y| {
            image::Luma([prior[(y as usize / side, x as usize / side)]])
        });
        label.save(self.path("prior.png")).unwrap();
        write_noise(&self.path("noise.npz"), &mut golden);
    }

    fn command(&self, model: &Path) -> std::process::Command {
        self.write_given();
        let mut command = synth2real();
        command.arg("transfer").arg("--model").arg(model);
        command.arg("--content").arg(self.input("content_image"));
        let label = self.input("content_label");
        command.arg("--content-label").arg(label);
        command.arg("--style").arg(self.input("style_image"));
        if self.has_label {
            command.arg("--style-label").arg(self.path("prior.png"));
            command.args(["--style-labels", "train-ids"]);
        } else {
            let network = repository("tests/fixtures/prior");
            command.arg("--prior").arg(network);
            for (option, key) in [
                ("--prototype", "prototype_images"),
                ("--prototype-label", "prototype_labels"),
            ] {
                for name in self.meta[key].as_array().unwrap() {
                    command.arg(option).arg(input(name.as_str().unwrap()));
                }
            }
        }
        if let Some(device) = device() {
            command.arg("--device").arg(device);
        }
        command.arg("--noise").arg(self.path("noise.npz"));
        command.arg("--trace").arg(self.path("trace.npz"));
        command.arg("--out").arg(self.image());
        for setting in self.settings() {
            command.arg("--set").arg(setting);
        }
        command
    }

    fn settings(&self) -> Vec<String> {
        let meta = &self.meta;
        let class_steps = meta["class_adain_steps"].as_str().unwrap();
        let injected_steps = meta["injected_steps"].as_str().unwrap();
        let mut settings = vec![
            "method=ast".to_owned(),
            format!("class_adain_steps={}", class_steps.replace(',', "..")),
            format!("injected_steps={injected_steps}"),
        ];
        for key in [
            "steps",
            "skip",
            "contrast_strength",
            "filtering",
            "threshold_lambda",
            "use_voting",
            "confidence_threshold",
            "adain_scale",
        ] {
            settings.push(format!("{key}={}", meta[key]));
        }
        settings
    }

    fn num_executed(&self) -> usize {
        let number = |key: &str| self.meta[key].as_u64().unwrap() as usize;
        number("steps") - number("skip")
    }

    /// Returns the first step that injects: what follows it differs a little where a single pair is kept or not.
    fn first_injected(&self) -> usize {
        let steps = self.meta["injected_steps"].as_str().unwrap();
        steps.strip_suffix("..").unwrap().parse().unwrap()
    }

    fn agrees_with_the_authors(&self) {
        let _ = Outcome::of(&mut self.command(&golden_model())).exits(0);
        let mut expected = self.golden();
        let mut found = Arrays::open(&self.path("trace.npz"));
        for labels in ["label_content", "prior"] {
            let shown = if labels == "prior" {
                "label_style"
            } else {
                labels
            };
            let (ours, theirs): (Array2<u8>, Array2<u8>) =
                (found.read(shown), expected.read(labels));
            assert_equal(&ours, &theirs, labels);
        }
        for step in 0..self.num_executed() {
            let what = format!("{} step {step}", self.folder);
            let latents: Array4<f32> = expected.read(&format!("step{step}_latents"));
            let latent: Array3<f32> = found.read(&format!("step{step}_latent"));
            assert_close(&latent, &latents.slice(s![0, .., .., ..]).to_owned(), &what);
            if step <= self.first_injected() {
                self.maps_agree(step, &mut found, &mut expected);
            }
        }
        self.filters_agree(&mut found, &mut expected);
        let image = image::open(self.image()).unwrap().into_rgb8().into_raw();
        let expected: Array3<u8> = expected.read("image_output");
        let near = image
            .iter()
            .zip(&expected)
            .map(|(a, b)| a.abs_diff(*b) <= 1);
        let share = share(near);
        assert!(share >= EQUAL, "{share} of the output's pixels");
    }

    /// Compares the class maps of a step, as far as the golden has them.
    fn maps_agree(&self, step: usize, found: &mut Arrays, expected: &mut Arrays) {
        let names = (0..3).map(|j| format!("step{step}_pseudo_{j}"));
        for name in names.chain([format!("step{step}_segmentation")]) {
            if let Some(map) = expected.find::<u8, ndarray::Ix2>(&name) {
                let ours: Array2<u8> = found.read(&name);
                assert_equal(&ours, &map, &format!("{} {name}", self.folder));
            }
        }
    }

    /// Compares medians, deviations and thresholds, and the keys that each query of the first filtered step keeps.
    fn filters_agree(&self, found: &mut Arrays, expected: &mut Arrays) {
        let all: Array2<f64> = expected.read("filter_summary");
        let Some(ours) = found.find::<f64, ndarray::Ix2>("filter_summary") else {
            assert!(all.is_empty());
            return;
        };
        assert_eq!(ours.nrows(), all.nrows());
        let first = all[(0, 0)];
        for (ours, row) in ours.rows().into_iter().zip(all.rows()) {
            // One pair that is kept or not shifts everything after its step a little.
            if row[0] > first {
                continue;
            }
            let what = format!("{} {row}", self.folder);
            assert_eq!(ours.slice(s![..3]), row.slice(s![..3]), "{what}");
            for place in 3..6 {
                let error = (ours[place] - row[place]).abs();
                assert!(error <= STATISTICS * row[place], "{what}: {ours}");
            }
            assert_eq!(ours[6], row[6], "{what}");
            let name = format!("step{}_layer{}_kept", row[0], row[1]);
            let kept: Array1<i32> = expected.read(&name);
            let equal = found.read::<i32, ndarray::Ix1>(&name);
            let equal = share(equal.iter().zip(&kept).map(|(a, b)| a == b));
            assert!(equal >= EQUAL_KEPT, "{equal} of {what}");
        }
    }
}

fn assert_equal(found: &Array2<u8>, expected: &Array2<u8>, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    let equal = share(found.iter().zip(expected).map(|(a, b)| a == b));
    assert!(equal >= EQUAL, "{equal} of {what}");
}

//! ASTModel step by step, from what the authors' networks gave.

use std::convert::Infallible;

use method::adain::adain;
use method::class_adain::LabelledLatent;
use method::class_map::refined;
use method::denoise::{
    AdainPlan, At, ByClass, ClassRecord, Content, ContentPass, Denoise, Observer, OutputBranch,
    OutputPrediction, PassPredictions, StepAdain, StepRecord, StylePass, StyleTrajectory,
    walk_style,
};
use method::hybrid_adain::{HybridAdain, MappedLatent};
use method::prototypes::{ClassSums, UnitFeatures};
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, s};
use serde_json::Value;

use crate::fixtures::{CONTENT, GivenNoise, Golden, OUTPUT, STYLE, assert_close, meta, schedule};

/// The folders of goldens.
const FOLDERS: [&str; 6] = [
    "ast-night-default",
    "ast-night-no-filter",
    "ast-night-no-vote",
    "ast-night-strong",
    "ast-snow",
    "ast-snow-rare",
];

/// Returns the path of a folder, as fixtures take it.
fn below(name: &str) -> String {
    format!("../golden-ast/{name}")
}

struct Folder {
    golden: Golden,
    meta: Value,
}

impl Folder {
    fn open(name: &str) -> Self {
        let name = below(name);
        Self {
            golden: Golden::open(&format!("{name}/golden.npz")),
            meta: meta(&name),
        }
    }

    fn number(&self, key: &str) -> usize {
        self.meta[key].as_u64().unwrap() as usize
    }

    fn num_executed(&self) -> usize {
        self.number("steps") - self.number("skip")
    }

    fn votes(&self) -> bool {
        self.meta["use_voting"].as_bool().unwrap()
    }

    fn hybrid_adain(&self) -> HybridAdain {
        HybridAdain {
            scale: self.meta["adain_scale"].as_f64().unwrap() as f32,
        }
    }

    /// Returns the AdaIN of each step: global before the class-wise ones, none after them.
    fn plan(&self) -> AdainPlan {
        let steps = self.meta["class_adain_steps"].as_str().unwrap();
        let (first, end) = steps.split_once(',').unwrap();
        let (first, end): (usize, usize) = (first.parse().unwrap(), end.parse().unwrap());
        let step = |step: usize| match step {
            step if step < first => StepAdain::Global,
            step if step < end => StepAdain::ByClass,
            _ => StepAdain::Nothing,
        };
        AdainPlan {
            by_class: ByClass::Map(self.hybrid_adain()),
            steps: (0..self.num_executed()).map(step).collect(),
        }
    }

    /// Returns the style's class map that a step read.
    fn map(&mut self, step: usize) -> Array2<u8> {
        if self.votes() {
            self.golden.array(&format!("step{step}_segmentation"))
        } else {
            self.golden.array("prior")
        }
    }

    /// Returns one branch of an array of a step.
    fn branch(&mut self, step: usize, array: &str, branch: usize) -> Array3<f32> {
        let branches: Array4<f32> = self.golden.array(&format!("step{step}_{array}"));
        branches.index_axis(Axis(0), branch).to_owned()
    }

    /// Returns the features of an image, `(numbers, height, width)` there.
    fn features(&mut self, name: &str) -> UnitFeatures {
        let features: Array3<f32> = self.golden.array(name);
        UnitFeatures::new(features.permuted_axes([1, 2, 0]).view()).unwrap()
    }
}

#[test]
fn priors_of_styles_are_those_of_the_authors() {
    for name in FOLDERS {
        let mut folder = Folder::open(name);
        let style = folder.features("dinov2_style");
        let mut sums = ClassSums::new(style.width());
        for k in 0..folder.meta["prototype_images"].as_array().unwrap().len() {
            let features = folder.features(&format!("prototype{k}_features"));
            let labels: Array2<u8> = folder.golden.array(&format!("prototype{k}_label"));
            sums.add(&features, labels.view()).unwrap();
        }
        let prototypes = sums.prototypes();
        let expected: Array2<f32> = folder.golden.array("prototypes");
        let batch = |array: Array2<f32>| array.insert_axis(Axis(0));
        let classes = expected.slice(s![..19, ..]).to_owned();
        let found = batch(prototypes.vectors.clone());
        assert_close(&found, &batch(classes), 1e-5, name);

        let expected: Array2<u8> = folder.golden.array("prior");
        let found = prototypes.prior(&style, expected.dim()).unwrap();
        let differ = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert!(1000 * differ <= expected.len(), "{name}: {differ} pixels");
    }
}

#[test]
fn what_votes_make_of_a_prior_is_that_of_the_authors() {
    for name in FOLDERS {
        let mut folder = Folder::open(name);
        if !folder.votes() {
            continue;
        }
        let prior: Array2<u8> = folder.golden.array("prior");
        let labels: Array2<u8> = folder.golden.array("label_content");
        let plan = folder.plan();
        for step in (0..folder.num_executed()).filter(|&step| plan.is_by_class(step)) {
            let votes = (0..3).map(|j| folder.golden.array(&format!("step{step}_pseudo_{j}")));
            let votes: Vec<Array2<u8>> = votes.collect();
            let found = refined(prior.view(), &votes, labels.view()).unwrap();
            let expected = folder.map(step);
            assert_eq!(found, expected, "{name} {step}");
            let changed: Array2<bool> = folder.golden.array(&format!("step{step}_changed"));
            let differ = prior.iter().zip(&found).map(|(a, b)| a != b);
            assert!(differ.eq(changed.iter().copied()), "{name} {step}");
        }
    }
}

/// Of what the authors' latents were before it, and not of what ours have become.
#[test]
fn the_adain_of_each_step_alone_is_that_of_the_authors() {
    for name in FOLDERS {
        let mut folder = Folder::open(name);
        let plan = folder.plan();
        let label: Array2<u8> = folder.golden.array("label_content");
        let labels: Array2<u8> = folder.golden.array("label_content_latent");
        assert_eq!(label.slice(s![4..;8, 4..;8]), labels, "{name}");
        for step in 0..folder.num_executed() {
            let before: Array3<f32> = folder.golden.array(&format!("step{step}_before_adain"));
            let style = folder.branch(step, "latents", STYLE);
            let found = match plan.steps[step] {
                StepAdain::Nothing => Ok(before.clone()),
                StepAdain::Global => adain(before.view(), style.view()),
                StepAdain::ByClass => {
                    let map = folder.map(step);
                    let content = LabelledLatent {
                        latent: before.view(),
                        labels: labels.view(),
                    };
                    let style = MappedLatent {
                        latent: style.view(),
                        class_map: map.view(),
                    };
                    folder.hybrid_adain().apply(content, style)
                }
            };
            let expected = folder.branch(step, "latents", OUTPUT);
            assert_close(&found.unwrap(), &expected, 1e-4, &format!("{name} {step}"));
        }
    }
}

/// What the authors' UNet predicted at each step, and the class maps that they found.
struct Replay {
    predictions: Vec<[Array3<f32>; 3]>,
    maps: Vec<Option<Array2<u8>>>,
    /// The executed steps at which the style is read.
    read: std::ops::Range<usize>,
}

impl ContentPass for Replay {
    type Error = Infallible;

    fn evaluate(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, Infallible> {
        let [output, _, of_content] = &self.predictions[at.step];
        if at.step == 0 {
            // It need not be evaluated: it is the content still.
            assert_eq!(outputs[0].latent, content);
            let differences = output - of_content;
            let worst = differences.fold(0.0, |worst: f32, x| worst.max(x.abs()));
            assert!(worst < 1e-6, "{worst:e}");
        }
        let map = self.maps[at.step].clone();
        Ok(PassPredictions {
            content: of_content.clone(),
            outputs: vec![OutputPrediction {
                noise_pred: output.clone(),
                classes: map.map(|map| ClassRecord {
                    votes: Vec::new(),
                    map,
                    kept: Vec::new(),
                }),
            }],
        })
    }
}

impl StylePass for Replay {
    type Error = Infallible;

    fn is_read(&self, at: At) -> bool {
        self.read.contains(&at.step)
    }

    fn evaluate(&mut self, at: At, _: ArrayView3<'_, f32>) -> Result<Array3<f32>, Infallible> {
        Ok(self.predictions[at.step][STYLE].clone())
    }
}

/// Compares each step of the output with the authors'.
struct Compare<'a> {
    name: &'a str,
    folder: &'a mut Folder,
    num_steps: usize,
}

impl Observer for Compare<'_> {
    fn step(&mut self, record: &StepRecord<'_>) {
        let step = record.at.step;
        let what = format!("{} {}", self.name, record.at);
        let expected = self.folder.branch(step, "latents", OUTPUT);
        assert_close(record.latent, &expected, 2e-4, &what);
        self.num_steps += 1;
    }
}

#[test]
fn denoising_by_the_authors_predictions_gives_their_latents_at_every_step() {
    for name in FOLDERS {
        let mut folder = Folder::open(name);
        let (schedule, plan) = (schedule(&below(name)), folder.plan());
        let num_executed = schedule.num_executed();
        let steps = 0..num_executed;
        let first = plan
            .steps
            .iter()
            .position(|step| *step == StepAdain::ByClass);
        let mut replay = Replay {
            predictions: steps
                .clone()
                .map(|step| {
                    [OUTPUT, STYLE, CONTENT].map(|of| folder.branch(step, "noise_pred", of))
                })
                .collect(),
            maps: steps
                .map(|step| plan.is_by_class(step).then(|| folder.map(step)))
                .collect(),
            read: first.unwrap()..num_executed,
        };
        let latent = folder.golden.first("latent_style");
        let noise = GivenNoise(folder.golden.array("noise_style"));
        let after = walk_style(&mut replay, &schedule, latent.view(), &noise, &mut ()).unwrap();
        for (step, found) in after.iter().enumerate() {
            let expected = folder.branch(step, "latents", STYLE);
            assert_close(found, &expected, 2e-4, &format!("{name} style {step}"));
        }
        let style = StyleTrajectory {
            labels: folder.golden.array("prior"),
            after,
        };
        let latent = folder.golden.first("latent_content");
        let labels: Array2<u8> = folder.golden.array("label_content_latent");
        let noise = GivenNoise(folder.golden.array("noise_content"));
        let content = Content {
            latent: latent.view(),
            labels: labels.view(),
            noise: &noise,
        };
        let mut compare = Compare {
            name,
            folder: &mut folder,
            num_steps: 0,
        };
        let denoise = Denoise {
            schedule: &schedule,
            plan: &plan,
            observer: &mut compare,
        };
        let outputs = denoise.run(&mut replay, &content, &[&style]).unwrap();
        assert!(outputs[0].is_ok(), "{name}");
        assert_eq!(compare.num_steps, num_executed, "{name}");
    }
}

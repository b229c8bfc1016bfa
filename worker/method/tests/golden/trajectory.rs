use std::convert::Infallible;

use method::adain::adain;
use method::class_adain::{ClassAdain, ClassScale, LabelledLatent};
use method::denoise::{
    AdainPlan, At, Content, ContentPass, Denoise, NoiseSource, Observer, OutputBranch,
    PassPredictions, StepRecord, StylePass, StyleTrajectory, walk_style,
};
use method::schedule::{Schedule, ScheduleConstants};
use ndarray::{Array1, Array2, Array3, Array4, ArrayView3, Axis};

use crate::fixtures::{FOLDERS, Golden, assert_close, meta};

/// How far a latent may be from that of the authors after any step.
const TOLERANCE: f32 = 2e-4;

fn schedule(folder: &str) -> Schedule {
    let constants = ScheduleConstants {
        num_train_timesteps: 1000,
        beta_start: 0.00085,
        beta_end: 0.012,
        steps_offset: 1,
        set_alpha_to_one: false,
    };
    let meta = meta(folder);
    let number = |key: &str| meta[key].as_u64().unwrap() as usize;
    Schedule::new(&constants, number("steps"), number("skip")).unwrap()
}

/// The AdaIN of a folder's `meta.json`: class by class in its steps, if it has any, else global.
fn adain_plan(folder: &str, num_executed: usize) -> AdainPlan {
    let meta = meta(folder);
    let steps = match meta["class_adain_steps"].as_str() {
        Some(steps) if meta["method"]["class_adain"] == true => {
            let (first, end) = steps.split_once(',').unwrap();
            first.parse().unwrap()..end.parse().unwrap()
        }
        Some(_) | None => 0..0,
    };
    AdainPlan {
        class_adain: ClassAdain {
            scale: ClassScale::ReleasedCode,
            erode: true,
        },
        class_wise: (0..num_executed)
            .map(|step| steps.contains(&step))
            .collect(),
    }
}

#[test]
fn timesteps_are_those_of_the_authors() {
    for folder in FOLDERS {
        let schedule = schedule(folder);
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        let expected: Array1<i64> = golden.array("timesteps");
        let steps = 0..schedule.steps();
        let found: Vec<i64> = steps.map(|index| schedule.timestep(index) as i64).collect();
        assert_eq!(found, expected.to_vec(), "{folder}");
    }
}

#[test]
fn noised_latents_are_those_of_the_authors() {
    for folder in FOLDERS {
        let schedule = schedule(folder);
        let steps = schedule.steps();
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        for image in ["content", "style"] {
            let latent = golden.first(&format!("latent_{image}"));
            let noise: Array4<f32> = golden.array(&format!("noise_{image}"));
            let expected: Array4<f32> = golden.array(&format!("xts_{image}"));
            for index in 0..=steps {
                let noise = noise.index_axis(Axis(0), index.min(steps - 1));
                let found = schedule.noised(latent.view(), noise, index);
                let expected = expected.index_axis(Axis(0), index).to_owned();
                let what = format!("{folder} {image} {index}");
                assert_close(&found, &expected, 2e-5, &what);
            }
        }
    }
}

/// The branches of `step{s}_noise_pred` and `step{s}_latents`.
const OUTPUT: usize = 0;
const STYLE: usize = 1;
const CONTENT: usize = 2;

/// What the authors' UNet predicted at each step, for each branch: a predictor without a model.
struct Replay(Vec<Array4<f32>>);

impl Replay {
    fn of(&self, at: At, branch: usize) -> Array3<f32> {
        self.0[at.step].index_axis(Axis(0), branch).to_owned()
    }
}

impl ContentPass for Replay {
    type Error = Infallible;

    fn evaluate(
        &mut self,
        at: At,
        _content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, Infallible> {
        assert_eq!(outputs.len(), 1);
        Ok(PassPredictions {
            content: self.of(at, CONTENT),
            outputs: vec![self.of(at, OUTPUT)],
        })
    }
}

impl StylePass for Replay {
    type Error = Infallible;

    fn evaluate(&mut self, at: At, _style: ArrayView3<'_, f32>) -> Result<Array3<f32>, Infallible> {
        Ok(self.of(at, STYLE))
    }
}

/// Noise as a golden has it, `(steps, channels, height, width)`.
struct GivenNoise(Array4<f32>);

impl NoiseSource for GivenNoise {
    fn noise(&self, index: usize) -> Array3<f32> {
        self.0.index_axis(Axis(0), index).to_owned()
    }
}

/// Compares each step of the output with the authors'.
struct Compare<'a> {
    folder: &'a str,
    golden: &'a mut Golden,
    num_steps: usize,
}

impl Observer for Compare<'_> {
    fn step(&mut self, record: &StepRecord<'_>) {
        let step = record.at.step;
        let what = format!("{} {}", self.folder, record.at);
        let before: Array3<f32> = self.golden.array(&format!("step{step}_before_adain"));
        assert_close(
            record.before_adain,
            &before,
            TOLERANCE,
            &format!("{what} before AdaIN"),
        );
        let after: Array4<f32> = self.golden.array(&format!("step{step}_latents"));
        let after = after.index_axis(Axis(0), OUTPUT).to_owned();
        assert_close(record.latent, &after, TOLERANCE, &what);
        self.num_steps += 1;
    }
}

#[test]
fn denoising_by_the_authors_predictions_gives_their_latents_at_every_step() {
    // The independent implementation kept the predictions of the output alone.
    let with_branches = FOLDERS.iter().filter(|&&folder| folder != "paper-night");
    for folder in with_branches {
        let schedule = schedule(folder);
        let num_executed = schedule.num_executed();
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        let predictions =
            (0..num_executed).map(|step| golden.array(&format!("step{step}_noise_pred")));
        let mut replay = Replay(predictions.collect());

        let latent = golden.first("latent_style");
        let noise = GivenNoise(golden.array("noise_style"));
        let after = walk_style(&mut replay, &schedule, latent.view(), &noise, &mut ()).unwrap();
        for (step, found) in after.iter().enumerate() {
            let expected: Array4<f32> = golden.array(&format!("step{step}_latents"));
            let expected = expected.index_axis(Axis(0), STYLE).to_owned();
            assert_close(
                found,
                &expected,
                TOLERANCE,
                &format!("{folder} style step {step}"),
            );
        }
        let style = StyleTrajectory {
            labels: golden.array("label_style_latent"),
            after,
        };

        let latent = golden.first("latent_content");
        let labels: Array2<u8> = golden.array("label_content_latent");
        let noise = GivenNoise(golden.array("noise_content"));
        let content = Content {
            latent: latent.view(),
            labels: labels.view(),
            noise: &noise,
        };
        let plan = adain_plan(folder, num_executed);
        let mut compare = Compare {
            folder,
            golden: &mut golden,
            num_steps: 0,
        };
        let denoise = Denoise {
            schedule: &schedule,
            plan: &plan,
            observer: &mut compare,
        };
        let outputs = denoise.run(&mut replay, &content, &[&style]);
        assert!(outputs.unwrap()[0].is_ok(), "{folder}");
        assert_eq!(compare.num_steps, num_executed, "{folder}");
    }
}

/// Of what the authors' latents were before it, and not of what ours have become.
#[test]
fn the_adain_of_each_step_alone_is_that_of_the_authors() {
    let with_branches = FOLDERS.iter().filter(|&&folder| folder != "paper-night");
    for folder in with_branches {
        let num_executed = schedule(folder).num_executed();
        let plan = adain_plan(folder, num_executed);
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        let content_labels: Array2<u8> = golden.array("label_content_latent");
        let style_labels: Array2<u8> = golden.array("label_style_latent");
        for step in 0..num_executed {
            let before: Array3<f32> = golden.array(&format!("step{step}_before_adain"));
            let latents: Array4<f32> = golden.array(&format!("step{step}_latents"));
            let style = latents.index_axis(Axis(0), STYLE);
            let found = if plan.class_wise[step] {
                let content = LabelledLatent {
                    latent: before.view(),
                    labels: content_labels.view(),
                };
                let style = LabelledLatent {
                    latent: style,
                    labels: style_labels.view(),
                };
                plan.class_adain.apply(content, style)
            } else {
                adain(before.view(), style)
            };
            let expected = latents.index_axis(Axis(0), OUTPUT).to_owned();
            assert_close(
                &found.unwrap(),
                &expected,
                1e-4,
                &format!("{folder} step {step}"),
            );
        }
    }
}

use std::convert::Infallible;

use method::adain::adain;
use method::class_adain::{ClassAdain, ClassScale, LabelledLatent};
use method::denoise::{
    AdainPlan, At, ByClass, Content, ContentPass, Denoise, Observer, OutputBranch, PassPredictions,
    StepAdain, StepRecord, StylePass, StyleTrajectory, walk_style,
};
use method::schedule::Schedule;
use ndarray::{Array1, Array2, Array3, Array4, ArrayView3, Axis};
use shared::model::PredictionType;

use crate::fixtures::{
    CONTENT, FOLDERS, GivenNoise, Golden, OUTPUT, STYLE, assert_close, meta, schedule, schedule_of,
};

const CLASS_ADAIN: ClassAdain = ClassAdain {
    scale: ClassScale::ReleasedCode,
    erode: true,
};

/// How far a latent may be from that of the authors after any step.
const TOLERANCE: f32 = 2e-4;

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
        by_class: ByClass::Labels(CLASS_ADAIN),
        steps: (0..num_executed)
            .map(|step| {
                if steps.contains(&step) {
                    StepAdain::ByClass
                } else {
                    StepAdain::Global
                }
            })
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

/// What the authors' UNet predicted at each step, for each branch: a predictor without a model.
struct Replay<'a> {
    predictions: Vec<Array4<f32>>,
    /// Of a model that predicts velocities: the predictions are told as such.
    velocities: Option<&'a Schedule>,
}

impl Replay<'_> {
    fn of(&self, at: At, branch: usize, latent: ArrayView3<'_, f32>) -> Array3<f32> {
        let noise = self.predictions[at.step].index_axis(Axis(0), branch);
        let Some(schedule) = self.velocities else {
            return noise.to_owned();
        };
        // v = sqrt(abar) e - sqrt(1 - abar) x0, where x = sqrt(abar) x0 + sqrt(1 - abar) e: so v = (e - sqrt(1 - abar) x) / sqrt(abar)
        let (one, zero) = (Array3::ones((1, 1, 1)), Array3::zeros((1, 1, 1)));
        let index = schedule.index(at.step);
        let signal_share = schedule.noised(one.view(), zero.view(), index)[[0, 0, 0]];
        let noise_share = schedule.noised(zero.view(), one.view(), index)[[0, 0, 0]];
        (&noise - &(&latent * noise_share)) / signal_share
    }
}

impl ContentPass for Replay<'_> {
    type Error = Infallible;

    fn evaluate(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, Infallible> {
        assert_eq!(outputs.len(), 1);
        Ok(PassPredictions {
            content: self.of(at, CONTENT, content),
            outputs: vec![self.of(at, OUTPUT, outputs[0].latent).into()],
        })
    }
}

impl StylePass for Replay<'_> {
    type Error = Infallible;

    fn is_read(&self, _at: At) -> bool {
        true
    }

    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, Infallible> {
        Ok(self.of(at, STYLE, style))
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
    denoising_gives_the_authors_latents(PredictionType::Epsilon);
}

/// As of a model that was trained to predict velocities and would have predicted the same.
#[test]
fn denoising_by_velocities_gives_the_authors_latents_at_every_step() {
    denoising_gives_the_authors_latents(PredictionType::VPrediction);
}

fn denoising_gives_the_authors_latents(predicted: PredictionType) {
    // The independent implementation kept the predictions of the output alone.
    let with_branches = FOLDERS.iter().filter(|&&folder| folder != "paper-night");
    for folder in with_branches {
        let schedule = schedule_of(folder, predicted);
        let num_executed = schedule.num_executed();
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        let predictions =
            (0..num_executed).map(|step| golden.array(&format!("step{step}_noise_pred")));
        let mut replay = Replay {
            predictions: predictions.collect(),
            velocities: match predicted {
                PredictionType::Epsilon => None,
                PredictionType::VPrediction => Some(&schedule),
            },
        };

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
            let found = if plan.is_by_class(step) {
                let content = LabelledLatent {
                    latent: before.view(),
                    labels: content_labels.view(),
                };
                let style = LabelledLatent {
                    latent: style,
                    labels: style_labels.view(),
                };
                CLASS_ADAIN.apply(content, style)
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

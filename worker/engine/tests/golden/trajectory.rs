use method::adain::adain;
use method::class_adain::{ClassAdain, ClassScale, LabelledLatent};
use method::schedule::{Schedule, ScheduleConstants};
use ndarray::{Array1, Array2, Array3, Array4, Axis};

use crate::fixtures::{FOLDERS, Golden, assert_close};

/// `steps`, `skip`, class AdaIN and the steps that use it, by folder as in its `meta.json`.
fn settings(folder: &str) -> (usize, usize, Option<ClassAdain>, std::ops::Range<usize>) {
    let released = Some(ClassAdain {
        scale: ClassScale::ReleasedCode,
        erode: true,
    });
    match folder {
        "adain-snow" | "cross-image-snow" => (10, 4, None, 0..0),
        "cacti-night" | "cactif-night" => (10, 4, released, 2..4),
        "cactif-snow-warm" => (10, 4, released, 1..4),
        "cactif-night-default" => (50, 30, released, 5..15),
        "paper-night" => (10, 4, None, 0..0),
        other => panic!("no settings for {other}"),
    }
}

fn schedule(steps: usize, skip: usize) -> Schedule {
    let constants = ScheduleConstants {
        num_train_timesteps: 1000,
        beta_start: 0.00085,
        beta_end: 0.012,
        steps_offset: 1,
        set_alpha_to_one: false,
    };
    Schedule::new(&constants, steps, skip).unwrap()
}

#[test]
fn timesteps_are_those_of_the_authors() {
    for folder in FOLDERS {
        let (steps, skip, ..) = settings(folder);
        let schedule = schedule(steps, skip);
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        let expected: Array1<i64> = golden.array("timesteps");
        let found: Vec<i64> = (0..steps).map(|i| schedule.timestep(i) as i64).collect();
        assert_eq!(found, expected.to_vec(), "{folder}");
    }
}

#[test]
fn noised_latents_are_those_of_the_authors() {
    for folder in FOLDERS {
        let (steps, skip, ..) = settings(folder);
        let schedule = schedule(steps, skip);
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        for image in ["content", "style"] {
            let latent = golden.first(&format!("latent_{image}"));
            let noise: Array4<f32> = golden.array(&format!("noise_{image}"));
            let expected: Array4<f32> = golden.array(&format!("xts_{image}"));
            for index in 0..=steps {
                let noise = noise.index_axis(Axis(0), index.min(steps - 1));
                let found = schedule.noised(latent.view(), noise, index);
                let expected = expected.index_axis(Axis(0), index).to_owned();
                assert_close(
                    &found,
                    &expected,
                    2e-5,
                    &format!("{folder} {image} {index}"),
                );
            }
        }
    }
}

/// The branches of `step{s}_noise_pred` and `step{s}_latents`.
const OUTPUT: usize = 0;
const STYLE: usize = 1;
const CONTENT: usize = 2;

#[test]
fn each_step_and_its_adain_are_those_of_the_authors() {
    // The independent implementation kept the predictions of the output alone.
    let with_branches = FOLDERS.iter().filter(|&&folder| folder != "paper-night");
    for folder in with_branches {
        let (steps, skip, class_adain, class_steps) = settings(folder);
        let schedule = schedule(steps, skip);
        let mut golden = Golden::open(&format!("{folder}/golden.npz"));
        let content_labels: Array2<u8> = golden.array("label_content_latent");
        let style_labels: Array2<u8> = golden.array("label_style_latent");
        let noised = |golden: &mut Golden, image: &str, index: usize| {
            let latent = golden.first(&format!("latent_{image}"));
            let noise: Array4<f32> = golden.array(&format!("noise_{image}"));
            let noise = noise.index_axis(Axis(0), index.min(steps - 1));
            schedule.noised(latent.view(), noise, index)
        };

        for step in 0..schedule.num_executed() {
            let what = format!("{folder} step {step}");
            let index = schedule.index(step);
            let predictions: Array4<f32> = golden.array(&format!("step{step}_noise_pred"));
            let of = |branch| predictions.index_axis(Axis(0), branch);
            let x = match step.checked_sub(1) {
                None => noised(&mut golden, "content", index),
                Some(before) => golden.first(&format!("step{before}_latents")),
            };
            let content = noised(&mut golden, "content", index);
            let content_next = noised(&mut golden, "content", index + 1);
            let map = schedule.noise_map(content.view(), content_next.view(), of(CONTENT), index);
            let found = schedule.ddpm_step(x.view(), of(OUTPUT), map.view(), index);
            let expected: Array3<f32> = golden.array(&format!("step{step}_before_adain"));
            assert_close(&found, &expected, 1e-4, &what);

            let style = noised(&mut golden, "style", index);
            let style_next = noised(&mut golden, "style", index + 1);
            let map = schedule.noise_map(style.view(), style_next.view(), of(STYLE), index);
            let style = schedule.ddpm_step(style.view(), of(STYLE), map.view(), index);
            let latents: Array4<f32> = golden.array(&format!("step{step}_latents"));
            let latent = |branch| latents.index_axis(Axis(0), branch).to_owned();
            assert_close(&style, &latent(STYLE), 1e-4, &what);

            let found = match &class_adain {
                Some(adain) if class_steps.contains(&step) => adain.apply(
                    LabelledLatent {
                        latent: expected.view(),
                        labels: content_labels.view(),
                    },
                    LabelledLatent {
                        latent: style.view(),
                        labels: style_labels.view(),
                    },
                ),
                _ => adain(expected.view(), style.view()),
            };
            assert_close(&found.unwrap(), &latent(OUTPUT), 1e-4, &what);
        }
    }
}

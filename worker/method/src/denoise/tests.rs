//! Numbers that are not finite, on predictors without a model.

use std::convert::Infallible;

use ndarray::{Array2, Array3};
use shared::model::PredictionType;

use super::*;
use crate::class_adain::{ClassAdain, ClassScale};
use crate::finite::Quantity;
use crate::hybrid_adain::HybridAdain;
use crate::noise::standard_normal;
use crate::schedule::ScheduleConstants;

const SHAPE: (usize, usize, usize) = (4, 6, 8);
const NUM_STYLES: usize = 3;

struct Noise(&'static str);

impl NoiseSource for Noise {
    fn noise(&self, index: usize) -> Array3<f32> {
        standard_normal(42, self.0, index, SHAPE)
    }
}

/// Where a predictor goes wrong, and with what.
#[derive(Clone, Copy)]
enum Wrong {
    Nowhere,
    /// The prediction of the content branch.
    Content(usize, f32),
    /// One value of the prediction of an output.
    Output(usize, usize, f32),
}

/// Predicts a function of its latent.
struct Predictor {
    wrong: Wrong,
    /// The outputs of each pass.
    passes: Vec<Vec<usize>>,
}

impl Predictor {
    fn that_is(wrong: Wrong) -> Self {
        Self {
            wrong,
            passes: Vec::new(),
        }
    }
}

impl ContentPass for Predictor {
    type Error = Infallible;

    fn evaluate(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, Infallible> {
        self.passes
            .push(outputs.iter().map(|o| o.position).collect());
        let predict = |latent: ArrayView3<'_, f32>| latent.mapv(|x| 0.5 * x.tanh());
        let mut predictions = PassPredictions {
            content: predict(content),
            outputs: outputs.iter().map(|o| predict(o.latent).into()).collect(),
        };
        match self.wrong {
            Wrong::Content(step, value) if step == at.step => {
                predictions.content[(0, 0, 0)] = value;
            }
            Wrong::Output(step, position, value) if step == at.step => {
                for (output, prediction) in outputs.iter().zip(&mut predictions.outputs) {
                    if output.position == position {
                        prediction.noise_pred[(3, 5, 7)] = value;
                    }
                }
            }
            Wrong::Nowhere | Wrong::Content(..) | Wrong::Output(..) => {}
        }
        Ok(predictions)
    }
}

/// Its branch is read at every other step.
impl StylePass for Predictor {
    type Error = Infallible;

    fn is_read(&self, at: At) -> bool {
        at.step.is_multiple_of(2)
    }

    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, Infallible> {
        let predictions = ContentPass::evaluate(self, at, style, &[])?;
        Ok(predictions.content)
    }
}

fn schedule() -> Schedule {
    let constants = ScheduleConstants {
        num_train_timesteps: 1000,
        beta_start: 0.00085,
        beta_end: 0.012,
        steps_offset: 1,
        set_alpha_to_one: false,
        prediction_type: PredictionType::Epsilon,
    };
    Schedule::new(&constants, 10, 5).unwrap()
}

fn latent(name: &str) -> Array3<f32> {
    standard_normal(7, name, 0, SHAPE)
}

type Outputs = Vec<Result<Array3<f32>, NotFinite>>;

fn converted(predictor: &mut Predictor) -> Result<Outputs, DenoiseError<Infallible>> {
    converted_with(predictor, |_| {})
}

fn converted_with(
    predictor: &mut Predictor,
    change: impl Fn(&mut Vec<StyleTrajectory>),
) -> Result<Outputs, DenoiseError<Infallible>> {
    let schedule = schedule();
    let plan = AdainPlan {
        by_class: ByClass::Labels(ClassAdain {
            scale: ClassScale::ReleasedCode,
            erode: false,
        }),
        steps: (0..schedule.num_executed())
            .map(|step| match step % 2 {
                0 => StepAdain::Global,
                _ => StepAdain::ByClass,
            })
            .collect(),
    };
    let style = |number: usize| {
        let latent = latent(&format!("style {number}"));
        let mut fine = Predictor::that_is(Wrong::Nowhere);
        let noise = Noise("style");
        let after = walk_style(&mut fine, &schedule, latent.view(), &noise, &mut ());
        StyleTrajectory {
            labels: Array2::zeros((SHAPE.1, SHAPE.2)),
            after: after.unwrap(),
        }
    };
    let mut styles: Vec<StyleTrajectory> = (0..NUM_STYLES).map(style).collect();
    change(&mut styles);
    let labels = Array2::zeros((SHAPE.1, SHAPE.2));
    let latent = latent("content");
    let content = Content {
        latent: latent.view(),
        labels: labels.view(),
        noise: &Noise("content"),
    };
    let styles: Vec<&StyleTrajectory> = styles.iter().collect();
    let denoise = Denoise {
        schedule: &schedule,
        plan: &plan,
        observer: &mut (),
    };
    denoise.run(predictor, &content, &styles)
}

/// The map that a pass gives is that of its step, and else that of the style.
#[test]
fn a_class_map_of_a_pass_goes_before_that_of_the_style_and_a_step_may_have_no_adain() {
    struct Mapping {
        map: Option<Array2<u8>>,
    }

    impl ContentPass for Mapping {
        type Error = Infallible;

        fn evaluate(
            &mut self,
            at: At,
            content: ArrayView3<'_, f32>,
            outputs: &[OutputBranch<'_>],
        ) -> Result<PassPredictions, Infallible> {
            let mut fine = Predictor::that_is(Wrong::Nowhere);
            let mut predictions = ContentPass::evaluate(&mut fine, at, content, outputs)?;
            for output in &mut predictions.outputs {
                output.classes = self.map.clone().map(|map| ClassRecord {
                    votes: Vec::new(),
                    map,
                    kept: Vec::new(),
                });
            }
            Ok(predictions)
        }
    }

    let schedule = schedule();
    let (latent, labels) = (latent("content"), Array2::zeros((SHAPE.1, SHAPE.2)));
    let content = Content {
        latent: latent.view(),
        labels: labels.view(),
        noise: &Noise("content"),
    };
    let of_class = |class| Array2::from_elem((8 * SHAPE.1, 8 * SHAPE.2), class);
    let convert = |map: Option<Array2<u8>>, labels: Array2<u8>, adain: StepAdain| {
        let plan = AdainPlan {
            by_class: ByClass::Map(HybridAdain { scale: 8.0 }),
            steps: vec![adain; schedule.num_executed()],
        };
        let style = StyleTrajectory {
            labels,
            after: vec![latent.mapv(|x| 2.0 * x + 1.0); schedule.num_executed()],
        };
        let denoise = Denoise {
            schedule: &schedule,
            plan: &plan,
            observer: &mut (),
        };
        let mut outputs = denoise
            .run(&mut Mapping { map }, &content, &[&style])
            .unwrap();
        outputs.remove(0).unwrap()
    };
    let untouched = convert(None, of_class(0), StepAdain::Nothing);
    assert_eq!(convert(None, of_class(3), StepAdain::ByClass), untouched);
    let changed = convert(None, of_class(0), StepAdain::ByClass);
    assert_ne!(changed, untouched);
    let by_pass = convert(Some(of_class(0)), of_class(3), StepAdain::ByClass);
    assert_eq!(by_pass, changed);
}

const BAD: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

#[test]
fn an_output_that_overflows_fails_alone_and_is_in_no_later_pass() {
    let whole = converted(&mut Predictor::that_is(Wrong::Nowhere)).unwrap();
    let num_executed = schedule().num_executed();
    for value in BAD {
        for step in 0..num_executed {
            let mut predictor = Predictor::that_is(Wrong::Output(step, 1, value));
            let outputs = converted(&mut predictor).unwrap();
            assert_eq!(outputs.len(), NUM_STYLES);
            for position in [0, 2] {
                assert_eq!(outputs[position], whole[position], "at step {step}");
            }
            let failed = outputs[1].clone().unwrap_err();
            let at = at(&schedule(), step);
            assert_eq!(failed.quantity, Quantity::NoisePrediction(at));
            assert_eq!((failed.num_bad, failed.num_values), (1, 4 * 6 * 8));
            for (pass, positions) in predictor.passes.iter().enumerate() {
                let expected: &[usize] = if pass <= step { &[0, 1, 2] } else { &[0, 2] };
                assert_eq!(positions, expected);
            }
            assert_eq!(predictor.passes.len(), num_executed);
        }
    }
}

/// Gives a latent a spread that no latent can be given, for its values beyond a standard deviation leave all numbers.
fn overstretch(latent: &mut Array3<f32>) {
    for (i, value) in latent.iter_mut().enumerate() {
        *value = if i % 2 == 0 { f32::MAX } else { f32::MIN };
    }
}

#[test]
fn a_latent_that_overflows_fails_its_output_at_that_step() {
    let broken = |styles: &mut Vec<StyleTrajectory>| overstretch(&mut styles[2].after[2]);
    let mut predictor = Predictor::that_is(Wrong::Nowhere);
    let outputs = converted_with(&mut predictor, broken).unwrap();
    let at = at(&schedule(), 2);
    assert_eq!(
        outputs[2].clone().unwrap_err().quantity,
        Quantity::Latent(at)
    );
    assert!(outputs[0].is_ok() && outputs[1].is_ok());
}

#[test]
fn no_pass_is_made_once_every_output_has_failed() {
    let all = |styles: &mut Vec<StyleTrajectory>| {
        let styles = styles.iter_mut();
        styles.for_each(|style| overstretch(&mut style.after[0]));
    };
    let mut predictor = Predictor::that_is(Wrong::Nowhere);
    let outputs = converted_with(&mut predictor, all).unwrap();
    assert!(outputs.iter().all(Result::is_err));
    assert_eq!(predictor.passes.len(), 1);
}

#[test]
fn a_content_branch_that_is_not_finite_fails_every_output() {
    for value in BAD {
        let mut predictor = Predictor::that_is(Wrong::Content(2, value));
        let failed = converted(&mut predictor).unwrap_err();
        let expected = NotFinite {
            quantity: Quantity::NoisePrediction(at(&schedule(), 2)),
            num_bad: 1,
            num_values: 4 * 6 * 8,
        };
        assert!(
            matches!(failed, DenoiseError::NotFinite(found) if found == expected),
            "{failed}"
        );
        assert_eq!(predictor.passes.len(), 3);
    }
}

/// A style's branch that is read at every step.
struct Always(Predictor);

impl StylePass for Always {
    type Error = Infallible;

    fn is_read(&self, _at: At) -> bool {
        true
    }

    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, Infallible> {
        StylePass::evaluate(&mut self.0, at, style)
    }
}

#[test]
fn a_style_is_evaluated_where_it_is_read_and_at_the_last_step_and_its_latents_are_the_same() {
    struct Steps(usize);

    impl Observer for Steps {
        fn step(&mut self, _: &StepRecord<'_>) {}

        fn style_step(&mut self) {
            self.0 += 1;
        }
    }

    let (latent, noise) = (latent("style"), Noise("style"));
    let mut sparse = Predictor::that_is(Wrong::Nowhere);
    let mut steps = Steps(0);
    let found = walk_style(&mut sparse, &schedule(), latent.view(), &noise, &mut steps).unwrap();
    // Of five steps, from 0.
    assert_eq!((sparse.passes.len(), steps.0), (3, 3));
    let mut whole = Always(Predictor::that_is(Wrong::Nowhere));
    let expected = walk_style(&mut whole, &schedule(), latent.view(), &noise, &mut ()).unwrap();
    assert_eq!(whole.0.passes.len(), 5);
    assert_eq!(found, expected);
}

#[test]
fn a_style_whose_branch_is_not_finite_has_no_trajectory() {
    for value in BAD {
        let mut predictor = Predictor::that_is(Wrong::Content(4, value));
        let (latent, noise) = (latent("style"), Noise("style"));
        let walked = walk_style(&mut predictor, &schedule(), latent.view(), &noise, &mut ());
        let failed = walked.unwrap_err();
        let message = failed.to_string();
        let at = at(&schedule(), 4);
        assert!(
            message.contains(&format!("the noise prediction at {at}")),
            "{message}"
        );
    }
}

//! Denoising a content towards several styles at once.
//!
//! The content's latents at every schedule index follow from independent noise draws without a UNet, so the
//! evaluation of the content branch that gives its noise map is also the one whose keys and values the outputs need:
//! one pass over `[content, output_1 .. output_n]` a step. The style branch does not depend on the content and is
//! walked by [`walk_style`] once, however many contents follow.
//!
//! **Source:** Chigot et al. 2025 (arXiv:2505.16360), sections 3 and 4; edit-friendly inversion of Huberman-Spiegelglas
//! et al. 2024 (arXiv:2304.06140).
//! **Differs:** the released code inverts all 50 indices and evaluates content and style branches twice a step; what it
//! throws away is not computed here, and the latents are the same.

#[cfg(test)]
mod tests;

use std::fmt;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use super::adain::{AdainError, adain};
use super::class_adain::{ClassAdain, LabelledLatent};
use super::finite::{NotFinite, Quantity};
use super::schedule::Schedule;

/// The noise drawn for one image at each schedule index.
pub trait NoiseSource {
    /// Returns the draw at `index`, shaped as the latent.
    fn noise(&self, index: usize) -> Array3<f32>;
}

/// The step of a pass, and its timestep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Executed step, from 0.
    pub step: usize,
    /// Timestep of the schedule, 0..1000.
    pub timestep: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} (timestep {})", self.step, self.timestep)
    }
}

/// An output branch in a pass.
#[derive(Debug, Clone, Copy)]
pub struct OutputBranch<'a> {
    /// Position of the output among those of the conversion: branches that failed are in no later pass.
    pub position: usize,
    /// Its latent.
    pub latent: ArrayView3<'a, f32>,
}

/// Noise predictions of one pass, each `(channels, height, width)`.
pub struct PassPredictions {
    /// Of the content branch.
    pub content: Array3<f32>,
    /// Of each output branch, in the order given.
    pub outputs: Vec<Array3<f32>>,
}

/// A noise predictor that evaluates content and outputs together, injection included.
pub trait ContentPass {
    /// Why an evaluation failed.
    type Error;

    /// Returns the noise predictions for a content latent and each output's latent, in their order.
    ///
    /// # Errors
    ///
    /// [`Self::Error`] if the predictor cannot evaluate them.
    fn evaluate(
        &mut self,
        at: At,
        content: ArrayView3<'_, f32>,
        outputs: &[OutputBranch<'_>],
    ) -> Result<PassPredictions, Self::Error>;
}

/// A noise predictor of the style branch, which records the keys and values that later passes inject.
pub trait StylePass {
    /// Why an evaluation failed.
    type Error;

    /// Returns the noise prediction for a style latent.
    ///
    /// # Errors
    ///
    /// [`Self::Error`] if the predictor cannot evaluate it.
    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, Self::Error>;
}

/// The AdaIN after each step.
#[derive(Debug, Clone)]
pub struct AdainPlan {
    /// The reading of class-wise AdaIN.
    pub class_adain: ClassAdain,
    /// For each executed step: class-wise, or else global.
    pub class_wise: Vec<bool>,
}

/// A content about to be converted.
pub struct Content<'a> {
    /// Its latent.
    pub latent: ArrayView3<'a, f32>,
    /// Its train ids at latent size.
    pub labels: ArrayView2<'a, u8>,
    /// Its noise.
    pub noise: &'a dyn NoiseSource,
}

/// The labels of a style and its latent after each step, which AdaIN takes.
#[derive(Debug, Clone)]
pub struct StyleTrajectory {
    /// Train ids at latent size.
    pub labels: Array2<u8>,
    /// The style's latent after its own update, for each executed step.
    pub after: Vec<Array3<f32>>,
}

/// One output's step, as observers see it.
pub struct StepRecord<'a> {
    /// Position of the output among those of the pass.
    pub output: usize,
    /// Where the pass was.
    pub at: At,
    /// The output branch's noise prediction.
    pub noise_pred: &'a Array3<f32>,
    /// Its latent after the DDPM update.
    pub before_adain: &'a Array3<f32>,
    /// Its latent after AdaIN.
    pub latent: &'a Array3<f32>,
}

/// An observer of a conversion: a progress bar, a trace.
pub trait Observer {
    /// Called after each output's step.
    fn step(&mut self, record: &StepRecord<'_>);

    /// Called after each step of a style's branch.
    fn style_step(&mut self) {}
}

/// An observer that ignores everything.
impl Observer for () {
    fn step(&mut self, _record: &StepRecord<'_>) {}
}

/// Why denoising stopped.
#[derive(Debug, thiserror::Error)]
pub enum DenoiseError<E> {
    /// The predictor failed.
    #[error(transparent)]
    Unet(E),
    /// Latents do not fit together.
    #[error("cannot normalise the output towards its style")]
    Adain(#[from] AdainError),
    /// Numbers of a branch that everything else depends on are not finite.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
}

/// An output's final latent `(channels, height, width)`, or the quantity of it that is not finite.
pub type FinalLatent = Result<Array3<f32>, NotFinite>;

/// The denoising of a content into several outputs, one for each style.
pub struct Denoise<'a> {
    /// The timesteps and the formulas at each.
    pub schedule: &'a Schedule,
    /// The AdaIN after each step.
    pub plan: &'a AdainPlan,
    /// The observer of each output's steps.
    pub observer: &'a mut dyn Observer,
}

impl Denoise<'_> {
    /// Returns the final latent of each output, in the order of `styles`, or the quantity of it that is not finite: such
    /// an output is in no later pass, and the others are what they are without it.
    ///
    /// # Errors
    ///
    /// [`DenoiseError::Unet`] if a pass fails, [`DenoiseError::Adain`] if shapes differ between content and a style,
    /// [`DenoiseError::NotFinite`] if a prediction of the content branch is not finite.
    pub fn run<P: ContentPass>(
        self,
        unet: &mut P,
        content: &Content<'_>,
        styles: &[&StyleTrajectory],
    ) -> Result<Vec<FinalLatent>, DenoiseError<P::Error>> {
        let Self {
            schedule,
            plan,
            observer,
        } = self;
        let mut x_content = noised(schedule, content.latent, content.noise, schedule.skip());
        let mut outputs = vec![Ok(x_content.clone()); styles.len()];
        for step in 0..schedule.num_executed() {
            let branches = running(&outputs);
            if branches.is_empty() {
                break;
            }
            let index = schedule.index(step);
            let at = at(schedule, step);
            let predictions = unet
                .evaluate(at, x_content.view(), &branches)
                .map_err(DenoiseError::Unet)?;
            Quantity::NoisePrediction(at).check(predictions.content.view())?;
            let x_next = noised(schedule, content.latent, content.noise, index + 1);
            let noise_map = schedule.noise_map(
                x_content.view(),
                x_next.view(),
                predictions.content.view(),
                index,
            );
            let mut after = Vec::with_capacity(branches.len());
            for (branch, noise_pred) in branches.iter().zip(&predictions.outputs) {
                let update = Update {
                    schedule,
                    plan,
                    content_labels: content.labels,
                    style: styles[branch.position],
                    noise_map: noise_map.view(),
                    at,
                };
                after.push((branch.position, update.of(branch, noise_pred, observer)?));
            }
            for (position, latent) in after {
                outputs[position] = latent;
            }
            x_content = x_next;
        }
        Ok(outputs)
    }
}

/// Returns the branches of the outputs that have not failed.
fn running(outputs: &[FinalLatent]) -> Vec<OutputBranch<'_>> {
    let mut branches = Vec::with_capacity(outputs.len());
    for (position, output) in outputs.iter().enumerate() {
        if let Ok(latent) = output {
            let latent = latent.view();
            branches.push(OutputBranch { position, latent });
        }
    }
    branches
}

/// The update of an output's latent from one step to the next.
struct Update<'a> {
    schedule: &'a Schedule,
    plan: &'a AdainPlan,
    content_labels: ArrayView2<'a, u8>,
    style: &'a StyleTrajectory,
    noise_map: ArrayView3<'a, f32>,
    at: At,
}

impl Update<'_> {
    /// Returns the latent after the step, or the quantity of it that is not finite.
    fn of(
        &self,
        branch: &OutputBranch<'_>,
        noise_pred: &Array3<f32>,
        observer: &mut dyn Observer,
    ) -> Result<FinalLatent, AdainError> {
        let at = self.at;
        if let Err(error) = Quantity::NoisePrediction(at).check(noise_pred.view()) {
            return Ok(Err(error));
        }
        let index = self.schedule.index(at.step);
        let before_adain =
            self.schedule
                .ddpm_step(branch.latent, noise_pred.view(), self.noise_map, index);
        let content = LabelledLatent {
            latent: before_adain.view(),
            labels: self.content_labels,
        };
        let style = LabelledLatent {
            latent: self.style.after[at.step].view(),
            labels: self.style.labels.view(),
        };
        let latent = if self.plan.class_wise[at.step] {
            self.plan.class_adain.apply(content, style)?
        } else {
            adain(content.latent, style.latent)?
        };
        if let Err(error) = Quantity::Latent(at).check(latent.view()) {
            return Ok(Err(error));
        }
        observer.step(&StepRecord {
            output: branch.position,
            at,
            noise_pred,
            before_adain: &before_adain,
            latent: &latent,
        });
        Ok(Ok(latent))
    }
}

/// Returns a style's latent after each executed step, evaluating its branch once a step.
///
/// # Errors
///
/// [`DenoiseError::Unet`] if an evaluation fails, [`DenoiseError::NotFinite`] if a prediction or a latent is not finite.
pub fn walk_style<P: StylePass>(
    unet: &mut P,
    schedule: &Schedule,
    latent: ArrayView3<'_, f32>,
    noise: &dyn NoiseSource,
    observer: &mut dyn Observer,
) -> Result<Vec<Array3<f32>>, DenoiseError<P::Error>> {
    let mut x = noised(schedule, latent, noise, schedule.skip());
    let mut after = Vec::with_capacity(schedule.num_executed());
    for step in 0..schedule.num_executed() {
        let index = schedule.index(step);
        let at = at(schedule, step);
        let noise_pred = unet.evaluate(at, x.view()).map_err(DenoiseError::Unet)?;
        Quantity::NoisePrediction(at).check(noise_pred.view())?;
        // The last noise map is zero, so the last update gives the mean and not the latent itself.
        let next = if index + 1 == schedule.steps() {
            schedule.mean(x.view(), noise_pred.view(), index)
        } else {
            noised(schedule, latent, noise, index + 1)
        };
        Quantity::Latent(at).check(next.view())?;
        after.push(next.clone());
        observer.style_step();
        x = next;
    }
    Ok(after)
}

fn at(schedule: &Schedule, step: usize) -> At {
    At {
        step,
        timestep: schedule.timestep(schedule.index(step)),
    }
}

fn noised(
    schedule: &Schedule,
    latent: ArrayView3<'_, f32>,
    noise: &dyn NoiseSource,
    index: usize,
) -> Array3<f32> {
    if index == schedule.steps() {
        latent.to_owned()
    } else {
        schedule.noised(latent, noise.noise(index).view(), index)
    }
}

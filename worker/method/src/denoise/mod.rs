//! Denoising a content towards several styles at once.
//!
//! The content's latents at every schedule index follow from independent noise draws without a UNet, so the
//! evaluation of the content branch that gives its noise map is also the one whose keys and values the outputs need:
//! one pass over `[content, output_1 .. output_n]` a step. The style branch does not depend on the content and is
//! walked by [`walk_style`] once, however many contents follow, and evaluated where something of it is read.
//!
//! - `pass`: what predictors, observers and the denoising give each other; `plan`: the AdaIN after each step
//!
//! **Source:** Chigot et al. 2025 (arXiv:2505.16360), sections 3 and 4; edit-friendly inversion of Huberman-Spiegelglas
//! et al. 2024 (arXiv:2304.06140).
//! **Differs:** the released code inverts all 50 indices and evaluates content and style branches twice a step; what it
//! throws away is not computed here, and the latents are the same.

mod pass;
mod plan;
#[cfg(test)]
mod tests;

use ndarray::{Array3, ArrayView2, ArrayView3};

use super::adain::{AdainError, adain};
use super::class_adain::LabelledLatent;
use super::finite::{NotFinite, Quantity};
use super::hybrid_adain::MappedLatent;
use super::schedule::Schedule;
pub use pass::{
    At, ClassRecord, Content, ContentPass, NoiseSource, Observer, OutputBranch, OutputPrediction,
    PassPredictions, StepRecord, StylePass, StyleTrajectory,
};
pub use plan::{AdainPlan, ByClass, StepAdain};

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
            for (branch, prediction) in branches.iter().zip(&predictions.outputs) {
                let update = Update {
                    schedule,
                    plan,
                    content_labels: content.labels,
                    style: styles[branch.position],
                    noise_map: noise_map.view(),
                    at,
                };
                after.push((branch.position, update.of(branch, prediction, observer)?));
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
        prediction: &OutputPrediction,
        observer: &mut dyn Observer,
    ) -> Result<FinalLatent, AdainError> {
        let at = self.at;
        let OutputPrediction {
            noise_pred,
            classes,
        } = prediction;
        if let Err(error) = Quantity::NoisePrediction(at).check(noise_pred.view()) {
            return Ok(Err(error));
        }
        let index = self.schedule.index(at.step);
        let before_adain =
            self.schedule
                .ddpm_step(branch.latent, noise_pred.view(), self.noise_map, index);
        let latent = self.adain(&before_adain, classes.as_ref())?;
        if let Err(error) = Quantity::Latent(at).check(latent.view()) {
            return Ok(Err(error));
        }
        observer.step(&StepRecord {
            output: branch.position,
            at,
            noise_pred,
            before_adain: &before_adain,
            latent: &latent,
            classes: classes.as_ref(),
        });
        Ok(Ok(latent))
    }

    /// Returns a latent after the step's AdaIN.
    fn adain(
        &self,
        before: &Array3<f32>,
        classes: Option<&ClassRecord>,
    ) -> Result<Array3<f32>, AdainError> {
        let content = LabelledLatent {
            latent: before.view(),
            labels: self.content_labels,
        };
        let (latent, labels) = (self.style.after[self.at.step].view(), &self.style.labels);
        match (self.plan.steps[self.at.step], &self.plan.by_class) {
            (StepAdain::Nothing, _) => Ok(before.clone()),
            (StepAdain::Global, _) => adain(content.latent, latent),
            (StepAdain::ByClass, ByClass::Labels(class_adain)) => {
                let labels = labels.view();
                class_adain.apply(content, LabelledLatent { latent, labels })
            }
            (StepAdain::ByClass, ByClass::Map(hybrid_adain)) => {
                let class_map = classes.map_or(labels, |classes| &classes.map).view();
                hybrid_adain.apply(content, MappedLatent { latent, class_map })
            }
        }
    }
}

/// Returns a style's latent after each executed step, evaluating its branch at the steps that are read, and at the last.
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
        let is_last = index + 1 == schedule.steps();
        let mut next = noised(schedule, latent, noise, index + 1);
        if is_last || unet.is_read(at) {
            let noise_pred = unet.evaluate(at, x.view()).map_err(DenoiseError::Unet)?;
            Quantity::NoisePrediction(at).check(noise_pred.view())?;
            if is_last {
                // The last noise map is zero, so the last update gives the mean and not the latent itself.
                next = schedule.mean(x.view(), noise_pred.view(), index);
            }
            observer.style_step();
        }
        Quantity::Latent(at).check(next.view())?;
        after.push(next.clone());
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

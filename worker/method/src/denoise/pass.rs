//! The contract between a noise predictor, an observer and the denoising.

use std::fmt;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::class_filter::KeptPairs;

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
    pub outputs: Vec<OutputPrediction>,
}

/// What a pass gives of an output branch.
pub struct OutputPrediction {
    /// The noise prediction `(channels, height, width)`.
    pub noise_pred: Array3<f32>,
    /// What was found of the style's classes, by methods that map them.
    pub classes: Option<ClassRecord>,
}

impl From<Array3<f32>> for OutputPrediction {
    fn from(noise_pred: Array3<f32>) -> Self {
        Self {
            noise_pred,
            classes: None,
        }
    }
}

/// What a pass found of a style's classes.
#[derive(Debug, Clone)]
pub struct ClassRecord {
    /// The votes of each layer that votes, `(image height, image width)`; none at a step without votes.
    pub votes: Vec<Array2<u8>>,
    /// The class map of the step, of the same size.
    pub map: Array2<u8>,
    /// The pairs that each injected layer kept, in the layers' order; none at a step that does not filter, or where no
    /// [`Observer`] reads them.
    pub kept: Vec<KeptPairs>,
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

    /// Returns whether contents read anything of the branch at a step.
    fn is_read(&self, at: At) -> bool;

    /// Returns the noise prediction for a style latent.
    ///
    /// # Errors
    ///
    /// [`Self::Error`] if the predictor cannot evaluate it.
    fn evaluate(&mut self, at: At, style: ArrayView3<'_, f32>) -> Result<Array3<f32>, Self::Error>;
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
    /// Train ids: at latent size, or at image size where classes are told by a map.
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
    /// What was found of the style's classes, by methods that map them.
    pub classes: Option<&'a ClassRecord>,
}

/// An observer of a conversion: a progress bar, a trace.
pub trait Observer {
    /// Called after each output's step.
    fn step(&mut self, record: &StepRecord<'_>);

    /// Returns whether it reads which pairs are kept where attention is filtered by class: a GPU has to bring them to the
    /// host.
    fn reads_kept_pairs(&self) -> bool {
        false
    }

    /// Called after each step of a style's branch that is evaluated.
    fn style_step(&mut self) {}
}

/// An observer that ignores everything.
impl Observer for () {
    fn step(&mut self, _record: &StepRecord<'_>) {}
}

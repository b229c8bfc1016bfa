//! What an attempt needs beside storage: inputs that are read, a backend that converts them, an evaluator of outputs, and
//! what is told of its progress.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ndarray::{Array2, Array3};
use shared::dataset::entry::DatasetEntry;
use shared::failure::{FailureClass, chain};
use shared::ids::RunId;
use shared::manifest::ManifestRow;
use shared::model::ImageSize;
use shared::warning::ItemWarning;

use super::{AttemptError, ShardOutcome};
use crate::evaluation::{Evaluation, EvaluationError};
use imaging::Prepared;

/// What an input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// It is converted.
    Content,
    /// It lends its style.
    Style,
}

/// An input at the size that was asked for.
pub struct LoadedInput {
    /// Its name in the dataset.
    pub name: String,
    /// Its image file, as warnings name it.
    pub file: String,
    /// Pixels and labels.
    pub prepared: Prepared,
    /// SHA-256 of its image file.
    pub image_sha256: String,
    /// Time it took.
    pub elapsed: Duration,
}

/// Why items are not made and never will be as things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// What was wrong.
    pub class: FailureClass,
    /// The reason, for people.
    pub reason: String,
}

/// Why an input cannot be loaded.
#[derive(Debug)]
pub enum Unusable {
    /// It never will, as things are.
    Quarantine(Quarantine),
    /// Its dataset is away or may not be read, for this reason: that may pass.
    Away(String),
}

/// Reads the inputs of a run out of its datasets.
#[async_trait]
pub trait Inputs: Send + Sync {
    /// Reads, decodes and resizes an input, to the model's size or that of another network.
    ///
    /// # Errors
    ///
    /// [`Unusable`], which says whether trying again may help.
    async fn load(
        &self,
        kind: InputKind,
        listing: &DatasetEntry,
        size: ImageSize,
    ) -> Result<LoadedInput, Unusable>;
}

impl Quarantine {
    /// Returns a quarantine for an error, with its whole chain.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static), class: FailureClass) -> Self {
        Self {
            class,
            reason: chain(error),
        }
    }
}

/// An output that is an image, not yet stored.
pub struct ConvertedOutput {
    /// The image as a PNG file.
    pub png: Vec<u8>,
    /// What a person should know about it.
    pub warnings: Vec<ItemWarning>,
}

/// The outputs of one content in several styles, converted in one pass.
pub struct ConvertedBatch {
    /// Each output in the order of the styles, or why it is no image.
    pub outputs: Vec<Result<ConvertedOutput, Quarantine>>,
    /// UNet evaluations of all of them.
    pub evaluations: u64,
    /// Time in the VAE encoder.
    pub encode: Duration,
    /// Time in denoising.
    pub denoise: Duration,
    /// Time of that in UNet evaluations.
    pub in_unet: Duration,
    /// Time of that in the content's branch, which the outputs share.
    pub in_content: Duration,
    /// Time in the VAE decoder and the PNG encoder.
    pub decode: Duration,
}

/// Makes outputs: an engine.
#[async_trait]
pub trait ConversionBackend: Send + Sync {
    /// Returns whether a style was recorded.
    ///
    /// # Errors
    ///
    /// If the engine is gone.
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError>;

    /// Records a style; returns the UNet evaluations it took.
    ///
    /// # Errors
    ///
    /// If the engine fails; of class bad output if no output in this style can be an image.
    async fn record_style(
        &self,
        style: LoadedInput,
        progress: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError>;

    /// Converts a content into the given styles, all of them recorded before.
    ///
    /// # Errors
    ///
    /// If the engine fails; of class bad output if no output of this content can be an image.
    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError>;

    /// Returns what a person should know about a pair, without converting it.
    ///
    /// # Errors
    ///
    /// If the engine is gone.
    async fn warnings(
        &self,
        content: Arc<LoadedInput>,
        style: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError>;
}

/// Evaluates outputs: compares them with their contents.
#[async_trait]
pub trait Evaluator: Send + Sync {
    /// Returns the figures of an output, a PNG file as it is stored.
    ///
    /// # Errors
    ///
    /// If it is no image of its content's size, or a network fails.
    async fn evaluate(
        &self,
        content: Arc<LoadedInput>,
        png: Bytes,
    ) -> Result<Evaluation, EvaluationError>;
}

/// Makes class maps of styles without labels: a network.
#[async_trait]
pub trait ClassMapper: Send + Sync {
    /// Returns the size of the images that it takes.
    fn image_size(&self) -> ImageSize;

    /// Returns from how many prototypes it has learnt what classes look like: the first ones of the plan.
    fn num_learnt(&self) -> usize;

    /// Learns what classes look like from the next prototype: an image of [`Self::image_size`], and its train ids at the
    /// model's.
    ///
    /// # Errors
    ///
    /// If the network fails.
    async fn learn(&self, image: Array3<u8>, labels: Array2<u8>) -> Result<(), AttemptError>;

    /// Returns the train ids `(height, width)`, of the model's size, of an image of [`Self::image_size`].
    ///
    /// # Errors
    ///
    /// If the network fails.
    async fn map(&self, image: Array3<u8>) -> Result<Array2<u8>, AttemptError>;
}

/// A stage of an attempt: what it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading and preparing inputs.
    Load,
    /// Waiting for inputs that are away.
    Wait,
    /// Mapping the classes of a style without a label, or learning what they look like.
    ClassMap,
    /// A step of a style's branch.
    StyleStep,
    /// A step of an output's branch.
    OutputStep,
    /// Storing and looking for what is stored.
    Store,
    /// Comparing an output with its content.
    Evaluate,
}

impl Stage {
    /// Returns the name that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Load => "loading inputs",
            Self::Wait => "waiting for inputs",
            Self::ClassMap => "mapping the classes of a style",
            Self::StyleStep => "recording a style",
            Self::OutputStep => "denoising",
            Self::Store => "storing",
            Self::Evaluate => "judging an output",
        }
    }
}

/// Is told how a worker's attempts go.
pub trait Progress: Send + Sync {
    /// The worker has taken a shard.
    fn shard_started(&self) {}
    /// It has no shard in hand any more.
    fn shard_finished(&self) {}
    /// A stage of the attempt begins.
    fn begin(&self, _stage: Stage) {}
    /// It waits for inputs that are away, for a reason.
    fn waits(&self, _why: &str) {}
    /// A style branch took a step.
    fn style_step(&self) {}
    /// An output's branch took a step.
    fn output_step(&self) {}
    /// An item has its row.
    fn item(&self, _row: &ManifestRow) {}
    /// An attempt at a shard of a run has ended.
    fn attempt_ended(&self, _run: &RunId, _outcome: &Result<ShardOutcome, AttemptError>) {}
}

/// Progress that is told to no one.
impl Progress for () {}

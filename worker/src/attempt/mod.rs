//! One try at a shard, from its inputs to its commit.
//!
//! Labels and images are stored as they are made; the shard's manifest rows are stored last, and their presence is the
//! commit. A later try finds what is stored and makes only what is missing.

mod batch_limit;
mod error;
mod evaluating;
mod goal;
mod inputs;
mod making;
mod ports;
mod repair;
mod rows;
mod styles;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use batch_limit::BatchLimit;
use bytes::Bytes;
pub use error::AttemptError;
pub use goal::Goal;
pub use inputs::Datasets;
pub use ports::{
    ConversionBackend, ConvertedBatch, ConvertedOutput, Evaluator, InputKind, Inputs, LoadedInput,
    Progress, Quarantine, Stage, Unusable,
};
use shared::artifact::ArtifactKey;
use shared::clock::Clock;
use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::{ItemId, RunId};
use shared::making::ContentDigests;
use shared::manifest::{self, ManifestRow, Output, Work};
use shared::plan::ShardInputs;
use shared::queue::message::ShardTask;
use shared::storage::{Storage, StorageErrorKind};
use tokio::sync::OnceCell;
use tracing::Instrument;

use self::goal::check_same_images;
use self::repair::Expected;
use self::rows::{RowMaker, Stored, item_of};
use self::styles::{RecordedStyle, UsableStyle};
use shared::model::ImageSize;

/// What attempts at the shards of a run need.
#[derive(Clone)]
pub struct RunContext {
    /// Where inputs come from.
    pub inputs: Arc<dyn Inputs>,
    /// What makes outputs.
    pub backend: Arc<dyn ConversionBackend>,
    /// What evaluates them.
    pub evaluator: Arc<dyn Evaluator>,
    /// The model's sizes.
    pub size: ImageSize,
    /// How many outputs fit in the backend's memory at once.
    pub batch_limit: BatchLimit,
}

/// What every row says about the run and this process.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Name of the worker.
    pub worker: String,
    /// Device it computes on.
    pub device: String,
    /// Seed of the run.
    pub seed: u64,
    /// SHA-256 of the method's settings.
    pub config_hash: String,
    /// SHA-256 of the model's contract.
    pub model_sha256: String,
    /// SHA-256 of all that the run is planned with.
    pub plan_hash: String,
}

/// One try at a shard.
pub struct Attempt<'a> {
    /// The shard.
    pub task: &'a ShardTask,
    /// Its contents and styles, as the run's plan and decisions have them.
    pub planned: &'a ShardInputs,
    /// What of it is to be made.
    pub goal: &'a Goal,
    /// What committed rows of the run say of its contents, by their names: they must still be those.
    pub known: &'a BTreeMap<String, ContentDigests>,
    /// Number of this try, from 1.
    pub number: u32,
    /// How long an input that is away is waited for.
    pub patience: Duration,
    /// Where artifacts go.
    pub storage: &'a dyn Storage,
    /// What the run needs.
    pub context: &'a RunContext,
    /// What every row says.
    pub provenance: &'a Provenance,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// What tells the times of its rows.
    pub clock: &'a dyn Clock,
    /// Set to finish the item in hand and stop.
    pub stop: &'a AtomicBool,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum ShardOutcome {
    /// The shard, or a revision of it, is committed with these rows.
    Committed(Vec<ManifestRow>),
    /// It was told to stop; what is stored is kept.
    Stopped,
}

impl Attempt<'_> {
    /// Makes the shard.
    ///
    /// # Errors
    ///
    /// [`AttemptError`]; its class says what it leads to. Bad inputs are no errors: they are rows.
    pub async fn make(&self) -> Result<ShardOutcome, AttemptError> {
        match self.make_all().await {
            Err(AttemptError::ToldToStop) => Ok(ShardOutcome::Stopped),
            ended => ended,
        }
    }

    async fn make_all(&self) -> Result<ShardOutcome, AttemptError> {
        let expected = match self.goal {
            Goal::Repair { rows } => Some(Expected::of(rows)),
            Goal::Shard | Goal::Revision { .. } => None,
        };
        let mut rows = RowMaker::new(self, expected, self.noted().await?);
        for content in &self.planned.contents {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(ShardOutcome::Stopped);
            }
            self.make_items(content, &mut rows).await?;
        }
        let rows = rows.finish();
        match self.goal {
            Goal::Shard => {
                let key = ArtifactKey::Shard(self.run().clone(), self.task.shard);
                self.commit(key, rows).await
            }
            Goal::Revision { number, done, .. } => {
                let key = ArtifactKey::ShardRevision(self.run().clone(), self.task.shard, *number);
                self.commit(key, [rows, done.clone()].concat()).await
            }
            Goal::Repair { rows: committed } => repair::outcome(rows, committed.clone()),
        }
    }

    async fn commit(
        &self,
        key: ArtifactKey,
        rows: Vec<ManifestRow>,
    ) -> Result<ShardOutcome, AttemptError> {
        self.progress.begin(Stage::Store);
        let bytes = manifest::write(rows.clone())?;
        match self.storage.create(&key, Bytes::from(bytes)).await {
            Ok(_) => Ok(ShardOutcome::Committed(rows)),
            // Another attempt committed first; its rows differ in times alone, and they are the ones that count.
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                let there = manifest::read(self.storage.read(&key).await?)?;
                check_same_images(&rows, &there)?;
                tracing::info!("another attempt has committed the shard");
                Ok(ShardOutcome::Committed(there))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn make_items(
        &self,
        listing: &DatasetEntry,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        let styles = rows.wanted(listing.name(), &self.planned.styles);
        if styles.is_empty() {
            return Ok(());
        }
        rows.begin_content();
        let loaded = match self.load(InputKind::Content, listing).await? {
            Ok(loaded) => Arc::new(loaded),
            Err(why) => {
                for style in styles {
                    rows.quarantined(listing.name(), style.name(), &why);
                }
                return Ok(());
            }
        };
        let Some(content) = InHand::new(listing, loaded) else {
            let why = Quarantine {
                class: FailureClass::BadInput,
                reason: format!("{} has no label that could be stored", listing.name()),
            };
            for style in styles {
                rows.quarantined(listing.name(), style.name(), &why);
            }
            return Ok(());
        };
        if let Some(why) = self.other_content(&content, rows).await? {
            for style in styles {
                rows.quarantined(content.name(), style.name(), &why);
            }
            return Ok(());
        }
        let label_key = ArtifactKey::Label(self.run().clone(), content.name().to_owned());
        rows.check_label(content.name(), &label_key, &content.digests.label_sha256)?;
        let missing = self.find_stored(&content, rows).await?;
        let mut usable = Vec::new();
        for style in missing {
            if self.stop.load(Ordering::Relaxed) {
                return Err(AttemptError::ToldToStop);
            }
            let evaluations = match self.record_style(style).await? {
                RecordedStyle::Now { evaluations } => evaluations,
                RecordedStyle::Before => 0,
                RecordedStyle::Unusable(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            usable.push(UsableStyle {
                listing: style,
                evaluations,
            });
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(AttemptError::ToldToStop);
        }
        self.convert(&content, &usable, rows).await
    }

    /// Stores the label of a content in hand, once: it is there before any of its images, and not without one. Returns why
    /// its items are quarantined if it cannot be.
    async fn store_label(
        &self,
        content: &InHand<'_>,
        rows: &RowMaker<'_>,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let store = || async {
            let key = ArtifactKey::Label(self.run().clone(), content.name().to_owned());
            self.storage
                .create(&key, content.label.clone())
                .await
                .map(drop)
        };
        match content.label_is_stored.get_or_try_init(store).await {
            Ok(()) => Ok(Ok(())),
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                self.other_label(content, rows, error).map(Err)
            }
            Err(error) => AttemptError::from(error).of_item().map(Err),
        }
    }

    /// Gives what earlier attempts stored their rows, and returns the styles whose images are missing.
    async fn find_stored(
        &self,
        content: &InHand<'_>,
        rows: &mut RowMaker<'_>,
    ) -> Result<Vec<&DatasetEntry>, AttemptError> {
        let mut missing = Vec::new();
        for style in rows.wanted(content.name(), &self.planned.styles) {
            self.progress.begin(Stage::Store);
            let key = self.image_key(content.name(), style.name());
            let image = match self.storage.read(&key).await {
                // What trouble left of an image is none: it is made again in its place.
                Ok(image) if image.is_empty() => {
                    missing.push(style);
                    continue;
                }
                Ok(image) => image,
                Err(error) if error.kind == StorageErrorKind::NotFound => {
                    missing.push(style);
                    continue;
                }
                Err(error) => {
                    let why = AttemptError::from(error).of_item()?;
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            let sha256 = digest::sha256(&image);
            // It is not known what it was made from: it is made again, and storage compares both.
            if !self.is_known(content, style, &sha256, rows) {
                missing.push(style);
                continue;
            }
            // Who stored it may have been killed before it survived a crash of the machine, and the commit will speak of it.
            self.storage.settle(&key).await?;
            if let Err(why) = self.store_label(content, rows).await? {
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            let output = self.output(content, style, sha256);
            let evaluation = match self.evaluate(&content.loaded, &key, image).await {
                Ok(Ok(evaluation)) => evaluation,
                Ok(Err(why)) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
                // A damaged one is made again, and refused by storage with its name: nothing stored is rewritten.
                Err(error) if error.is_damaged_output() => {
                    missing.push(style);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut warnings = self.warnings_of_stored(&content.loaded, style).await?;
            warnings.extend(evaluation.warnings);
            let stored = Stored {
                output,
                quality: evaluation.quality,
                work: None,
                warnings,
            };
            rows.done(&content.loaded, style.name(), stored);
        }
        Ok(missing)
    }

    /// Makes and stores a content's images, with fewer at once when memory runs out.
    async fn convert(
        &self,
        content: &InHand<'_>,
        styles: &[UsableStyle<'_>],
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        let mut rest = styles;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.context.batch_limit.of(rest.len()));
            self.progress.begin(Stage::OutputStep);
            let names = now.iter().map(|style| style.name().to_owned());
            let (loaded, progress) = (Arc::clone(&content.loaded), Arc::clone(&self.progress));
            let backend = &self.context.backend;
            match backend.convert(loaded, names.collect(), progress).await {
                Ok(batch) => {
                    self.store(content, now, batch, rows).await?;
                    rest = later;
                }
                Err(error) if error.class() == FailureClass::BadOutput => {
                    let why = error.into_quarantine();
                    for style in rest {
                        rows.quarantined(content.name(), style.name(), &why);
                    }
                    return Ok(());
                }
                Err(error) if error.class() == FailureClass::Resources && now.len() > 1 => {
                    let outputs = self.context.batch_limit.lower(now.len());
                    tracing::warn!(
                        content = content.name(),
                        outputs,
                        "out of memory: fewer outputs in a pass from now on"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn store(
        &self,
        content: &InHand<'_>,
        styles: &[UsableStyle<'_>],
        batch: ConvertedBatch,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        // Work is divided among the outputs that have come of it.
        let outputs = batch.outputs.iter().filter(|output| output.is_ok()).count() as f64;
        let share = |duration: Duration| 1000.0 * duration.as_secs_f64() / outputs;
        let sha256_of = |output: &Result<ConvertedOutput, Quarantine>| match output {
            Ok(output) => digest::sha256(&output.png),
            Err(_) => String::new(),
        };
        let digests: Vec<String> = batch.outputs.iter().map(sha256_of).collect();
        let names = styles.iter().map(UsableStyle::name);
        let made_now: Vec<(&str, &str)> = names.zip(digests.iter().map(String::as_str)).collect();
        let outputs_made = batch.outputs.into_iter().zip(&digests);
        for (style, (output, sha256)) in styles.iter().zip(outputs_made) {
            let ConvertedOutput { png, mut warnings } = match output {
                Ok(output) => output,
                Err(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            let png = Bytes::from(png);
            let key = self.image_key(content.name(), style.name());
            rows.check_image(&item_of(content.name(), style.name()), &key, sha256)?;
            let span = rows::span(content.name(), style.name());
            // What has no figures is not stored, so it is evaluated first.
            let started = Instant::now();
            let evaluating = self.evaluate(&content.loaded, &key, png.clone());
            let evaluation = match evaluating.instrument(span.clone()).await? {
                Ok(evaluation) => evaluation,
                Err(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            warnings.extend(evaluation.warnings);
            let (evaluated_in, started) = (started.elapsed(), Instant::now());
            self.progress.begin(Stage::Store);
            if let Err(why) = self.store_label(content, rows).await? {
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            self.note(content, &made_now, rows).await?;
            if let Err(error) = self.storage.create(&key, png).instrument(span).await {
                let why = AttemptError::from(error).of_item()?;
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            let work = Work {
                unet_evaluations: batch.evaluations as f64 / outputs,
                style_evaluations: style.evaluations as f64,
                load_ms: share(content.loaded.elapsed),
                encode_ms: share(batch.encode),
                denoise_ms: share(batch.denoise),
                decode_ms: share(batch.decode),
                store_ms: 1000.0 * started.elapsed().as_secs_f64(),
                quality_ms: 1000.0 * evaluated_in.as_secs_f64(),
            };
            let stored = Stored {
                output: self.output(content, style.listing, sha256.clone()),
                quality: evaluation.quality,
                work: Some(work),
                warnings,
            };
            rows.done(&content.loaded, style.name(), stored);
        }
        Ok(())
    }

    fn run(&self) -> &RunId {
        &self.task.run
    }

    fn image_key(&self, content: &str, style: &str) -> ArtifactKey {
        ArtifactKey::Image(
            self.run().clone(),
            ItemId {
                style: style.to_owned(),
                content: content.to_owned(),
            },
        )
    }

    fn output(&self, content: &InHand<'_>, style: &DatasetEntry, image_sha256: String) -> Output {
        Output {
            image_key: self.image_key(content.name(), style.name()).path(),
            label_key: ArtifactKey::Label(self.run().clone(), content.name().to_owned()).path(),
            width: self.context.size.width as u32,
            height: self.context.size.height as u32,
            image_sha256,
            label_sha256: content.digests.label_sha256.clone(),
        }
    }
}

/// A content whose items are being made.
struct InHand<'a> {
    listing: &'a DatasetEntry,
    loaded: Arc<LoadedInput>,
    /// Its label as it is stored.
    label: Bytes,
    digests: ContentDigests,
    label_is_stored: OnceCell<()>,
}

impl<'a> InHand<'a> {
    /// Returns a content in hand; none if it has no label that could be stored.
    fn new(listing: &'a DatasetEntry, loaded: Arc<LoadedInput>) -> Option<Self> {
        let label = Bytes::from(loaded.prepared.stored_label.clone()?);
        Some(Self {
            digests: ContentDigests {
                image_sha256: loaded.image_sha256.clone(),
                label_sha256: digest::sha256(&label),
            },
            label_is_stored: OnceCell::new(),
            label,
            listing,
            loaded,
        })
    }

    fn name(&self) -> &str {
        self.listing.name()
    }
}

//! One try at a shard, from its inputs to its commit.
//!
//! Labels and images are stored as they are made; the shard's manifest rows are stored last, and their presence is the
//! commit. A later try finds what is stored and makes only what is missing.

mod error;
mod goal;
mod inputs;
mod judging;
mod making;
mod outputs_at_once;
mod ports;
mod repair;
mod rows;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
pub use error::AttemptError;
pub use goal::Goal;
pub use inputs::Datasets;
pub use outputs_at_once::OutputsAtOnce;
pub use ports::{
    InputKind, Inputs, Judge, LoadedInput, Made, MadeOutput, Maker, Part, Progress, Quarantine,
    Unusable,
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
use shared::warning::ItemWarning;
use tokio::sync::OnceCell;
use tracing::Instrument;

use self::goal::check_same_images;
use self::repair::Expected;
use self::rows::{RowMaker, Stored, item_of};
use shared::model::ImageSize;

/// What attempts at the shards of a run need.
#[derive(Clone)]
pub struct Tools {
    /// Where inputs come from.
    pub inputs: Arc<dyn Inputs>,
    /// What makes outputs.
    pub maker: Arc<dyn Maker>,
    /// What judges them.
    pub judge: Arc<dyn Judge>,
    /// The model's sizes.
    pub size: ImageSize,
    /// What fits in the memory of what makes them.
    pub outputs_at_once: OutputsAtOnce,
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
    /// What makes them.
    pub tools: &'a Tools,
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
        self.progress.begin(Part::Store);
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
            match self.record_style(style).await? {
                Ok(style_evaluations) => usable.push((style, style_evaluations)),
                Err(why) => rows.quarantined(content.name(), style.name(), &why),
            }
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
            self.progress.begin(Part::Store);
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
            // Nobody knows what it was made from: it is made again, and storage compares both.
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
            let judged = match self.judge(&content.loaded, &key, image).await {
                Ok(Ok(judged)) => judged,
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
            warnings.extend(judged.warnings);
            let stored = Stored {
                output,
                quality: judged.quality,
                work: None,
                warnings,
            };
            rows.done(&content.loaded, style.name(), stored);
        }
        Ok(missing)
    }

    /// Records a style unless it has been; returns the evaluations it took, or why the style cannot be used.
    async fn record_style(
        &self,
        style: &DatasetEntry,
    ) -> Result<Result<u64, Quarantine>, AttemptError> {
        let maker = &self.tools.maker;
        if maker.has_style(style.name()).await? {
            return Ok(Ok(0));
        }
        let loaded = match self.load(InputKind::Style, style).await? {
            Ok(loaded) => loaded,
            Err(why) => return Ok(Err(why)),
        };
        self.progress.begin(Part::StyleStep);
        let progress = Arc::clone(&self.progress);
        match maker.record_style(loaded, progress).await {
            Ok(evaluations) => Ok(Ok(evaluations)),
            Err(error) if error.class() == FailureClass::BadOutput => {
                Ok(Err(error.into_quarantine()))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the warnings of an item that an earlier attempt stored, so that its row says what that attempt's would.
    async fn warnings_of_stored(
        &self,
        content: &Arc<LoadedInput>,
        style: &DatasetEntry,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        let style = match self.load(InputKind::Style, style).await? {
            Ok(style) => style,
            Err(_) => return Ok(Vec::new()),
        };
        self.tools.maker.warnings(Arc::clone(content), style).await
    }

    /// Makes and stores a content's images, with fewer at once when memory runs out.
    async fn convert(
        &self,
        content: &InHand<'_>,
        styles: &[(&DatasetEntry, u64)],
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        let mut rest = styles;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.tools.outputs_at_once.of(rest.len()));
            self.progress.begin(Part::OutputStep);
            let names = now.iter().map(|(style, _)| style.name().to_owned());
            let made = self
                .tools
                .maker
                .convert(
                    Arc::clone(&content.loaded),
                    names.collect(),
                    Arc::clone(&self.progress),
                )
                .await;
            match made {
                Ok(made) => {
                    self.store(content, now, made, rows).await?;
                    rest = later;
                }
                Err(error) if error.class() == FailureClass::BadOutput => {
                    let why = error.into_quarantine();
                    for (style, _) in rest {
                        rows.quarantined(content.name(), style.name(), &why);
                    }
                    return Ok(());
                }
                Err(error) if error.class() == FailureClass::Resources && now.len() > 1 => {
                    let outputs = self.tools.outputs_at_once.lower(now.len());
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
        styles: &[(&DatasetEntry, u64)],
        made: Made,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        // Work is divided among the outputs that have come of it.
        let outputs = made.outputs.iter().filter(|output| output.is_ok()).count() as f64;
        let share = |duration: Duration| 1000.0 * duration.as_secs_f64() / outputs;
        let sha256_of = |output: &Result<MadeOutput, Quarantine>| match output {
            Ok(made) => digest::sha256(&made.png),
            Err(_) => String::new(),
        };
        let digests: Vec<String> = made.outputs.iter().map(sha256_of).collect();
        let names = styles.iter().map(|(style, _)| style.name());
        let made_now: Vec<(&str, &str)> = names.zip(digests.iter().map(String::as_str)).collect();
        let outputs_made = made.outputs.into_iter().zip(&digests);
        for ((style, style_evaluations), (output, sha256)) in styles.iter().zip(outputs_made) {
            let MadeOutput { png, mut warnings } = match output {
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
            // What has no figures is not stored, so it is judged first.
            let started = Instant::now();
            let judging = self.judge(&content.loaded, &key, png.clone());
            let judged = match judging.instrument(span.clone()).await? {
                Ok(judged) => judged,
                Err(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            warnings.extend(judged.warnings);
            let (judging, started) = (started.elapsed(), Instant::now());
            self.progress.begin(Part::Store);
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
                unet_evaluations: made.evaluations as f64 / outputs,
                style_evaluations: *style_evaluations as f64,
                load_ms: share(content.loaded.elapsed),
                encode_ms: share(made.encode),
                denoise_ms: share(made.denoise),
                decode_ms: share(made.decode),
                store_ms: 1000.0 * started.elapsed().as_secs_f64(),
                quality_ms: 1000.0 * judging.as_secs_f64(),
            };
            let stored = Stored {
                output: self.output(content, style, sha256.clone()),
                quality: judged.quality,
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
            width: self.tools.size.width as u32,
            height: self.tools.size.height as u32,
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

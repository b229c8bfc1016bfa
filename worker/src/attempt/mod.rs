//! One try at a shard, from its inputs to its commit.
//!
//! Labels and images are stored as they are made; the shard's manifest rows are stored last, and their presence is the
//! commit. A later try finds what is stored and makes only what is missing.

mod error;
mod inputs;
mod rows;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
pub use error::AttemptError;
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::{ItemId, RunId, ShardId};
use shared::manifest::{self, ManifestRow, Output, Work};
use shared::storage::{Storage, StorageErrorKind};

use self::inputs::{LoadedInput, Unusable};
use self::rows::RowMaker;
use crate::conversion::{Converted, Source};
use crate::dataset::{ImageSize, Listing, encode_png};
use crate::engine::EngineError;
use crate::engine_thread::EngineThread;
use crate::method::denoise::{Observer, StepRecord};

/// What an attempt needs beside its task.
pub struct Worker {
    /// The run.
    pub run: RunId,
    /// Where artifacts go.
    pub storage: Arc<dyn Storage>,
    /// The engine.
    pub engine: EngineThread,
    /// The model's sizes.
    pub size: ImageSize,
    /// Folder of the contents.
    pub content_root: PathBuf,
    /// Folder of the styles.
    pub style_root: PathBuf,
    /// What every row says about the run and this process.
    pub provenance: Provenance,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// Set to finish the item in hand and stop.
    pub stop: Arc<AtomicBool>,
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
}

/// A shard to be made: every content in every style.
#[derive(Debug, Clone)]
pub struct ShardTask {
    /// Its id.
    pub shard: ShardId,
    /// Number of this try, from 1.
    pub attempt: u32,
    /// The contents.
    pub contents: Vec<Listing>,
    /// The styles.
    pub styles: Vec<Listing>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum ShardOutcome {
    /// The shard is committed with these rows.
    Committed(Vec<ManifestRow>),
    /// It was told to stop; what is stored is kept.
    Stopped,
}

/// Somebody who is told how an attempt goes.
pub trait Progress: Send + Sync {
    /// A style branch took a step.
    fn style_step(&self) {}
    /// A pass over a content and its outputs took a step for one output.
    fn output_step(&self) {}
    /// An item has its row.
    fn item(&self, _row: &ManifestRow) {}
}

/// Nobody.
impl Progress for () {}

impl Worker {
    /// Makes a shard.
    ///
    /// # Errors
    ///
    /// [`AttemptError`]; its class says what it leads to. Bad inputs are no errors: they are rows.
    pub async fn attempt(&self, task: &ShardTask) -> Result<ShardOutcome, AttemptError> {
        let mut rows = RowMaker::new(self, task);
        for content in &task.contents {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(ShardOutcome::Stopped);
            }
            self.make_items(task, content, &mut rows).await?;
        }
        let rows = rows.finish();
        let bytes = manifest::write(rows.clone())?;
        let key = ArtifactKey::Shard(self.run.clone(), task.shard);
        match self.storage.create(&key, Bytes::from(bytes)).await {
            Ok(_) => Ok(ShardOutcome::Committed(rows)),
            // Another attempt committed first; its rows differ in times alone, and they are the ones that count.
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                let there = manifest::read(self.storage.read(&key).await?)?;
                tracing::info!(shard = %task.shard, "another attempt has committed the shard");
                Ok(ShardOutcome::Committed(there))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn make_items(
        &self,
        task: &ShardTask,
        content: &Listing,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        rows.begin_content();
        let loaded = match inputs::load(&self.content_root, content, self.size).await {
            Ok(loaded) => Arc::new(loaded),
            Err(Unusable::Input(reason)) => {
                for style in &task.styles {
                    rows.quarantined(content.name(), style.name(), &reason);
                }
                return Ok(());
            }
            Err(Unusable::Transient(error)) => return Err(error),
        };
        let label_key = ArtifactKey::Label(self.run.clone(), content.name().to_owned());
        let label = Bytes::from(loaded.prepared.stored_label.clone());
        let label_sha256 = digest::sha256(&label);
        self.storage.create(&label_key, label).await?;

        let mut missing = Vec::new();
        for style in &task.styles {
            let key = self.image_key(content.name(), style.name());
            match self.storage.read(&key).await {
                // A damaged one is made again, and refused by storage with its name: nothing stored is rewritten.
                Ok(image) if image::load_from_memory(&image).is_err() => missing.push(style),
                Ok(image) => {
                    let output = self.output(content, style, digest::sha256(&image), &label_sha256);
                    let warning = self.warning_of_stored(&loaded, style).await?;
                    rows.done(&loaded, style.name(), output, None, warning);
                }
                Err(error) if error.kind == StorageErrorKind::NotFound => missing.push(style),
                Err(error) => return Err(error.into()),
            }
        }
        let mut usable = Vec::new();
        for style in missing {
            match self.record_style(style).await? {
                Ok(style_evaluations) => usable.push((style, style_evaluations)),
                Err(reason) => rows.quarantined(content.name(), style.name(), &reason),
            }
        }
        let mut in_pass = usable.len().max(1);
        let mut rest = usable.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(in_pass.min(rest.len()));
            match self.convert(&loaded, now).await {
                Ok(made) => {
                    self.store(&loaded, content, now, made, &label_sha256, rows)
                        .await?;
                    rest = later;
                }
                Err(error) if error.class() == FailureClass::Resources && now.len() > 1 => {
                    in_pass = now.len() / 2;
                    tracing::warn!(
                        content = content.name(),
                        outputs = in_pass,
                        "out of memory: fewer outputs in a pass"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Records a style unless it has been; returns the evaluations it took, or why the style cannot be used.
    async fn record_style(&self, style: &Listing) -> Result<Result<u64, String>, AttemptError> {
        let name = style.name().to_owned();
        if self
            .engine
            .call(move |converter| converter.has_style(&name))
            .await?
        {
            return Ok(Ok(0));
        }
        let loaded = match inputs::load(&self.style_root, style, self.size).await {
            Ok(loaded) => loaded,
            Err(Unusable::Input(reason)) => return Ok(Err(reason)),
            Err(Unusable::Transient(error)) => return Err(error),
        };
        let evaluations = self
            .engine
            .call(move |converter| -> Result<u64, EngineError> {
                let before = converter.evaluations();
                let noise = converter.style_noise(&loaded.name);
                let source = Source {
                    name: &loaded.name,
                    prepared: &loaded.prepared,
                    noise: &noise,
                };
                converter.record_style(&source)?;
                Ok(converter.evaluations() - before)
            })
            .await??;
        (0..evaluations).for_each(|_| self.progress.style_step());
        Ok(Ok(evaluations))
    }

    /// Returns the warning of an item that an earlier attempt stored, so that its row says what that attempt's would.
    async fn warning_of_stored(
        &self,
        content: &Arc<LoadedInput>,
        style: &Listing,
    ) -> Result<Option<String>, AttemptError> {
        let style = match inputs::load(&self.style_root, style, self.size).await {
            Ok(style) => style,
            Err(Unusable::Input(_)) => return Ok(None),
            Err(Unusable::Transient(error)) => return Err(error),
        };
        let content = Arc::clone(content);
        let warning = self.engine.call(move |converter| {
            let labels = style.prepared.label_latent.view();
            converter.warning_of_labels(&content.prepared, labels)
        });
        Ok(warning.await?)
    }

    async fn convert(
        &self,
        content: &Arc<LoadedInput>,
        styles: &[(&Listing, u64)],
    ) -> Result<Made, AttemptError> {
        let names: Vec<String> = styles
            .iter()
            .map(|(style, _)| style.name().to_owned())
            .collect();
        let (content, progress) = (Arc::clone(content), Arc::clone(&self.progress));
        let made = self
            .engine
            .call(move |converter| -> Result<Made, AttemptError> {
                let noise = converter.content_noise(&content.name);
                let source = Source {
                    name: &content.name,
                    prepared: &content.prepared,
                    noise: &noise,
                };
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let converted =
                    converter.convert(&source, &names, &mut Steps(progress.as_ref()))?;
                let warnings = names
                    .iter()
                    .map(|style| converter.warning(&content.prepared, style))
                    .collect();
                let started = Instant::now();
                let pngs = converted
                    .images
                    .iter()
                    .map(|image| encode_png(image.view()))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(AttemptError::Encode)?;
                Ok(Made {
                    pngs,
                    warnings,
                    encode_png: started.elapsed(),
                    converted,
                })
            })
            .await??;
        Ok(made)
    }

    async fn store(
        &self,
        loaded: &LoadedInput,
        content: &Listing,
        styles: &[(&Listing, u64)],
        made: Made,
        label_sha256: &str,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        let outputs = styles.len() as f64;
        let share = |duration: Duration| 1000.0 * duration.as_secs_f64() / outputs;
        for (((style, style_evaluations), png), warning) in
            styles.iter().zip(made.pngs).zip(made.warnings)
        {
            let started = Instant::now();
            let sha256 = digest::sha256(&png);
            self.storage
                .create(
                    &self.image_key(content.name(), style.name()),
                    Bytes::from(png),
                )
                .await?;
            let work = Work {
                unet_evaluations: made.converted.evaluations as f64 / outputs,
                style_evaluations: *style_evaluations as f64,
                load_ms: share(loaded.elapsed),
                encode_ms: share(made.converted.encode),
                denoise_ms: share(made.converted.denoise),
                decode_ms: share(made.converted.decode + made.encode_png),
                store_ms: 1000.0 * started.elapsed().as_secs_f64(),
            };
            let output = self.output(content, style, sha256, label_sha256);
            rows.done(loaded, style.name(), output, Some(work), warning);
        }
        Ok(())
    }

    fn image_key(&self, content: &str, style: &str) -> ArtifactKey {
        ArtifactKey::Image(
            self.run.clone(),
            ItemId {
                style: style.to_owned(),
                content: content.to_owned(),
            },
        )
    }

    fn output(
        &self,
        content: &Listing,
        style: &Listing,
        image_sha256: String,
        label_sha256: &str,
    ) -> Output {
        Output {
            image_key: self.image_key(content.name(), style.name()).path(),
            label_key: ArtifactKey::Label(self.run.clone(), content.name().to_owned()).path(),
            width: self.size.width as u32,
            height: self.size.height as u32,
            image_sha256,
            label_sha256: label_sha256.to_owned(),
        }
    }
}

struct Made {
    pngs: Vec<Vec<u8>>,
    warnings: Vec<Option<String>>,
    encode_png: Duration,
    converted: Converted,
}

/// Passes steps on to progress.
struct Steps<'a>(&'a dyn Progress);

impl Observer for Steps<'_> {
    fn step(&mut self, _: &StepRecord<'_>) {
        self.0.output_step();
    }
}

//! A fake engine that makes tiny images from a hash: for tests of everything around the engine.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use coordinator::run::freeze::FrozenRun;
use coordinator::work::embedded::{EmbeddedRun, Stopped};
use engine::{EngineError, RuntimeError};
use imaging::{NamedBytes, Prepared, decode_image, encode_png};
use method::denoise::At;
use method::finite::{NotFinite, Quantity};
use ndarray::{Array2, Array3};
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::digest;
use shared::failure::FailureClass;
use shared::item_metric::{ItemMetric, PerMetric};
use shared::manifest::Quality;
use shared::model::ImageSize;
use shared::queue::InProcessBroker;
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use shared::warning::ItemWarning;
use tokio_util::sync::CancellationToken;
use worker::attempt::{
    AttemptError, BatchLimit, ConversionBackend, ConvertedBatch, ConvertedOutput, Evaluator,
    InputKind, Inputs, LoadedInput, Progress, Quarantine, RunContext, Unusable,
};
use worker::evaluation::{Evaluation, EvaluationError};
use worker::run_context::{RunContextError, RunContextProvider};

/// Makes what is open of a run, as `synth2real run` does in one process; returns why it stopped.
///
/// # Panics
///
/// If nothing will work.
pub async fn make(
    storage: &Arc<dyn Storage>,
    run: &FrozenRun,
    engine: &Arc<FakeEngine>,
) -> Stopped {
    let embedded = EmbeddedRun {
        run,
        storage: Arc::clone(storage),
        broker: InProcessBroker::with_delivery_limit(u64::MAX),
        run_contexts: Arc::new(FakeContextProvider(Arc::clone(engine))),
        repairs: BTreeSet::new(),
        progress: Arc::new(()),
        drain: CancellationToken::new(),
    };
    embedded.go().await.expect("a run that can go on")
}

/// Contents whose names begin so are quarantined, until they are mended.
pub const BAD: &str = "bad";
/// Contents whose names begin so are quarantined as missing, until they are mended.
pub const GONE: &str = "gone";
/// Contents whose names begin so cannot be read while they are away.
pub const AWAY: &str = "away";
/// Contents whose names begin so fail at every attempt.
pub const CURSED: &str = "cursed";

/// Contents whose names begin so are never finished.
pub const HANGING: &str = "hanging";
/// Contents whose names begin so show that nothing works here.
pub const FATAL: &str = "fatal";
/// Contents whose names begin so may not be stored, as other objects may.
pub const DENIED: &str = "denied";
/// Contents and styles whose names begin so give numbers that are not finite, and their items are quarantined.
pub const BROKEN: &str = "broken";
/// Outputs in styles whose names begin so have numbers that are not finite, and are quarantined.
pub const OVERFLOWING: &str = "overflowing";
/// Outputs of contents whose names begin so are given no figures by networks.
pub const UNJUDGED: &str = "unjudged";
/// Outputs of contents whose names begin so have no similarity that is a number.
pub const UNCERTAIN: &str = "uncertain";

/// Sizes of what it makes.
const SIZE: ImageSize = ImageSize {
    width: 8,
    height: 4,
    latent_width: 1,
    latent_height: 1,
};

/// A fake engine that makes tiny images from a hash, after a time.
#[derive(Debug, Default)]
pub struct FakeEngine {
    /// Time that a conversion takes.
    pub takes: Duration,
    /// Outputs of a content that fit in its memory at once; none if any number does.
    fits: Option<usize>,
    batch_limit: BatchLimit,
    /// How many it was asked for at once, each time.
    passes: Mutex<Vec<usize>>,
    conversions: AtomicU64,
    /// Styles that it was asked to record.
    records: AtomicU64,
    /// Whether its inputs were mended.
    mended: AtomicBool,
    /// Whether inputs are away that can be.
    away: AtomicBool,
    /// Whether every conversion fails.
    cursed: AtomicBool,
}

impl FakeEngine {
    /// Returns an engine whose conversions take a time.
    #[must_use]
    pub fn new(takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            takes,
            ..Self::default()
        })
    }

    /// Returns an engine in whose memory some outputs of a content fit at once.
    #[must_use]
    pub fn that_fits(outputs: usize) -> Arc<Self> {
        Arc::new(Self {
            fits: Some(outputs),
            ..Self::default()
        })
    }

    /// Returns how many outputs it was asked for at once, each time.
    ///
    /// # Panics
    ///
    /// If a test has panicked meanwhile.
    pub fn passes(&self) -> Vec<usize> {
        self.passes.lock().expect("no holder panics").clone()
    }

    /// Notes a pass; returns whether it fits in memory.
    fn begins(&self, outputs: usize) -> bool {
        let mut passes = self.passes.lock().expect("no holder panics");
        passes.push(outputs);
        self.fits.is_none_or(|fits| outputs <= fits)
    }

    /// Returns how often it was asked to record a style.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Mends every bad input.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::Relaxed);
    }

    /// Takes inputs away that can be, or brings them back.
    pub fn take_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Lets every conversion fail, or no longer.
    pub fn curse(&self, cursed: bool) {
        self.cursed.store(cursed, Ordering::Relaxed);
    }

    /// Returns how many images it has made.
    pub fn conversions(&self) -> u64 {
        self.conversions.load(Ordering::Relaxed)
    }
}

/// Returns the image that it makes of a content and a style.
///
/// # Panics
///
/// Never: the image has its size.
#[must_use]
pub fn image(content: &str, style: &str) -> Vec<u8> {
    let bytes = digest::sha256(format!("{content}/{style}").as_bytes()).into_bytes();
    let pixels = bytes
        .iter()
        .cycle()
        .copied()
        .take(SIZE.width * SIZE.height * 3);
    let image = Array3::from_shape_vec((SIZE.height, SIZE.width, 3), pixels.collect());
    encode_png(image.expect("as many pixels as the image has").view()).expect("a small image")
}

/// Gives every run a context with the same fake engine.
#[derive(Debug, Clone)]
pub struct FakeContextProvider(pub Arc<FakeEngine>);

struct FakeEngineHandle(Arc<FakeEngine>);

#[async_trait]
impl RunContextProvider for FakeContextProvider {
    async fn load(&self, _: &RunRecord, _: &ChangedInputs) -> Result<RunContext, RunContextError> {
        Ok(RunContext {
            inputs: Arc::new(FakeEngineHandle(Arc::clone(&self.0))),
            backend: Arc::new(FakeEngineHandle(Arc::clone(&self.0))),
            evaluator: Arc::new(FakeEngineHandle(Arc::clone(&self.0))),
            size: SIZE,
            batch_limit: self.0.batch_limit.clone(),
        })
    }

    fn device(&self) -> String {
        "fake".to_owned()
    }
}

#[async_trait]
impl Inputs for FakeEngineHandle {
    async fn load(&self, _: InputKind, listing: &DatasetEntry) -> Result<LoadedInput, Unusable> {
        let name = listing.name().to_owned();
        if name.starts_with(AWAY) && self.0.away.load(Ordering::Relaxed) {
            return Err(Unusable::Away(format!("{name} is away")));
        }
        let class = match name.as_str() {
            name if name.starts_with(BAD) => Some((FailureClass::BadInput, "damaged")),
            name if name.starts_with(GONE) => Some((FailureClass::Missing, "gone")),
            _ => None,
        };
        if let Some((class, how)) = class
            && !self.0.mended.load(Ordering::Relaxed)
        {
            return Err(Unusable::Quarantine(Quarantine {
                class,
                reason: format!("{name} is {how}"),
            }));
        }
        let prepared = Prepared {
            image: Array3::zeros((1, 1, 3)),
            label: Array2::zeros((1, 1)),
            label_latent: Array2::zeros((1, 1)),
            stored_label: Some(image(&name, "label")),
            warnings: Vec::new(),
        };
        Ok(LoadedInput {
            image_sha256: digest::sha256(name.as_bytes()),
            file: format!("{name}.png"),
            name,
            prepared,
            elapsed: Duration::ZERO,
        })
    }
}

#[async_trait]
impl ConversionBackend for FakeEngineHandle {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        Ok(!name.starts_with(BROKEN))
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        _: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        self.0.records.fetch_add(1, Ordering::Relaxed);
        match style.name.starts_with(BROKEN) {
            true => Err(not_finite(format!("style {}", style.name)).into()),
            false => Ok(1),
        }
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError> {
        if !self.0.takes.is_zero() {
            tokio::time::sleep(self.0.takes).await;
        }
        let fail = |kind| {
            Err(AttemptError::Storage(StorageError {
                kind,
                operation: "convert",
                path: content.name.clone(),
                source: None,
            }))
        };
        if !self.0.begins(styles.len()) {
            return Err(AttemptError::Engine(EngineError::Run {
                part: "the fake engine".to_owned(),
                source: RuntimeError::new("failed to allocate memory"),
            }));
        }
        match content.name.as_str() {
            _ if self.0.cursed.load(Ordering::Relaxed) => {
                return fail(StorageErrorKind::Unavailable);
            }
            name if name.starts_with(CURSED) => return fail(StorageErrorKind::Unavailable),
            name if name.starts_with(FATAL) => return fail(StorageErrorKind::Full),
            name if name.starts_with(DENIED) => return fail(StorageErrorKind::Denied),
            name if name.starts_with(HANGING) => std::future::pending().await,
            name if name.starts_with(BROKEN) => {
                return Err(not_finite(format!("content {name}")).into());
            }
            _ => {}
        }
        styles.iter().for_each(|_| progress.output_step());
        let made = |style: &String| {
            if style.starts_with(OVERFLOWING) {
                let error = not_finite(format!(
                    "the output of content {} in style {style}",
                    content.name
                ));
                return Err(Quarantine::of(&error, error.class()));
            }
            self.0.conversions.fetch_add(1, Ordering::Relaxed);
            Ok(ConvertedOutput {
                png: image(&content.name, style),
                warnings: Vec::new(),
            })
        };
        Ok(ConvertedBatch {
            outputs: styles.iter().map(made).collect(),
            evaluations: styles.len() as u64,
            encode: Duration::ZERO,
            denoise: self.0.takes,
            in_unet: self.0.takes,
            decode: Duration::ZERO,
        })
    }

    async fn warnings(
        &self,
        _: Arc<LoadedInput>,
        _: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        Ok(Vec::new())
    }
}

/// Returns the figures that the fake engine gives an image: a function of its bytes.
#[must_use]
pub fn quality(png: &[u8]) -> Quality {
    let digest = digest::sha256(png).into_bytes();
    let mut figures = PerMetric::default();
    figures[ItemMetric::Ssim] = Some(f64::from(digest[0]) / 256.0);
    Quality {
        figures,
        train_ids: vec![digest[1] % 4],
        features: Some(digest[..3].iter().map(|&byte| f32::from(byte)).collect()),
    }
}

fn not_finite(what: String) -> EngineError {
    let at = At {
        step: 3,
        timestep: 421,
    };
    EngineError::NotFinite {
        what,
        numbers: NotFinite {
            quantity: Quantity::NoisePrediction(at),
            num_bad: 1,
            num_values: 4,
        },
        cure: "the fake engine has no cure",
    }
}

#[async_trait]
impl Evaluator for FakeEngineHandle {
    async fn evaluate(
        &self,
        content: Arc<LoadedInput>,
        png: Bytes,
    ) -> Result<Evaluation, EvaluationError> {
        decode_image(NamedBytes {
            name: "the output",
            bytes: &png,
        })?;
        let mut quality = quality(&png);
        if content.name.starts_with(UNJUDGED) {
            quality.figures[ItemMetric::Lpips] = Some(f64::NAN);
            quality.features = Some(vec![1.0, f32::INFINITY, 2.0]);
        }
        if content.name.starts_with(UNCERTAIN) {
            quality.figures[ItemMetric::Ssim] = Some(f64::NAN);
        }
        Ok(Evaluation {
            quality,
            warnings: Vec::new(),
        })
    }
}

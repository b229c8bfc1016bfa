//! Run contexts: the model of a run loaded, its datasets opened, so that its shards can be worked on.
//!
//! - `backend`: the engine as an attempt uses it; `translator`: one network that converts; `baseline`: methods without a
//!   model; `recorded_styles`: what the latter two keep
//! - `networks`: those that judge outputs, loaded; `evaluator`: as an attempt uses them
//! - `class_maps`: what maps the classes of styles without labels, loaded, as an attempt uses it
//! - `key`: which runs share a context

mod backend;
mod baseline;
pub mod class_maps;
mod evaluator;
mod key;
pub mod networks;
mod recorded_styles;
mod translator;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use shared::decision::ChangedInputs;
use shared::failure::{FailureClass, StorageUse};
use shared::location::Location;
use shared::model::{FILE as MODEL_FILE, ImageSize};
use shared::platform::Platform;
use shared::run_record::RunRecord;
use shared::settings::{DiffusionConfig, EngineConfig, MethodConfig};
use shared::source;
use shared::storage::{StorageError, StorageErrorKind};

use self::backend::EngineBackend;
use self::baseline::BaselineBackend;
use self::key::ContextKey;
use self::translator::TranslatorBackend;
use crate::attempt::{ConversionBackend, Datasets, RunContext};
use crate::evaluation::QualityEvaluator;
use engine::conversion::Converter;
use engine::conversion::trial::Trial;
use engine::thread::EngineThread;
use engine::{Engine, EngineError};

/// Why the context of a run cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RunContextError {
    /// Its model, networks or datasets cannot be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Where its model or a network should be in a bucket is nothing at all.
    #[error("nothing is below {0}: is it the right bucket, and is everything uploaded?")]
    NothingThere(String),
    /// Its model cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its method has a model, and its record names none.
    #[error("the run's record names no model, and its method has one: it was altered")]
    NoModel,
    /// Nothing says where the network is that makes class maps.
    #[error(
        "{0} is absent, and the run maps the classes of styles without labels by it: put it back"
    )]
    NoClassMaps(&'static str),
    /// Its model, or a network that evaluates its outputs or maps classes, is another one than the run was planned with.
    #[error(
        "{path} has SHA-256 {found}, and the run was planned with {planned}: put that one back, or give a new run \
         another run.name"
    )]
    OtherModel {
        /// Where it is.
        path: String,
        /// Digest of its contract.
        found: String,
        /// Digest that the run's record says.
        planned: String,
    },
}

impl RunContextError {
    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Storage(error) => FailureClass::of_storage(error.kind, StorageUse::RunContext),
            Self::NothingThere(_) => FailureClass::Transient,
            Self::Engine(error) => error.class(),
            Self::NoModel | Self::NoClassMaps(_) | Self::OtherModel { .. } => {
                FailureClass::Unworkable
            }
        }
    }

    /// Returns whether the model, a network or a dataset is away: it is waited for as an input is, and says nothing about
    /// the run.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Storage(_) => self.class() == FailureClass::Transient,
            Self::NothingThere(_) => true,
            Self::Engine(error) => error.is_away(),
            Self::NoModel | Self::NoClassMaps(_) | Self::OtherModel { .. } => false,
        }
    }
}

/// Returns a folder of this machine with the model or network at a location, of which `contract` is the first file.
///
/// # Errors
///
/// [`RunContextError`] if it cannot be reached; if others of its files are there and the contract is not, `NotFound`.
async fn folder_of(
    at: &Location,
    contract: &str,
    cache_dir: &Path,
) -> Result<PathBuf, RunContextError> {
    let files = source::open(at).await?;
    let error = match source::local_folder(at, files.as_ref(), contract, cache_dir).await {
        Ok(folder) => return Ok(folder),
        Err(error) => error,
    };
    let is_empty =
        error.kind == StorageErrorKind::NotFound && files.list(Path::new("")).await?.is_empty();
    if is_empty {
        return Err(RunContextError::NothingThere(at.to_string()));
    }
    Err(error.into())
}

/// Loads the contexts of runs.
#[async_trait]
pub trait RunContextProvider: Send + Sync {
    /// Returns the context of a run, of whose inputs some may be others than it was planned with. Asking again for the
    /// same run is cheap.
    ///
    /// # Errors
    ///
    /// [`RunContextError`]; its class says what it leads to.
    async fn load(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<RunContext, RunContextError>;

    /// Returns the device on which outputs are made.
    fn device(&self) -> String;
}

/// What makes the outputs of a run, and what there is to say of it.
struct Loaded {
    backend: Arc<dyn ConversionBackend>,
    /// The size of outputs.
    size: ImageSize,
    platform: Platform,
    trial: Option<Trial>,
}

/// Loads contexts with what their methods convert with, such as a real engine. It holds that of one run at a time.
pub struct EngineContextProvider {
    config: EngineConfig,
    cache_max_bytes: u64,
    loaded: tokio::sync::Mutex<Option<(ContextKey, RunContext)>>,
}

impl EngineContextProvider {
    /// Returns a provider that has loaded nothing yet. Models and inputs of buckets are kept in the folder for caches,
    /// the inputs up to `cache_max_bytes`.
    #[must_use]
    pub fn new(config: EngineConfig, cache_max_bytes: u64) -> Self {
        Self {
            config,
            cache_max_bytes,
            loaded: tokio::sync::Mutex::new(None),
        }
    }

    async fn open(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<RunContext, RunContextError> {
        let Loaded {
            backend,
            size,
            platform,
            trial,
        } = self.backend(run).await?;
        let cache = (self.config.cache_dir.as_path(), self.cache_max_bytes);
        let datasets = datasets(run, changed, cache).await?;
        Ok(RunContext {
            inputs: Arc::new(datasets),
            backend,
            evaluator: Arc::new(QualityEvaluator::new(
                networks::load(run, &self.config).await?,
            )),
            class_maps: class_maps::load(run, size, &self.config).await?,
            size,
            platform,
            trial,
        })
    }

    /// Returns what makes the outputs of a run.
    async fn backend(&self, run: &RunRecord) -> Result<Loaded, RunContextError> {
        match &run.frozen.method {
            MethodConfig::Diffusion(method) => {
                let at = run.inputs.model.as_ref().ok_or(RunContextError::NoModel)?;
                let model = folder_of(at, MODEL_FILE, &self.config.cache_dir).await?;
                let engine = load_engine(model, (run, method), &self.config).await?;
                let told = engine.call(|converter| {
                    let trial = converter.trial().cloned();
                    (converter.size(), converter.platform(), trial)
                });
                let (size, platform, trial) = told.await.map_err(EngineError::Gone)?;
                Ok(Loaded {
                    backend: Arc::new(EngineBackend(engine)),
                    size,
                    platform,
                    trial,
                })
            }
            MethodConfig::Baseline(method) => {
                let backend = BaselineBackend::new(*method, run.frozen.shards.styles);
                Ok(Loaded {
                    backend: Arc::new(backend),
                    size: method.size(),
                    platform: Platform::default(),
                    trial: None,
                })
            }
            MethodConfig::Translator(method) => {
                let translator = translator::load(run, &self.config).await?;
                let size = translator.size();
                let platform = translator.platform.clone();
                let max_styles = run.frozen.shards.styles;
                let backend = TranslatorBackend::new(translator, method.seed, max_styles);
                Ok(Loaded {
                    backend: Arc::new(backend),
                    size,
                    platform,
                    trial: None,
                })
            }
        }
    }
}

/// Opens the datasets of a run, of whose inputs some may be others than it was planned with. What lies in buckets is kept in
/// a folder, up to so many bytes.
///
/// # Errors
///
/// [`RunContextError`] if one cannot be reached.
pub async fn datasets(
    run: &RunRecord,
    changed: &ChangedInputs,
    (cache_dir, cache_max_bytes): (&Path, u64),
) -> Result<Datasets, RunContextError> {
    let inputs = &run.inputs;
    Ok(Datasets {
        content: source::open_cached(&inputs.content, cache_dir, cache_max_bytes).await?,
        style: source::open_cached(&inputs.style, cache_dir, cache_max_bytes).await?,
        content_classes: run.frozen.content.classes.clone(),
        style_classes: run.frozen.style_classes.clone(),
        styles_sha256: changed.styles_sha256(&run.frozen.styles),
    })
}

async fn load_engine(
    folder: PathBuf,
    (run, method): (&RunRecord, &DiffusionConfig),
    config: &EngineConfig,
) -> Result<EngineThread, RunContextError> {
    let method = method.clone();
    let config = EngineConfig {
        // Of a run, and of no process.
        products: run.frozen.products,
        ..config.clone()
    };
    let path = folder.display().to_string();
    let engine = EngineThread::start(move || {
        Converter::new(Engine::load(&folder, &config)?, &method, &config)
    })
    .await?;
    let found = engine
        .call(|converter| converter.model_sha256().to_owned())
        .await
        .map_err(EngineError::Gone)?;
    let planned = run.frozen.model_sha256().to_owned();
    if found == planned {
        Ok(engine)
    } else {
        Err(RunContextError::OtherModel {
            path,
            found,
            planned,
        })
    }
}

#[async_trait]
impl RunContextProvider for EngineContextProvider {
    async fn load(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<RunContext, RunContextError> {
        let key = ContextKey::of(run, changed);
        let mut loaded = self.loaded.lock().await;
        if let Some((loaded_by, context)) = loaded.as_ref()
            && *loaded_by == key
        {
            return Ok(context.clone());
        }
        // The old engine goes first: two models may not fit into memory.
        *loaded = None;
        tracing::info!(run = %run.run, "getting model and datasets ready");
        let context = self.open(run, changed).await?;
        *loaded = Some((key, context.clone()));
        Ok(context)
    }

    fn device(&self) -> String {
        self.config.device.to_string()
    }
}

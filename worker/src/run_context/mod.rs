//! Run contexts: the model of a run loaded, its datasets opened, so that its shards can be worked on.
//!
//! - `backend`: the engine as an attempt uses it
//! - `networks`: those that judge outputs, loaded; `evaluator`: as an attempt uses them

mod backend;
mod evaluator;
pub mod networks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use shared::decision::{ChangedInputs, ChangedStyle};
use shared::failure::{FailureClass, StorageUse};
use shared::item_metric::PerMetric;
use shared::location::Location;
use shared::model::FILE as MODEL_FILE;
use shared::run_record::{RunInputs, RunRecord};
use shared::settings::EngineConfig;
use shared::source;
use shared::storage::{StorageError, StorageErrorKind};

use self::backend::EngineBackend;
use crate::attempt::{BatchLimit, Datasets, RunContext};
use crate::evaluation::QualityEvaluator;
use engine::conversion::Converter;
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
    /// Its model, or a network that evaluates its outputs, is another one than the run was planned with.
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
            Self::OtherModel { .. } => FailureClass::Unworkable,
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
            Self::OtherModel { .. } => false,
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

/// Loads contexts with a real engine. It holds that of one run at a time.
pub struct EngineContextProvider {
    config: EngineConfig,
    cache_max_bytes: u64,
    loaded: tokio::sync::Mutex<Option<(ContextKey, RunContext)>>,
}

/// What a context is loaded by: runs that agree in it share one.
#[derive(PartialEq)]
struct ContextKey {
    plan_hash: String,
    inputs: RunInputs,
    features: Option<Location>,
    of_metrics: PerMetric<Option<Location>>,
    segmenter: Option<Location>,
    /// What was recorded of a style that is another one since is of no use.
    changed_styles: BTreeMap<String, ChangedStyle>,
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
        let (inputs, cache_dir) = (&run.inputs, &self.config.cache_dir);
        let model = folder_of(&inputs.model, MODEL_FILE, cache_dir).await?;
        let engine = load_engine(model, run, &self.config).await?;
        let size = engine
            .call(|converter| converter.size())
            .await
            .map_err(EngineError::Gone)?;
        let datasets = Datasets {
            content: source::open_cached(&inputs.content, cache_dir, self.cache_max_bytes).await?,
            style: source::open_cached(&inputs.style, cache_dir, self.cache_max_bytes).await?,
            content_classes: run.frozen.content.classes.clone(),
            style_classes: run.frozen.style_classes.clone(),
            styles_sha256: changed.styles_sha256(&run.frozen.styles),
            size,
        };
        Ok(RunContext {
            inputs: Arc::new(datasets),
            backend: Arc::new(EngineBackend(engine)),
            evaluator: Arc::new(QualityEvaluator::new(
                networks::load(run, &self.config).await?,
            )),
            size,
            batch_limit: BatchLimit::default(),
        })
    }
}

async fn load_engine(
    folder: PathBuf,
    run: &RunRecord,
    config: &EngineConfig,
) -> Result<EngineThread, RunContextError> {
    let (method, config) = (run.frozen.method.clone(), config.clone());
    let path = folder.display().to_string();
    let engine = EngineThread::start(move || {
        Converter::new(Engine::load(&folder, &config)?, &method, &config)
    })
    .await?;
    let found = engine
        .call(|converter| converter.model_sha256().to_owned())
        .await
        .map_err(EngineError::Gone)?;
    let planned = run.frozen.model.sha256.clone();
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
        let key = ContextKey {
            plan_hash: run.plan_hash.clone(),
            inputs: run.inputs.clone(),
            features: run.quality.features.clone(),
            of_metrics: PerMetric::from_fn(|metric| run.quality.network_of(metric).cloned()),
            segmenter: run.quality.segmenter.clone(),
            changed_styles: changed.styles().clone(),
        };
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

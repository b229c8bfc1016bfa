//! What a worker needs to work on a run, got ready: its model loaded, its datasets opened.

mod backend;
mod judge;
pub mod networks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use shared::decision::{ChangedInputs, ChangedStyle};
use shared::failure::{FailureClass, Stage};
use shared::item_metric::PerMetric;
use shared::location::Location;
use shared::model::FILE as MODEL_FILE;
use shared::run_record::{RunInputs, RunRecord};
use shared::settings::EngineConfig;
use shared::source;
use shared::storage::{StorageError, StorageErrorKind};

use self::backend::EngineBackend;
use crate::attempt::{Datasets, OutputsAtOnce, Tools};
use crate::quality::OutputJudge;
use engine::conversion::Converter;
use engine::thread::EngineThread;
use engine::{Engine, EngineError};

/// Why a run's tools cannot be got ready.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// Its model, networks or datasets cannot be reached.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Where its model or a network should be in a bucket is nothing at all.
    #[error("nothing is below {0}: is it the right bucket, and is everything uploaded?")]
    NothingThere(String),
    /// Its model cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its model, or a network that judges its outputs, is another one than the run was planned with.
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

impl WorkshopError {
    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Storage(error) => FailureClass::of_storage(error.kind, Stage::Tools),
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
/// [`WorkshopError`] if it cannot be reached; if others of its files are there and the contract is not, `NotFound`.
async fn folder_of(
    at: &Location,
    contract: &str,
    cache_dir: &Path,
) -> Result<PathBuf, WorkshopError> {
    let files = source::open(at).await?;
    let error = match source::local_folder(at, files.as_ref(), contract, cache_dir).await {
        Ok(folder) => return Ok(folder),
        Err(error) => error,
    };
    let is_empty =
        error.kind == StorageErrorKind::NotFound && files.list(Path::new("")).await?.is_empty();
    if is_empty {
        return Err(WorkshopError::NothingThere(at.to_string()));
    }
    Err(error.into())
}

/// Somebody who gets a run's tools ready.
#[async_trait]
pub trait Workshop: Send + Sync {
    /// Returns the tools for a run, of whose inputs some are others than it was planned with. Asking again for the same
    /// run is cheap.
    ///
    /// # Errors
    ///
    /// [`WorkshopError`]; its class says what it leads to.
    async fn tools(&self, run: &RunRecord, changed: &ChangedInputs)
    -> Result<Tools, WorkshopError>;

    /// Returns the device on which outputs are made.
    fn device(&self) -> String;
}

/// The workshop with a real engine. It holds one run's tools at a time.
pub struct EngineWorkshop {
    config: EngineConfig,
    cache_max_bytes: u64,
    ready: tokio::sync::Mutex<Option<(Purpose, Tools)>>,
}

/// What tools are for: runs that agree in it share them.
#[derive(PartialEq)]
struct Purpose {
    plan_hash: String,
    inputs: RunInputs,
    features: Option<Location>,
    of_metrics: PerMetric<Option<Location>>,
    /// What was recorded of a style that is another one since is of no use.
    changed_styles: BTreeMap<String, ChangedStyle>,
}

impl EngineWorkshop {
    /// Returns a workshop in which nothing is ready yet. Models and inputs of buckets are kept in the folder for caches,
    /// the inputs up to `cache_max_bytes`.
    #[must_use]
    pub fn new(config: EngineConfig, cache_max_bytes: u64) -> Self {
        Self {
            config,
            cache_max_bytes,
            ready: tokio::sync::Mutex::new(None),
        }
    }

    async fn open(&self, run: &RunRecord, changed: &ChangedInputs) -> Result<Tools, WorkshopError> {
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
            styles_sha256: changed.styles_sha256(&run.frozen.styles),
            size,
        };
        Ok(Tools {
            inputs: Arc::new(datasets),
            maker: Arc::new(EngineBackend(engine)),
            judge: Arc::new(OutputJudge::new(networks::load(run, &self.config).await?)),
            size,
            outputs_at_once: OutputsAtOnce::default(),
        })
    }
}

async fn load_engine(
    folder: PathBuf,
    run: &RunRecord,
    config: &EngineConfig,
) -> Result<EngineThread, WorkshopError> {
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
        Err(WorkshopError::OtherModel {
            path,
            found,
            planned,
        })
    }
}

#[async_trait]
impl Workshop for EngineWorkshop {
    async fn tools(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<Tools, WorkshopError> {
        let purpose = Purpose {
            plan_hash: run.plan_hash.clone(),
            inputs: run.inputs.clone(),
            features: run.quality.features.clone(),
            of_metrics: PerMetric::from_fn(|metric| run.quality.network_of(metric).cloned()),
            changed_styles: changed.styles().clone(),
        };
        let mut ready = self.ready.lock().await;
        match ready.as_ref() {
            Some((ready_for, tools)) if *ready_for == purpose => return Ok(tools.clone()),
            _ => {}
        }
        // The old engine goes first: two models may not fit into memory.
        *ready = None;
        tracing::info!(run = %run.run, "getting model and datasets ready");
        let tools = self.open(run, changed).await?;
        *ready = Some((purpose, tools.clone()));
        Ok(tools)
    }

    fn device(&self) -> String {
        self.config.device.to_string()
    }
}

//! `run.json` and the plan: stored once at the start of a run, and compared with the settings each time it goes on.
//!
//! - `leftovers`: what is stored of a run whose `run.json` is gone

mod leftovers;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::clock::Clock;
use shared::decision::ChangedInputs;
use shared::ids::RunId;
use shared::plan::{self, Plan, PlanError};
use shared::platform::Platform;
use shared::run_record::{Frozen, RecordError, RunRecord, with_chosen_precision};
use shared::settings::RunConfig;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use shared::wording::first_of;

use crate::run::inventory::Inventory;

/// What helps where a run's record is damaged. A run of the same settings goes on with what is stored.
const RECORD_HELPS: &str = "put a copy of it back, or remove it and run again with the same settings and inputs: what is \
                            stored beside it is kept";
/// What helps where a run's record is of another version.
const VERSION_HELPS: &str = "use the program that planned the run";
/// What helps where a run's record is that of another run.
const OTHER_RUN_HELPS: &str = "give the folder its name back: a run cannot be copied or renamed";

/// A run as storage keeps it: this is all it takes to go on with it.
#[derive(Debug, Clone)]
pub struct FrozenRun {
    /// What it is.
    pub record: RunRecord,
    /// What is to be made.
    pub plan: Plan,
}

impl FrozenRun {
    /// Returns whether predictions of a segmenter are stored of some of its items: those that are doubtful.
    #[must_use]
    pub fn has_predictions(&self) -> bool {
        let evaluators = &self.record.frozen.evaluators;
        evaluators.min_label_agreement.is_some()
    }

    /// Returns whether class maps are stored of some of its styles: those without a label.
    #[must_use]
    pub fn has_class_maps(&self) -> bool {
        self.record.frozen.class_maps.is_some()
    }

    /// Returns whether a class map stands for the label of a style, by its position in the plan: one that has none, as it
    /// is by what was decided.
    #[must_use]
    pub fn has_class_map(&self, style: usize, changed: &ChangedInputs) -> bool {
        self.has_class_maps() && changed.style(&self.plan.styles[style]).label.is_none()
    }
}

/// Why a run cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The run exists with other settings or another model, or with other inputs where they have to be the same.
    #[error(
        "run {run} exists and is another one: {}; give this one another run.name, or put back what changed",
        first_of(.differences, "; ")
    )]
    Different {
        /// The run.
        run: RunId,
        /// What differs.
        differences: Vec<String>,
    },
    /// There is no record of the run, and nothing proves that what is stored below its name is its own.
    #[error(
        "run {run} has no run.json, and {found} are stored below its name: {why}; give this run another run.name, or move \
         {folder} away"
    )]
    Leftovers {
        /// The run.
        run: RunId,
        /// How much is stored.
        found: String,
        /// Why it is not the run's own.
        why: String,
        /// Where it is.
        folder: String,
    },
    /// There is no such run.
    #[error(
        "there is no run {run}: {path} is not there; check the name, --root and SYNTH2REAL_ROOT"
    )]
    Missing {
        /// The run.
        run: RunId,
        /// Where its record would be.
        path: String,
    },
    /// The record or the plan cannot be read.
    #[error("{path} was written by another version of synth2real, or is damaged: {reason}")]
    Malformed {
        /// The object.
        path: String,
        /// Why.
        reason: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Proves that no other run has this name, and returns the record of this one if it is there; stores nothing.
///
/// # Errors
///
/// [`FreezeError::Different`] if a run of this name is another one.
pub async fn check(
    storage: &dyn Storage,
    config: &RunConfig,
    frozen: &Frozen,
) -> Result<Option<RunRecord>, FreezeError> {
    match open_record(storage, &config.run).await {
        Ok(record) => same(record, config, frozen).map(Some),
        Err(FreezeError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the run of this name, if there is one with these settings and this model, whatever its inputs are now. A plan
/// that is gone is stored again if the inputs still make the same one. A run whose record is gone is none, if what is stored
/// of it is proved to be what is planned now.
///
/// # Errors
///
/// [`FreezeError::Different`] if a run of this name is another one, [`FreezeError::Leftovers`] if it may have been.
pub async fn existing(
    storage: &dyn Storage,
    config: &RunConfig,
    inventory: &Inventory,
) -> Result<Option<FrozenRun>, FreezeError> {
    let record = match open_record(storage, &config.run).await {
        Ok(record) => record,
        Err(FreezeError::Missing { .. }) => {
            let doubt = match leftovers::check(storage, &config.run, &inventory.frozen).await {
                Ok(()) => return Ok(None),
                Err(doubt @ FreezeError::Leftovers { .. }) => doubt,
                Err(error) => return Err(error),
            };
            // Another process may have frozen the run meanwhile, and what was found is its beginning.
            match open_record(storage, &config.run).await {
                Ok(record) => record,
                Err(FreezeError::Missing { .. }) => return Err(doubt),
                Err(error) => return Err(error),
            }
        }
        Err(error) => return Err(error),
    };
    let differences = record.differences_but_inputs(&inventory.frozen);
    if !differences.is_empty() {
        return Err(different(record, config, differences));
    }
    let key = ArtifactKey::Plan(config.run.clone(), record.frozen.plan_sha256.clone());
    if record.frozen.plan_sha256 == inventory.frozen.plan_sha256 && !storage.exists(&key).await? {
        let plan = Bytes::from(inventory.plan_json.clone());
        storage.create(&key, plan).await?;
    }
    open(storage, &config.run).await.map(Some)
}

/// Returns the run's record: the stored one if this plan is the same run, or a new one. A plan that is gone is stored
/// again. That nothing of another run is stored is for [`existing`] to prove before. A new record says what this process
/// computes with.
///
/// # Errors
///
/// [`FreezeError::Different`] if a run of this name is another one.
pub async fn open_or_create(
    storage: &dyn Storage,
    config: &RunConfig,
    inventory: &Inventory,
    platform: &Platform,
    clock: &dyn Clock,
) -> Result<RunRecord, FreezeError> {
    let frozen = &inventory.frozen;
    let known = check(storage, config, frozen).await?;
    // The plan comes first: a run exists from the moment its record does.
    let key = ArtifactKey::Plan(config.run.clone(), frozen.plan_sha256.clone());
    if known.is_none() || !storage.exists(&key).await? {
        let plan = Bytes::from(inventory.plan_json.clone());
        storage.create(&key, plan).await?;
    }
    if let Some(record) = known {
        return Ok(record);
    }
    let record = RunRecord {
        platform: platform.clone(),
        ..RunRecord::new(config, frozen.clone(), clock.now())
    };
    let key = ArtifactKey::RunRecord(config.run.clone());
    match storage.create(&key, Bytes::from(record.to_json())).await {
        Ok(_) => Ok(record),
        // Another process started the same run at the same moment.
        Err(error) if error.kind == StorageErrorKind::Conflict => {
            same(open_record(storage, &config.run).await?, config, frozen)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns a run with its plan.
///
/// # Errors
///
/// [`FreezeError::Missing`] if there is none, [`FreezeError::Malformed`] if it cannot be read.
pub async fn open(storage: &dyn Storage, run: &RunId) -> Result<FrozenRun, FreezeError> {
    let record = open_record(storage, run).await?;
    let plan = match plan::read(storage, &record).await {
        Ok(plan) => plan,
        Err(PlanError::Storage(error)) => return Err(error.into()),
        Err(PlanError::Malformed { path, reason }) => {
            return Err(FreezeError::Malformed { path, reason });
        }
    };
    Ok(FrozenRun { record, plan })
}

/// Returns the record of a run.
///
/// # Errors
///
/// [`FreezeError::Missing`] if there is none, [`FreezeError::Malformed`] if it cannot be read.
pub async fn open_record(storage: &dyn Storage, run: &RunId) -> Result<RunRecord, FreezeError> {
    let key = ArtifactKey::RunRecord(run.clone());
    let bytes = match storage.read(&key).await {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => {
            return Err(FreezeError::Missing {
                run: run.clone(),
                path: storage.locate(&key),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let malformed = |reason: String| FreezeError::Malformed {
        path: storage.locate(&key),
        reason,
    };
    RunRecord::parse(&bytes, run).map_err(|error| {
        let helps = match error {
            RecordError::Version { .. } => VERSION_HELPS,
            RecordError::OtherRun { .. } => OTHER_RUN_HELPS,
            RecordError::Empty
            | RecordError::TooLarge { .. }
            | RecordError::Malformed(_)
            | RecordError::Value { .. }
            | RecordError::Setting(_)
            | RecordError::PlanHash { .. }
            | RecordError::Seal(_) => RECORD_HELPS,
        };
        malformed(format!("{error}; {helps}"))
    })
}

fn same(record: RunRecord, config: &RunConfig, frozen: &Frozen) -> Result<RunRecord, FreezeError> {
    let differences = record.differences(frozen);
    if differences.is_empty() {
        Ok(record)
    } else {
        Err(different(record, config, differences))
    }
}

/// Returns that a run is another one than settings make.
fn different(record: RunRecord, config: &RunConfig, differences: Vec<String>) -> FreezeError {
    let differences = match config.engine.products_are_chosen {
        true => {
            let differences = differences.into_iter();
            differences.map(with_chosen_precision).collect()
        }
        false => differences,
    };
    FreezeError::Different {
        run: record.run,
        differences,
    }
}

//! What several commands open, with the exit code that each failure leads to.

use std::path::Path;
use std::sync::Arc;

use shared::ids::RunId;
use shared::queue::{self, Queue};
use shared::run_record::RunRecord;
use shared::settings::{BROKER_URL, BrokerConfig, RunConfig, resolve_root};
use shared::storage::{self, Storage};

use super::{Problem, RootArgs};
use crate::freeze::{self, FreezeError, FrozenRun};
use crate::inventory::{Inventory, InventoryError};
use crate::ledger::Ledger;
use crate::report::references;

/// Opens the storage root that the arguments or the environment name.
pub(super) async fn storage(root: &RootArgs) -> Result<Arc<dyn Storage>, Problem> {
    let location = resolve_root(&root.root).map_err(Problem::usage)?;
    storage::open(&location).await.map_err(Problem::environment)
}

/// Opens a run with its plan.
pub(super) async fn run(storage: &dyn Storage, run: &RunId) -> Result<FrozenRun, Problem> {
    freeze::open(storage, run).await.map_err(freeze_problem)
}

/// Reads a run's ledger.
pub(super) async fn ledger(storage: &dyn Storage, run: &RunId) -> Result<Ledger, Problem> {
    Ledger::read(storage, run)
        .await
        .map_err(Problem::environment)
}

/// Lists and plans.
pub(super) async fn inventory(config: &RunConfig) -> Result<Inventory, Problem> {
    Inventory::take(config)
        .await
        .map_err(|error: InventoryError| {
            if error.is_usage() {
                Problem::usage(error)
            } else {
                Problem::environment(error)
            }
        })
}

/// Says which references cannot be compared with: the run may begin, and its report has no FID until they can.
pub(super) async fn warn_of_references(config: &RunConfig, inventory: &Inventory) {
    let record = RunRecord::new(config, inventory.frozen.clone(), jiff::Timestamp::now());
    for problem in references::problems(&record).await {
        tracing::warn!("{problem}");
    }
}

/// Refuses a file to be written whose folder is not there, before work is done for it.
pub(super) fn check_folder(option: &str, path: &Path) -> Result<(), Problem> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        Ok(())
    } else {
        Err(Problem::Usage(format!(
            "{option} {}: there is no folder {}",
            path.display(),
            folder.display()
        )))
    }
}

pub(super) fn freeze_problem(error: FreezeError) -> Problem {
    match error {
        FreezeError::Different { .. } | FreezeError::Missing { .. } => Problem::usage(error),
        FreezeError::Malformed { .. } | FreezeError::Storage(_) => Problem::environment(error),
    }
}

/// Connects to the broker that must be there.
pub(super) async fn queue(config: Option<&BrokerConfig>) -> Result<Arc<dyn Queue>, Problem> {
    let Some(config) = config else {
        return Err(Problem::Usage(format!(
            "no broker is named: set {BROKER_URL}, or broker.url in the settings file of launch; \
             without one, `synth2real run` converts on this machine"
        )));
    };
    queue::open(config).await.map_err(Problem::environment)
}

/// Returns the broker that the environment names, if it does.
pub(super) fn broker_of_environment() -> Result<Option<BrokerConfig>, Problem> {
    BrokerConfig::find(None).map_err(Problem::usage)
}

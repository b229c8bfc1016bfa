//! What several commands open and check before they work, with the exit code that each failure leads to.

use std::sync::Arc;

use shared::artifact::ArtifactKey;
use shared::clock::{Clock, SystemClock};
use shared::failure::chain;
use shared::ids::RunId;
use shared::location::Location;
use shared::queue::{self, Broker};
use shared::run_record::{RunInputs, RunRecord};
use shared::settings::{BROKER_URL, BrokerConfig, MethodConfig, RunConfig, resolve_root};
use shared::storage::{self, Storage, StorageErrorKind};

use super::{CliError, RootArgs};
use crate::output::report::references::{self, ReferenceProblem};
use crate::run::changes::{self, Accepted, ChangeError, Changes};
use crate::run::freeze::{self, FreezeError, FrozenRun};
use crate::run::inventory::{Inventory, InventoryError};
use crate::run::ledger::Ledger;

/// Opens the storage root that the arguments or the environment name.
pub(super) async fn storage(root: &RootArgs) -> Result<Arc<dyn Storage>, CliError> {
    at(&location(root)?).await
}

/// Returns the storage root that the arguments or the environment name.
pub(super) fn location(root: &RootArgs) -> Result<Location, CliError> {
    resolve_root(&root.root).map_err(CliError::usage)
}

/// Opens a storage root.
pub(super) async fn at(root: &Location) -> Result<Arc<dyn Storage>, CliError> {
    storage::open(root).await.map_err(CliError::environment)
}

/// Opens a storage root and proves that results can be stored there.
pub(super) async fn writable_storage(root: &Location) -> Result<Arc<dyn Storage>, CliError> {
    let storage = at(root).await?;
    let checked = storage.check_writable().await;
    checked.map_err(|error| match error.kind {
        // No folder can ever have this name: the setting is wrong.
        StorageErrorKind::Invalid => CliError::usage(error),
        StorageErrorKind::NotFound
        | StorageErrorKind::Conflict
        | StorageErrorKind::Full
        | StorageErrorKind::Denied
        | StorageErrorKind::Unavailable => CliError::environment(error),
    })?;
    Ok(storage)
}

/// Opens a run with its plan.
pub(super) async fn run(storage: &dyn Storage, run: &RunId) -> Result<FrozenRun, CliError> {
    freeze::open(storage, run).await.map_err(freeze_error)
}

/// Reads a run's ledger.
pub(super) async fn ledger(storage: &dyn Storage, run: &FrozenRun) -> Result<Ledger, CliError> {
    Ledger::read(storage, run)
        .await
        .map_err(CliError::environment)
}

/// What a run is made of, and where it goes.
pub(super) struct Preparation {
    pub(super) inventory: Inventory,
    pub(super) storage: Arc<dyn Storage>,
}

/// Lists and plans what settings name, has that told by `tell`, and proves that results can be stored.
pub(super) async fn prepare(
    config: &RunConfig,
    tell: impl FnOnce(&RunConfig, &Inventory) -> Result<(), CliError>,
) -> Result<Preparation, CliError> {
    let inventory = inventory(config).await?;
    tell(config, &inventory)?;
    let storage = writable_storage(&config.root).await?;
    Ok(Preparation { inventory, storage })
}

/// Warns of what of the datasets is not used, and of what the method does at no step.
pub(super) fn warn(config: &RunConfig, inventory: &Inventory) -> Result<(), CliError> {
    for line in &inventory.left_out {
        tracing::warn!("{line}");
    }
    warn_of_idle(&config.method);
    Ok(())
}

/// Lists and plans.
pub(super) async fn inventory(config: &RunConfig) -> Result<Inventory, CliError> {
    match Inventory::take(config).await {
        Ok(inventory) => Ok(inventory),
        Err(error) => Err(of_config(config, error).await),
    }
}

/// Plans what is listed with others, or is listed for them as well.
#[cfg(feature = "embedded")]
pub(super) async fn inventory_of(
    config: &RunConfig,
    listings: &mut crate::run::inventory::Listings,
) -> Result<Inventory, CliError> {
    let planned = match listings.of(config).await {
        Ok(listing) => Inventory::of(config, listing.clone()).await,
        Err(error) => Err(error),
    };
    match planned {
        Ok(inventory) => Ok(inventory),
        Err(error) => Err(of_config(config, error).await),
    }
}

/// Returns why nothing can be planned of settings.
async fn of_config(config: &RunConfig, error: InventoryError) -> CliError {
    // What was there when the run was planned is away now: the settings are not at fault.
    if error.is_of_nothing() && exists(config).await {
        return CliError::Environment(format!(
            "{}; run {} was planned with inputs from there: is the dataset mounted?",
            chain(&error),
            config.run
        ));
    }
    inventory_error(error)
}

pub(super) fn inventory_error(error: InventoryError) -> CliError {
    if error.is_usage() {
        CliError::usage(error)
    } else {
        CliError::environment(error)
    }
}

/// Returns whether a run of this name is stored, as far as that can be told.
async fn exists(config: &RunConfig) -> bool {
    let Ok(storage) = at(&config.root).await else {
        return false;
    };
    let record = ArtifactKey::RunRecord(config.run.clone());
    storage.exists(&record).await.unwrap_or(false)
}

/// Says what the method is asked for and does at no step.
pub(super) fn warn_of_idle(method: &MethodConfig) {
    if let Some(idle) = method.idle() {
        tracing::warn!("{idle}");
    }
}

/// A run that exists, with what its inputs are now.
pub(super) struct Existing {
    pub(super) run: FrozenRun,
    pub(super) ledger: Ledger,
    /// How its inputs have changed, as far as it goes on with that.
    pub(super) accepted: Accepted,
}

impl Preparation {
    /// Returns the run of this name, if there is one, and warns of references that cannot be compared with. One with other
    /// settings, another model, or inputs that it cannot go on with is refused.
    pub(super) async fn existing(&self, config: &RunConfig) -> Result<Option<Existing>, CliError> {
        let existing = existing(self.storage.as_ref(), config, &self.inventory).await?;
        warn_of_references(config, &self.inventory).await?;
        Ok(existing)
    }
}

/// Returns the run of this name, if there is one, as [`Preparation::existing`] does, and warns of nothing but its changes.
pub(super) async fn existing(
    storage: &dyn Storage,
    config: &RunConfig,
    inventory: &Inventory,
) -> Result<Option<Existing>, CliError> {
    let found = freeze::existing(storage, config, inventory).await;
    let Some(run) = found.map_err(freeze_error)? else {
        return Ok(None);
    };
    let ledger = ledger(storage, &run).await?;
    let mut changes = Changes::between(&run, &ledger.decisions.changed_inputs, inventory);
    let looked = changes.look_for_removed(&run, &RunInputs::of(config)).await;
    looked.map_err(CliError::environment)?;
    if changes.is_empty() && run.plan.shards != inventory.plan.shards {
        return Err(CliError::Usage(format!(
            "run {} was planned with other pairs of contents and styles, though its settings and the sizes of its inputs \
             are the same: a label has other classes; give this one another run.name",
            config.run
        )));
    }
    let accepted = changes::judge(storage, &run, &ledger, &changes).await;
    let accepted = accepted.map_err(change_error)?;
    for note in &accepted.notes {
        tracing::warn!("{note}: the run goes on with that");
    }
    Ok(Some(Existing {
        run,
        ledger,
        accepted,
    }))
}

/// Returns why a run cannot go on with inputs that have changed; what its sentence leaves out is told before.
pub(super) fn change_error(error: ChangeError) -> CliError {
    for line in error.lines() {
        tracing::warn!("{line}");
    }
    match error {
        ChangeError::Refused { .. } => CliError::usage(error),
        ChangeError::Ledger(_) | ChangeError::Storage(_) => CliError::environment(error),
    }
}

/// Returns which references cannot be compared with: the run may begin, and its report has no FID until they can.
///
/// One that is there and holds no statistics is refused.
pub(super) async fn references(record: &RunRecord) -> Result<Vec<String>, CliError> {
    let mut away = Vec::new();
    for problem in references::problems(record).await {
        match problem {
            ReferenceProblem::Away(text) => away.push(text),
            ReferenceProblem::Broken(text) => return Err(CliError::Environment(text)),
        }
    }
    Ok(away)
}

/// Says which references cannot be compared with.
pub(super) async fn warn_of_references(
    config: &RunConfig,
    inventory: &Inventory,
) -> Result<(), CliError> {
    let record = RunRecord::new(config, inventory.frozen.clone(), SystemClock.now());
    for problem in references(&record).await? {
        tracing::warn!("{problem}");
    }
    Ok(())
}

pub(super) fn freeze_error(error: FreezeError) -> CliError {
    match error {
        FreezeError::Different { .. }
        | FreezeError::Leftovers { .. }
        | FreezeError::Missing { .. } => CliError::usage(error),
        FreezeError::Malformed { .. } | FreezeError::Storage(_) => CliError::environment(error),
    }
}

/// Connects to the broker that must be there.
pub(super) async fn broker(config: Option<&BrokerConfig>) -> Result<Broker, CliError> {
    let Some(config) = config else {
        return Err(CliError::Usage(format!(
            "no broker is named: set {BROKER_URL}, or broker.url in the settings file of launch; \
             without one, `synth2real run` converts on this machine"
        )));
    };
    queue::open(config).await.map_err(CliError::environment)
}

/// Returns the broker that the environment names, if it does.
pub(super) fn broker_of_environment() -> Result<Option<BrokerConfig>, CliError> {
    BrokerConfig::find(None).map_err(CliError::usage)
}

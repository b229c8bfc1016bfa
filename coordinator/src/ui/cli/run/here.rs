//! A run as it is made in this process: what is left of it is found, made, and concluded.

use std::collections::BTreeSet;
use std::sync::Arc;

use shared::artifact::ArtifactKey;
use shared::clock::{Clock, SystemClock};
use shared::decision::{ChangedInput, ChangedInputs};
use shared::failure::chain;
use shared::platform::Platform;
use shared::queue::InProcessBroker;
use shared::run_record::{RunInputs, RunRecord};
use shared::settings::{Limits, RunConfig, defaults};
use shared::shutdown;
use shared::storage::Storage;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use worker::attempt::Progress;
use worker::run_context::{EngineContextProvider, RunContextProvider};

use super::outcome;
use super::part::OwnShards;
use crate::run::changes::Accepted;
use crate::run::cost::Workload;
use crate::run::freeze::{self, FrozenRun};
use crate::run::gone::{self, RUN_AGAIN};
use crate::run::inventory::Inventory;
use crate::run::ledger::{Ledger, LedgerError};
use crate::run::plan::{Part, Shard};
use crate::run::redo::{Redo, Why};
use crate::run::stored_items::StoredItems;
use crate::run::tally::Tally;
use crate::ui::cli::setup::{self, Existing};
use crate::ui::cli::{CliError, Outcome};
use crate::ui::progress::{Beginning, RunProgress};
use crate::work::embedded::{EmbeddedRun, RunError, Stopped};
use crate::work::resume::{self, Choice};

/// What a run does that is told to stop.
pub(in crate::ui::cli) const FINISHING: &str = "finishing the image in hand";

/// A run that is to be made in this process.
pub(in crate::ui::cli) struct RunHere<'a> {
    pub(in crate::ui::cli) config: &'a RunConfig,
    pub(in crate::ui::cli) inventory: &'a Inventory,
    /// The run of this name, if there is one.
    pub(in crate::ui::cli) existing: Option<Existing>,
    /// The part of it that is made here; all of it if none is named.
    pub(in crate::ui::cli) part: Option<Part>,
}

impl RunHere<'_> {
    /// Makes what is missing, stores what comes of that, and tells how it ended. `begin` is called once it is known what is
    /// missing, and what it returns is kept to the end.
    pub(in crate::ui::cli) async fn make<T>(
        self,
        hands: Hands,
        begin: impl FnOnce(&Hands) -> T,
    ) -> Result<Outcome, CliError> {
        let (config, inventory) = (self.config, self.inventory);
        let is_new = self.existing.is_none();
        let Planned {
            mut run,
            accepted,
            changed,
        } = match self.existing {
            Some(existing) => Planned::before(config, existing),
            None => Planned::now(config, inventory),
        };
        let own_shards = self.part.map(|part| OwnShards::of(part, &run.plan));
        let storage = Arc::clone(&hands.storage);
        let work = Work::find(storage.as_ref(), &run, accepted, own_shards.as_ref()).await?;
        let _kept = begin(&hands);
        let mut platform = Platform::default();
        if !work.redo.is_empty() {
            // A run is frozen once nothing stands in its way, so that a refused one leaves nothing behind.
            let context = hands.run_contexts.load(&run.record, &changed).await;
            platform = context.map_err(CliError::environment)?.platform;
        }
        if is_new {
            let (storage, clock) = (storage.as_ref(), &SystemClock);
            let frozen = freeze::open_or_create(storage, config, inventory, &platform, clock).await;
            let frozen = frozen.map_err(setup::freeze_error)?;
            run.record.created_at = frozen.created_at;
            run.record.platform = frozen.platform;
        }
        let stopped = if work.redo.is_empty() {
            Stopped::AtItsEnd
        } else {
            convert(config, &run, hands, work).await?
        };
        match &own_shards {
            Some(own_shards) => {
                own_shards
                    .conclude(config, run, storage.as_ref(), stopped)
                    .await
            }
            None => outcome::conclude(config, run, storage.as_ref(), stopped).await,
        }
    }
}

/// A run as it is to be made, with what its inputs are now.
struct Planned {
    run: FrozenRun,
    accepted: Accepted,
    /// What holds in place of the planned inputs.
    changed: ChangedInputs,
}

impl Planned {
    /// Returns a run that exists. The settings at hand say where its inputs are and when to give up, also of one that was
    /// started elsewhere.
    fn before(config: &RunConfig, existing: Existing) -> Self {
        let decided = &existing.ledger.decisions.changed_inputs;
        let changed = decided.with(&existing.accepted.changed);
        let known = existing.run.record;
        let record = RunRecord {
            inputs: RunInputs::of(config),
            quality: config.quality.absolute(),
            limits: Limits {
                // How often a shard is tried is read by workers from the record.
                max_attempts: known.limits.max_attempts,
                ..config.limits
            },
            price: config.price.clone(),
            ..known
        };
        let plan = existing.run.plan;
        Self {
            run: FrozenRun { record, plan },
            accepted: existing.accepted,
            changed,
        }
    }

    /// Returns a run that is planned now.
    fn now(config: &RunConfig, inventory: &Inventory) -> Self {
        let frozen = inventory.frozen.clone();
        let record = RunRecord::new(config, frozen, SystemClock.now());
        let plan = inventory.plan.clone();
        Self {
            run: FrozenRun { record, plan },
            accepted: Accepted::default(),
            changed: ChangedInputs::default(),
        }
    }
}

/// What is left to do of a run, or of one part of it.
struct Work<'a> {
    own_shards: Option<&'a OwnShards>,
    ledger: Ledger,
    redo: Vec<Redo>,
    /// Inputs that hold in place of the planned ones from now on.
    changed: Vec<ChangedInput>,
    num_items: usize,
    /// Images that are stored, of all these items and of the shards to be done.
    num_stored: usize,
    num_found: usize,
}

impl<'a> Work<'a> {
    /// Finds what is not committed, what failed, what is gone of committed shards, and quarantined items whose inputs were
    /// mended. What failed is for no part.
    async fn find(
        storage: &dyn Storage,
        run: &FrozenRun,
        accepted: Accepted,
        own_shards: Option<&'a OwnShards>,
    ) -> Result<Self, CliError> {
        let ledger = setup::ledger(storage, run).await?;
        let tally = gone::counted(storage, run, &ledger).await;
        let tally = tally.map_err(CliError::environment)?;
        let stored = StoredItems::read(storage, run)
            .await
            .map_err(CliError::environment)?;
        let known = resume::Known {
            storage,
            run,
            ledger: &ledger,
            tally: &tally,
            stored: &stored,
        };
        let found = match own_shards {
            Some(own_shards) => own_shards.find(known).await,
            None => resume::find_in(known, &Choice::default()).await,
        };
        let mut redo = found.map_err(CliError::environment)?;
        resume::merge(&mut redo, accepted.redo);
        let own = run.plan.shards.iter();
        let own = own.filter(|shard| own_shards.is_none_or(|own_shards| own_shards.has(shard.id)));
        let (num_items, num_stored) = own
            .flat_map(Shard::items)
            .fold((0_usize, 0_usize), |(all, there), item| {
                (all + 1, there + usize::from(stored.has_image(item)))
            });
        let shards = redo
            .iter()
            .filter(|redo| !redo.why.is_of_some_items())
            .map(|redo| &run.plan.shards[redo.shard.0 as usize]);
        let items = shards.flat_map(Shard::items);
        Ok(Self {
            num_found: items.filter(|&item| stored.has_image(item)).count(),
            num_items,
            num_stored,
            own_shards,
            ledger,
            redo,
            changed: accepted.changed,
        })
    }

    /// Returns how many of the items are quarantined.
    async fn num_quarantined(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
    ) -> Result<usize, LedgerError> {
        let tally = Tally::whole(storage, run, &self.ledger).await?;
        let is_own = |shard| {
            self.own_shards
                .is_none_or(|own_shards| own_shards.has(shard))
        };
        let own = tally.shards().filter(|&(shard, _)| is_own(shard));
        Ok(own.map(|(_, counted)| counted.counts.quarantined).sum())
    }
}

/// What a run in this process works with.
pub(in crate::ui::cli) struct Hands {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) broker: InProcessBroker,
    run_contexts: Arc<EngineContextProvider>,
    /// Cancelled to finish the image in hand and stop; signals do so if there is none.
    stop: Option<CancellationToken>,
}

impl Hands {
    /// Returns what makes runs of these settings in a storage root.
    pub(in crate::ui::cli) fn new(
        config: &RunConfig,
        storage: Arc<dyn Storage>,
        stop: Option<CancellationToken>,
    ) -> Self {
        let cache_max_bytes = defaults::CACHE_MAX_BYTES;
        Self {
            storage,
            // How often a shard is tried is counted by its recorded attempts alone.
            broker: InProcessBroker::with_delivery_limit(u64::MAX),
            run_contexts: Arc::new(EngineContextProvider::new(
                config.engine.clone(),
                cache_max_bytes,
            )),
            stop,
        }
    }
}

/// Makes what is missing. Running again tries what failed anew, and takes up a run that was halted.
async fn convert(
    config: &RunConfig,
    run: &FrozenRun,
    hands: Hands,
    work: Work<'_>,
) -> Result<Stopped, CliError> {
    let storage = hands.storage.as_ref();
    let quarantined = work.num_quarantined(storage, run).await;
    let progress = progress(
        config,
        run,
        &work,
        quarantined.map_err(CliError::environment)?,
    );
    let Work {
        own_shards,
        mut ledger,
        redo,
        changed,
        ..
    } = work;
    // Of one part, all that is to be decided is decided already.
    if own_shards.is_none() {
        resume::decide(storage, run, &mut ledger, &redo, changed)
            .await
            .map_err(CliError::environment)?;
    }
    let repairs = redo.iter().filter_map(|redo| match redo.why {
        Why::ArtifactsMissing(_) => Some(redo.shard),
        Why::NotCommitted
        | Why::Failed { .. }
        | Why::Quarantined { .. }
        | Why::NotRevised { .. }
        | Why::RevisionFailed { .. } => None,
    });
    let embedded = EmbeddedRun {
        run,
        storage: Arc::clone(&hands.storage),
        broker: hands.broker,
        run_contexts: hands.run_contexts,
        only: own_shards.map(|own_shards| own_shards.shards.clone()),
        repairs: repairs.collect(),
        progress: Arc::clone(&progress) as Arc<dyn Progress>,
        drain: hands.stop.unwrap_or_else(|| shutdown::on_signal(FINISHING)),
    };
    let span = tracing::info_span!("convert", run = %config.run);
    let stopped = embedded.go().instrument(span).await;
    progress.finish();
    stopped.map_err(|error| {
        let stored = storage.locate(&ArtifactKey::RunRecord(config.run.clone()));
        let what_helps = match &error {
            RunError::Gone(_) => RUN_AGAIN.to_owned(),
            RunError::Worker(_)
            | RunError::LoopEnded(_)
            | RunError::Queue(_)
            | RunError::EventsEnded
            | RunError::Ledger(_)
            | RunError::Storage(_)
            | RunError::Decision(_) => {
                format!("what is stored beside {stored} is kept: run again to go on")
            }
        };
        CliError::Environment(format!("{}; {what_helps}", chain(&error)))
    })
}

/// Returns progress of what is missing.
fn progress(
    config: &RunConfig,
    run: &FrozenRun,
    work: &Work<'_>,
    quarantined: usize,
) -> Arc<RunProgress> {
    let retried = work.redo.iter().filter(|redo| redo.why.is_of_some_items());
    let retried: usize = retried.map(|redo| redo.num_items).sum();
    Arc::new(RunProgress::new(Beginning {
        num_items: work.num_items,
        already: (work.num_stored + quarantined).saturating_sub(retried),
        found: work.num_found,
        left: left(run, work),
        evaluations: config.method.evaluations(),
        steps_per_item: config.method.steps_per_item(),
    }))
}

/// Returns what is to be made, without what is stored already. Each style is recorded once.
fn left(run: &FrozenRun, work: &Work<'_>) -> Workload {
    let (mut left, mut styles) = (Workload::default(), BTreeSet::new());
    for redo in &work.redo {
        let shard = &run.plan.shards[redo.shard.0 as usize];
        left = left.plus(Workload::of_items(shard, redo.num_items));
        styles.extend(shard.styles.iter().copied());
    }
    Workload {
        styles: styles.len() as f64,
        ..left
    }
}

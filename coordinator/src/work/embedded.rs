//! The run in this process: the worker's loop on a queue in memory, one shard after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use futures::StreamExt;
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::decision::DecisionError;
use shared::ids::ShardId;
use shared::queue::message::{EventKind, ShardTask};
use shared::queue::{EventBus, InProcessBroker, QueueError, WorkQueue};
use shared::settings::WatchdogConfig;
use shared::storage::{Storage, StorageError};
use shared::telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::attempt::Progress;
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::RunContextProvider;

use crate::run::decisions::{self, Resolution};
use crate::run::freeze::FrozenRun;
use crate::run::gone::Vanished;
use crate::run::ledger::{Ledger, LedgerError};
use crate::run::plan::Shard;
use crate::run::policy::{Fate, Standing};
use crate::run::tally::Tally;
use crate::work::resume;

/// How a run in this process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every shard was tried.
    AtItsEnd,
    /// The process was asked to stop.
    OnRequest,
    /// The run was halted by others.
    Halted,
    /// Too many items were quarantined or failed; that is decided, and the run is halted.
    AtItsLimit,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing will work here.
    #[error(transparent)]
    Worker(#[from] ConsumerError),
    /// The worker's loop ended by itself, which only a defect in it can cause.
    #[error("the worker's loop ended unexpectedly; its message is in the log")]
    LoopEnded(#[source] tokio::task::JoinError),
    /// The queue in memory failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// What became of a shard cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What became of a shard cannot be looked for.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The events of the worker's loop ended, which their contract does not have.
    #[error("the events of the worker's loop ended unexpectedly")]
    EventsEnded,
    /// What was decided about the run cannot be read.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// Something that was stored is not there any more.
    #[error(transparent)]
    Gone(Vanished),
}

/// A run in this process.
pub struct EmbeddedRun<'a> {
    /// What is to be made.
    pub run: &'a FrozenRun,
    /// Where it goes.
    pub storage: Arc<dyn Storage>,
    /// What hands its shards to the worker's loop; shards may be added to it meanwhile.
    pub broker: InProcessBroker,
    /// What loads its context.
    pub run_contexts: Arc<dyn RunContextProvider>,
    /// The shards that are made here; all of the run if none are named. Others are for other processes.
    pub only: Option<BTreeSet<ShardId>>,
    /// Committed shards of which something is gone, to be made again.
    pub repairs: BTreeSet<ShardId>,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// Cancelled to finish the item in hand and stop.
    pub drain: CancellationToken,
}

/// What the run's own loop knows of it.
struct Seen {
    ledger: Ledger,
    tally: Tally,
}

impl EmbeddedRun<'_> {
    /// Makes every shard of its own that storage does not have.
    ///
    /// Others may add shards to the queue meanwhile and decide about the run, so what became of it is read anew from
    /// storage after each shard.
    ///
    /// # Errors
    ///
    /// [`RunError`] if nothing will work here; what is stored is kept.
    pub async fn go(&self) -> Result<Stopped, RunError> {
        let ended = self.make().await;
        self.drain.cancel();
        match ended {
            Err(RunError::Gone(vanished) | RunError::Ledger(LedgerError::Gone(vanished))) => {
                Err(self.gone(vanished).await?)
            }
            ended => ended,
        }
    }

    async fn make(&self) -> Result<Stopped, RunError> {
        let consumer = self.consumer();
        let mut worker = tokio::spawn(async move { consumer.run().await });
        let mut seen = Seen {
            ledger: Ledger::default(),
            tally: Tally::stored(self.storage.as_ref(), &self.run.record.run).await?,
        };
        self.count(&mut seen).await?;
        let mut repairs = self.repairs.clone();
        loop {
            // Quarantined items of a shard that is past may be decided to be tried again: it comes once more.
            let mut is_idle = true;
            for shard in self.shards() {
                let is_damaged = repairs.remove(&shard.id);
                let tasks = self.tasks(&seen.ledger, shard, is_damaged);
                if tasks.is_empty() {
                    continue;
                }
                is_idle = false;
                if let Some(stopped) = self.is_to_stop(&mut seen).await? {
                    return Ok(stopped);
                }
                let before = stage(&seen.ledger, shard.id);
                self.broker.work.publish(&tasks).await?;
                if let Some(stopped) = self.wait(&mut worker, &mut seen).await? {
                    return Ok(stopped);
                }
                let is_halted = seen.ledger.decisions.halted.is_some();
                let is_open = seen.ledger.state(shard.id, self.max_attempts()).is_open();
                if is_open && !is_halted && stage(&seen.ledger, shard.id) == before {
                    // Nothing is in hand, and nothing dropped it: what was recorded of it is not there any more.
                    return Err(self.vanished(awaited(&seen.ledger, shard.id)));
                }
            }
            // Whatever was made was counted when it ended, so nothing is to be counted once more.
            if is_idle {
                break;
            }
        }
        self.drain.cancel();
        worker.await.map_err(RunError::LoopEnded)??;
        match self.standing(&seen).fate() {
            Fate::Complete | Fate::EndedWithLosses | Fate::Damaged => Ok(Stopped::AtItsEnd),
            Fate::Halted => Ok(Stopped::Halted),
            Fate::GoesOn | Fate::AtItsLimit => {
                let state = |shard| seen.ledger.state(shard, self.max_attempts());
                if let Some(shard) = self.shards().find(|shard| state(shard.id).is_open()) {
                    return Err(self.vanished(awaited(&seen.ledger, shard.id)));
                }
                // What is left is made by others, unless too much has failed here.
                let stopped = self.is_to_stop(&mut seen).await?;
                Ok(stopped.unwrap_or(Stopped::AtItsEnd))
            }
        }
    }

    /// Returns the shards that are made here, in order.
    fn shards(&self) -> impl Iterator<Item = &Shard> {
        let is_own = move |shard: &&Shard| {
            let only = self.only.as_ref();
            only.is_none_or(|only| only.contains(&shard.id))
        };
        self.run.plan.shards.iter().filter(is_own)
    }

    /// Returns what is to be made of a shard: what of it is open, and its missing artifacts, which may fail for ever.
    fn tasks(&self, ledger: &Ledger, shard: &Shard, is_damaged: bool) -> Vec<ShardTask> {
        let state = ledger.state(shard.id, self.max_attempts());
        let task = ShardTask {
            traceparent: telemetry::traceparent(),
            ..resume::task(self.run, ledger, shard)
        };
        let repair = (is_damaged && state.has_rows()).then(|| ShardTask {
            revision: 0,
            repair: true,
            ..task.clone()
        });
        let open = state.is_open().then_some(task);
        open.into_iter().chain(repair).collect()
    }

    /// Waits until nothing is in hand; returns why the run stops, if it does.
    async fn wait(
        &self,
        worker: &mut JoinHandle<Result<(), ConsumerError>>,
        seen: &mut Seen,
    ) -> Result<Option<Stopped>, RunError> {
        let mut events = self.broker.events.subscribe().await;
        loop {
            let is_drained = tokio::select! {
                ended = &mut *worker => {
                    ended.map_err(RunError::LoopEnded)??;
                    return Ok(Some(Stopped::OnRequest));
                }
                () = self.broker.work.drained() => true,
                event = events.next() => match event.ok_or(RunError::EventsEnded)?.kind {
                    EventKind::ShardCommitted { .. } | EventKind::AttemptFailed { last: true, .. } => false,
                    EventKind::AttemptFailed { .. }
                    | EventKind::Heartbeat { .. }
                    | EventKind::ItemEnded { .. }
                    | EventKind::WorkerStopped { .. } => continue,
                },
            };
            // What is in hand alone needs no look: one comes once it has ended.
            if !is_drained && self.broker.work.depth().await?.ready == 0 {
                continue;
            }
            self.count(seen).await?;
            if is_drained {
                return Ok(None);
            }
            if let Some(stopped) = self.is_to_stop(seen).await? {
                self.drain.cancel();
                worker.await.map_err(RunError::LoopEnded)??;
                return Ok(Some(stopped));
            }
        }
    }

    /// Reads from storage what became of the run. What was there when it was read last has to be there still.
    async fn count(&self, seen: &mut Seen) -> Result<(), RunError> {
        let storage = self.storage.as_ref();
        let ledger = Ledger::read(storage, self.run).await?;
        let mut known = seen.ledger.size_bytes.keys();
        if let Some(&part) = known.find(|part| !ledger.size_bytes.contains_key(*part)) {
            return Err(self.vanished(part));
        }
        seen.ledger = ledger;
        seen.tally
            .update_whole(storage, self.run, &seen.ledger)
            .await?;
        Ok(())
    }

    fn standing<'a>(&self, seen: &'a Seen) -> Standing<'a> {
        Standing::of(self.run, &seen.ledger, &seen.tally)
    }

    /// Returns why no other shard is to be made, if none is. A run at its limit is halted for everybody.
    async fn is_to_stop(&self, seen: &mut Seen) -> Result<Option<Stopped>, RunError> {
        let storage = self.storage.as_ref();
        let kept = decisions::keep_limit(storage, self.run, &mut seen.ledger, &seen.tally);
        Ok(match kept.await? {
            Resolution::Nothing => None,
            Resolution::IsHalted(_) => Some(Stopped::Halted),
            Resolution::Decides(_) => Some(Stopped::AtItsLimit),
        })
    }

    /// Returns that a commit of a shard is gone: its first, as 0, or a revision.
    fn vanished(&self, (shard, revision): (ShardId, u32)) -> RunError {
        let run = self.run.record.run.clone();
        let key = match revision {
            0 => ArtifactKey::Shard(run, shard),
            revision => ArtifactKey::ShardRevision(run, shard, revision),
        };
        let path = self.storage.locate(&key);
        RunError::Gone(Vanished { path })
    }

    /// Returns what is gone where something of a shard is: the run's record with all the rest, or that alone.
    async fn gone(&self, vanished: Vanished) -> Result<RunError, RunError> {
        let record = ArtifactKey::RunRecord(self.run.record.run.clone());
        if self.storage.exists(&record).await? {
            return Ok(RunError::Gone(vanished));
        }
        let path = self.storage.locate(&record);
        Ok(RunError::Gone(Vanished { path }))
    }

    fn max_attempts(&self) -> u32 {
        self.run.record.limits.max_attempts
    }

    fn consumer(&self) -> Consumer {
        Consumer {
            name: format!("embedded-{}", std::process::id()),
            storage: Arc::clone(&self.storage),
            broker: self.broker.ports(),
            run_contexts: Arc::clone(&self.run_contexts),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(30))
                .with_jitter(),
            drain: self.drain.clone(),
            progress: Arc::clone(&self.progress),
            clock: Arc::new(SystemClock),
            given: Some(self.run.record.clone()),
            idle: None,
        }
    }
}

/// Returns what is to be stored of a shard next: its rows, as 0, or a revision of them.
fn awaited(ledger: &Ledger, shard: ShardId) -> (ShardId, u32) {
    (shard, ledger.outstanding(shard).unwrap_or(0))
}

/// Returns how far a shard has come: whether its rows are stored, and how many times its attempts were counted anew or
/// rows of tried items were added.
fn stage(ledger: &Ledger, shard: ShardId) -> (bool, u32, u32) {
    (
        ledger.committed.contains(&shard),
        ledger.num_revisions(shard),
        ledger.first_attempt(shard),
    )
}

//! The run in this process: the worker's loop on a queue in memory, one shard after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use futures::StreamExt;
use shared::decision::DecisionError;
use shared::event::Happening;
use shared::ids::ShardId;
use shared::queue::{InProcessQueue, Queue, QueueError};
use shared::settings::{Limits, WatchdogConfig};
use shared::storage::{Storage, StorageError};
use shared::telemetry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker::attempt::Progress;
use worker::consumer::{Consumer, ConsumerError};
use worker::workshop::Workshop;

use crate::freeze::FrozenRun;
use crate::ledger::{Ledger, LedgerError, ShardState};
use crate::plan::Shard;
use crate::tally::Tally;

/// How a run in this process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every shard was tried.
    AtItsEnd,
    /// Somebody asked for it.
    OnRequest,
    /// Somebody cancelled the run.
    Halted,
    /// Too many items were quarantined or failed.
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
    /// What was decided about the run cannot be read.
    #[error(transparent)]
    Decision(#[from] DecisionError),
}

/// A run in this process.
pub struct EmbeddedRun<'a> {
    /// What is to be made.
    pub run: &'a FrozenRun,
    /// Where it goes.
    pub storage: Arc<dyn Storage>,
    /// What hands its shards to the worker's loop; others may add some.
    pub queue: InProcessQueue,
    /// What makes it.
    pub workshop: Arc<dyn Workshop>,
    /// When to give up.
    pub limits: Limits,
    /// Who is told how it goes.
    pub progress: Arc<dyn Progress>,
    /// Cancelled to finish the item in hand and stop.
    pub drain: CancellationToken,
}

/// What the run's own loop knows of it.
struct Standing {
    ledger: Ledger,
    tally: Tally,
    /// Shards that were handed out: one that is not committed once nothing is in hand has failed.
    tried: BTreeSet<ShardId>,
}

impl EmbeddedRun<'_> {
    /// Makes every shard that storage does not have.
    ///
    /// Others may add shards to the queue meanwhile and decide about the run, so what became of it is read anew from
    /// storage after each shard.
    ///
    /// # Errors
    ///
    /// [`RunError`] if nothing will work here; what is stored is kept.
    pub async fn go(&self) -> Result<Stopped, RunError> {
        let consumer = self.consumer();
        let mut worker = tokio::spawn(async move { consumer.run().await });
        let mut standing = Standing {
            ledger: Ledger::default(),
            tally: Tally::stored(self.storage.as_ref(), &self.run.record.run).await?,
            tried: BTreeSet::new(),
        };
        self.count(&mut standing).await?;
        for shard in &self.run.plan.shards {
            match standing.ledger.state(shard.id, self.max_attempts()) {
                ShardState::Committed | ShardState::Failed { .. } => continue,
                ShardState::Open => {}
            }
            if let Some(stopped) = self.is_to_stop(&standing, true) {
                self.drain.cancel();
                return Ok(stopped);
            }
            let mut task = self.run.plan.task(&self.run.record.run, shard);
            task.first_attempt = standing.ledger.first_attempt(shard.id);
            task.traceparent = telemetry::traceparent();
            standing.tried.insert(shard.id);
            self.queue.publish(&[task]).await?;
            if let Some(stopped) = self.wait(&mut worker, &mut standing).await? {
                return Ok(stopped);
            }
        }
        self.drain.cancel();
        worker.await.map_err(RunError::LoopEnded)??;
        if standing.ledger.decisions.halted.is_some() && self.is_any_open(&standing) {
            return Ok(Stopped::Halted);
        }
        Ok(Stopped::AtItsEnd)
    }

    /// Waits until nothing is in hand; returns why the run stops, if it does.
    async fn wait(
        &self,
        worker: &mut JoinHandle<Result<(), ConsumerError>>,
        standing: &mut Standing,
    ) -> Result<Option<Stopped>, RunError> {
        let mut events = self.queue.listen().await;
        loop {
            let is_drained = tokio::select! {
                ended = &mut *worker => {
                    ended.map_err(RunError::LoopEnded)??;
                    return Ok(Some(Stopped::OnRequest));
                }
                () = self.queue.drained() => true,
                Some(event) = events.next() => match event.what {
                    Happening::ShardCommitted { .. } | Happening::AttemptFailed { last: true, .. } => false,
                    Happening::AttemptFailed { .. }
                    | Happening::Heartbeat { .. }
                    | Happening::ItemEnded { .. }
                    | Happening::WorkerStopped { .. } => continue,
                },
            };
            // What is in hand alone needs no look: one comes once it has ended.
            if !is_drained && self.queue.depth().await?.ready == 0 {
                continue;
            }
            self.count(standing).await?;
            if is_drained {
                return Ok(None);
            }
            if let Some(stopped) = self.is_to_stop(standing, false) {
                self.drain.cancel();
                worker.await.map_err(RunError::LoopEnded)??;
                return Ok(Some(stopped));
            }
        }
    }

    /// Reads from storage what became of the run.
    async fn count(&self, standing: &mut Standing) -> Result<(), RunError> {
        let (storage, run) = (self.storage.as_ref(), &self.run.record.run);
        standing.ledger = Ledger::read(storage, run).await?;
        let Standing { ledger, tally, .. } = standing;
        tally.update(storage, run, ledger).await?;
        Ok(())
    }

    /// Returns why no other shard is to be made, if none is.
    fn is_to_stop(&self, standing: &Standing, is_drained: bool) -> Option<Stopped> {
        if standing.ledger.decisions.halted.is_some() {
            return Some(Stopped::Halted);
        }
        let plan = &self.run.plan;
        let has_failed = |shard: &&Shard| {
            let tried = is_drained && standing.tried.contains(&shard.id);
            match standing.ledger.state(shard.id, self.max_attempts()) {
                ShardState::Committed => false,
                ShardState::Failed { .. } => true,
                ShardState::Open => tried,
            }
        };
        let failed = plan.shards.iter().filter(has_failed);
        let failed: usize = failed.map(Shard::num_items).sum();
        let not_done = standing.tally.total().not_done() + failed;
        (not_done as f64 > self.limits.max_failed * plan.num_items() as f64)
            .then_some(Stopped::AtItsLimit)
    }

    fn is_any_open(&self, standing: &Standing) -> bool {
        let state = |shard: &Shard| standing.ledger.state(shard.id, self.max_attempts());
        let mut shards = self.run.plan.shards.iter();
        shards.any(|shard| state(shard) == ShardState::Open)
    }

    fn max_attempts(&self) -> u32 {
        self.run.record.limits.max_attempts
    }

    fn consumer(&self) -> Consumer {
        Consumer {
            name: format!("embedded-{}", std::process::id()),
            storage: Arc::clone(&self.storage),
            queue: Arc::new(self.queue.clone()),
            workshop: Arc::clone(&self.workshop),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(500))
                .with_max_delay(Duration::from_secs(30))
                .with_jitter(),
            drain: self.drain.clone(),
            progress: Arc::clone(&self.progress),
        }
    }
}

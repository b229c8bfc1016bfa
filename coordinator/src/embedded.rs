//! The run in this process: the worker's loop on a queue in memory, one shard after the other.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use shared::decision::DecisionError;
use shared::ids::ShardId;
use shared::queue::{InProcessQueue, Queue, QueueError};
use shared::settings::{Limits, WatchdogConfig};
use shared::storage::{Storage, StorageError};
use shared::telemetry;
use tokio_util::sync::CancellationToken;
use worker::attempt::Progress;
use worker::consumer::{Consumer, ConsumerError};
use worker::workshop::Workshop;

use crate::freeze::FrozenRun;
use crate::ledger::{self, Ledger, LedgerError};
use crate::tally::Counts;

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

impl EmbeddedRun<'_> {
    /// Makes every shard that storage does not have. `failed_before` items are quarantined already.
    ///
    /// # Errors
    ///
    /// [`RunError`] if nothing will work here; what is stored is kept.
    pub async fn go(&self, ledger: &Ledger, failed_before: usize) -> Result<Stopped, RunError> {
        let queue = &self.queue;
        let consumer = self.consumer();
        let mut worker = tokio::spawn(async move { consumer.run().await });
        let most = self.limits.max_failed * self.run.plan.num_items() as f64;
        let mut not_done = failed_before;
        let mut decisions = ledger.decisions.clone();
        for shard in &self.run.plan.shards {
            if ledger.committed.contains(&shard.id) {
                continue;
            }
            if not_done as f64 > most {
                self.drain.cancel();
                return Ok(Stopped::AtItsLimit);
            }
            decisions
                .read_new(self.storage.as_ref(), &self.run.record.run)
                .await?;
            if decisions.halted.is_some() {
                self.drain.cancel();
                return Ok(Stopped::Halted);
            }
            let mut task = self.run.plan.task(&self.run.record.run, shard);
            task.first_attempt = ledger.first_attempt(shard.id);
            task.traceparent = telemetry::traceparent();
            queue.publish(&[task]).await?;
            tokio::select! {
                ended = &mut worker => {
                    ended.map_err(RunError::LoopEnded)??;
                    return Ok(Stopped::OnRequest);
                }
                () = queue.drained() => {}
            }
            not_done += match self.rows_not_done(shard.id).await? {
                Some(not_done) => not_done,
                None => shard.num_items(),
            };
        }
        self.drain.cancel();
        worker.await.map_err(RunError::LoopEnded)??;
        Ok(Stopped::AtItsEnd)
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

    /// Returns how many items of a shard are not done; nothing if it is not committed.
    async fn rows_not_done(&self, shard: ShardId) -> Result<Option<usize>, RunError> {
        let run = &self.run.record.run;
        let key = shared::artifact::ArtifactKey::Shard(run.clone(), shard);
        if !self.storage.exists(&key).await? {
            return Ok(None);
        }
        let rows = ledger::shard_rows(self.storage.as_ref(), run, shard).await?;
        Ok(Some(Counts::of(&rows).not_done()))
    }
}

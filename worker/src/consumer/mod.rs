//! A worker's loop: takes shards from the queue one at a time, and ends their messages once storage has the outcome.
//!
//! - `root`: runs that cannot be opened here; `preflight`: checks before an attempt; `plans`, `committed`: what they read
//! - `supervise`, `watchdog`: an attempt, and whether it hangs
//! - `reporter`: events of it; `control`: requests to the worker
//! - `outcome`, `verdict`: what is recorded, and what becomes of message and worker; `error`: why a worker stops
//!
//! This is *when* work is done; *what* is done is an [`crate::attempt`]. The order never changes: storage first, then
//! the queue. Whatever happens between the two, the message is delivered again and finds the work done.

mod committed;
mod control;
mod error;
mod outcome;
mod plans;
mod preflight;
mod reporter;
mod root;
mod supervise;
mod verdict;
mod watchdog;

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
pub use error::ConsumerError;
use shared::clock::Clock;
use shared::failure::chain;
use shared::queue::message::{Event, EventKind, ShardTask};
use shared::queue::{Broker, Deliveries, Delivery, QueueError, Settlement};
use shared::run_record::RunRecord;
use shared::settings::WatchdogConfig;
use shared::storage::Storage;
use shared::telemetry;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::control::{HeededRequests, handle_control_requests};
use self::outcome::OutcomeRecorder;
use self::plans::Plans;
use self::preflight::{Preflight, preflight_with_retry};
use self::reporter::EventReporter;
use self::root::{Root, wait_for_root};
use self::supervise::supervised_attempt;
use self::verdict::Verdict;
use crate::attempt::Progress;
use crate::run_context::RunContextProvider;

/// A worker's loop: takes shards from the queue, handles them and settles their messages.
pub struct Consumer {
    /// The worker's name.
    pub name: String,
    /// Where results go.
    pub storage: Arc<dyn Storage>,
    /// Where shards come from, where it reports what it does, and where requests to it come from.
    pub broker: Broker,
    /// What loads the contexts of runs.
    pub run_contexts: Arc<dyn RunContextProvider>,
    /// When a step is taken for hanging.
    pub watchdog: WatchdogConfig,
    /// Pauses after failed attempts, growing while they follow each other.
    pub pauses: ExponentialBuilder,
    /// Cancelled to finish the item in hand, give the shard back and stop.
    pub drain: CancellationToken,
    /// What is told how it goes, beside the subscribers of events.
    pub progress: Arc<dyn Progress>,
    /// What tells the times that are stored and told.
    pub clock: Arc<dyn Clock>,
    /// What holds in place of the stored record of the run that it speaks of: the only run there is for this worker, so
    /// that it stops where that one cannot be worked on.
    pub given: Option<RunRecord>,
    /// How long it waits for a shard before it stops by itself; for ever if absent.
    pub idle: Option<Duration>,
}

/// What a worker remembers from one shard to the next.
#[derive(Default)]
struct Memory {
    plans: Plans,
    root: Root,
}

impl Consumer {
    /// Works until told to drain, by the token or by a request, or until no shard comes to it for as long as it waits.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`] if nothing will work here any more.
    pub async fn run(&self) -> Result<(), ConsumerError> {
        let heeded = HeededRequests::default();
        let control = self.broker.control.as_ref();
        let ended = tokio::select! {
            ended = self.work() => ended,
            never = handle_control_requests(control, &self.name, &self.drain, &heeded) => match never {},
        };
        let reason = match &ended {
            Ok(()) if heeded.has_drain() => "it was asked to",
            Ok(()) if self.drain.is_cancelled() => "it was told to",
            Ok(()) => "no shard came to it",
            Err(error) => &chain(error),
        };
        tracing::info!(worker = self.name, reason, "worker stops");
        let kind = EventKind::WorkerStopped {
            reason: reason.to_owned(),
        };
        let event = Event {
            at: self.clock.now(),
            worker: self.name.clone(),
            kind,
        };
        self.broker.events.emit(&event).await;
        ended
    }

    async fn work(&self) -> Result<(), ConsumerError> {
        let mut deliveries = self.broker.work.consume().await?;
        let reporter = EventReporter::start(
            &self.name,
            &self.run_contexts.device(),
            Arc::clone(&self.broker.events),
            Arc::clone(&self.clock),
        );
        let (mut memory, mut failures_in_a_row) = (Memory::default(), 0);
        while let Some(delivery) = self.take(deliveries.as_mut()).await? {
            let verdict = self.handle(&delivery.payload, &mut memory, &reporter).await;
            failures_in_a_row = if verdict.failed {
                failures_in_a_row + 1
            } else {
                0
            };
            if verdict.failed && verdict.stop.is_none() {
                self.pause(failures_in_a_row).await;
            }
            // Before it is settled: no other shard comes to a worker that goes, or has no use for it.
            let is_stopping = self.drain.is_cancelled() || verdict.stop.is_some();
            if is_stopping || verdict.awaited.is_some() {
                deliveries.stop().await;
            }
            settle(delivery, verdict.settlement).await;
            if is_stopping {
                return verdict.stop.map_or(Ok(()), Err);
            }
            if let Some(run) = &verdict.awaited {
                drop(deliveries);
                wait_for_root(self.storage.as_ref(), &self.drain, run).await?;
                if self.drain.is_cancelled() {
                    return Ok(());
                }
                deliveries = self.broker.work.consume().await?;
            }
        }
        Ok(())
    }

    /// Takes the next message; none if the worker is to drain, or has waited for one long enough.
    async fn take(&self, deliveries: &mut dyn Deliveries) -> Result<Option<Delivery>, QueueError> {
        tokio::select! {
            biased;
            () = self.drain.cancelled() => {
                deliveries.stop().await;
                Ok(None)
            }
            delivery = deliveries.next() => delivery.map(Some),
            () = after(self.idle) => {
                deliveries.stop().await;
                Ok(None)
            }
        }
    }

    /// Does what a message asks for; returns what becomes of it.
    async fn handle(
        &self,
        payload: &[u8],
        memory: &mut Memory,
        reporter: &EventReporter,
    ) -> Verdict {
        let verdict = match ShardTask::from_payload(payload) {
            Ok(task) => {
                let span = tracing::info_span!("shard", run = %task.run, shard = %task.shard, worker = self.name);
                telemetry::follow(&span, task.traceparent.as_deref());
                self.progress.shard_started();
                self.handle_shard(&task, memory, reporter)
                    .instrument(span)
                    .await
            }
            Err(error) => {
                tracing::error!(%error, "a message that is no shard goes to the dead letters");
                Verdict::settle(Settlement::Reject)
            }
        };
        reporter.shard_finished();
        self.progress.shard_finished();
        verdict
    }

    async fn handle_shard(
        &self,
        task: &ShardTask,
        memory: &mut Memory,
        reporter: &EventReporter,
    ) -> Verdict {
        let recorder = OutcomeRecorder {
            consumer: self,
            task,
            reporter,
        };
        match preflight_with_retry(self, task, memory).await {
            Preflight::Settled(settlement) => Verdict::settle(settlement),
            Preflight::Refused(reason) if self.is_alone() => Verdict::fatal(task, reason),
            Preflight::Refused(reason) => {
                tracing::error!(reason, "the shard goes to the dead letters");
                Verdict::settle(Settlement::Reject)
            }
            Preflight::NoRun(no_run) => memory.root.without_run(task, no_run, self.is_alone()),
            Preflight::Failed(failure) => recorder.record_failure(failure).await,
            Preflight::Fatal(reason) => Verdict::fatal(task, reason),
            Preflight::Away(reason) if self.is_alone() => Verdict::fatal(task, reason),
            Preflight::Away(reason) => Verdict::give_back(&reason),
            // Told to stop while the model was loaded: nothing is in hand yet.
            Preflight::Ready(_) if self.drain.is_cancelled() => {
                Verdict::settle(Settlement::Release)
            }
            Preflight::Ready(shard) => {
                let span = tracing::info_span!("attempt", attempt = shard.next.number);
                let outcome = supervised_attempt(self, task, &shard, reporter)
                    .instrument(span.clone())
                    .await;
                recorder
                    .record_outcome(&shard, outcome)
                    .instrument(span)
                    .await
            }
        }
    }

    /// Returns whether there is one run only for this worker.
    fn is_alone(&self) -> bool {
        self.given.is_some()
    }

    /// Waits longer the more failures followed each other, unless told to drain.
    async fn pause(&self, failures_in_a_row: usize) {
        let Some(pause) = self.pauses.build().take(failures_in_a_row).last() else {
            // It was made without pauses.
            return;
        };
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Returns after some time; never without one.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Settles a message. One that cannot be settled is delivered again, and finds its work done.
async fn settle(delivery: Delivery, settlement: Settlement) {
    if let Err(error) = delivery.settle(settlement).await {
        tracing::warn!(error = chain(&error), "a message was not settled");
    }
}

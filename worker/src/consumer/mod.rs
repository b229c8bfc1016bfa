//! Shards taken from the queue one at a time, and settled when storage has what became of them.
//!
//! This is *when* work is done; *what* is done is an [`crate::attempt`]. The order never changes: storage first, then
//! the queue. Whatever happens between the two, the message is delivered again and finds the work done.

mod committed;
mod look;
mod plans;
mod pulse;
mod requests;
mod root;
mod settling;
mod supervise;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use shared::clock::Clock;
use shared::failure::chain;
use shared::ids::{RunId, ShardId};
use shared::queue::message::{Event, EventKind, ShardTask};
use shared::queue::{Broker, QueueError, Settlement};
use shared::run_record::RunRecord;
use shared::settings::WatchdogConfig;
use shared::storage::Storage;
use shared::telemetry;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::plans::Plans;
use self::requests::Asked;
use self::root::Root;
use self::telling::Teller;
use crate::attempt::Progress;
use crate::workshop::Workshop;

/// A worker's loop.
pub struct Consumer {
    /// The worker's name.
    pub name: String,
    /// Where results go.
    pub storage: Arc<dyn Storage>,
    /// Where shards come from, where it reports what it does, and where requests to it come from.
    pub broker: Broker,
    /// What gets runs ready.
    pub workshop: Arc<dyn Workshop>,
    /// When a step is taken for hanging.
    pub watchdog: WatchdogConfig,
    /// Pauses after failed attempts, growing while they follow each other.
    pub pauses: ExponentialBuilder,
    /// Cancelled to finish the item in hand, give the shard back and stop.
    pub drain: CancellationToken,
    /// Who is told how it goes, beside the subscribers of events.
    pub progress: Arc<dyn Progress>,
    /// What tells the times that are stored and told.
    pub clock: Arc<dyn Clock>,
    /// What holds in place of the stored record of the run that it speaks of: the only run there is for this worker, so
    /// that it stops where that one cannot be worked on.
    pub given: Option<RunRecord>,
}

/// Why a worker stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The queue cannot be used.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Nothing will work here.
    #[error("shard {shard} of run {run} stopped this worker: {reason}")]
    Fatal {
        /// The run.
        run: RunId,
        /// The shard that was tried; it goes back uncounted.
        shard: ShardId,
        /// Why, with the whole chain.
        reason: String,
    },
    /// The storage root has none of the runs that messages are about.
    #[error(
        "this storage root has no run {run}: {path} is not there, {} s after it was missed first; is the root mounted, and is \
         it the root that `launch` used?",
        .waited.as_secs()
    )]
    NoRun {
        /// The run that was missed last.
        run: RunId,
        /// Where its record would be.
        path: String,
        /// How long the root was waited for.
        waited: Duration,
    },
    /// The engine hangs or is gone, so that only a new process can go on. The attempt is recorded as failed.
    #[error(
        "the engine does no more work since shard {shard} of run {run}: start this worker anew; {reason}"
    )]
    Stuck {
        /// The run.
        run: RunId,
        /// The shard that was tried.
        shard: ShardId,
        /// Why, with the whole chain.
        reason: String,
    },
}

/// What becomes of a message.
struct Verdict {
    settlement: Settlement,
    /// Why no other message is taken.
    stop: Option<ConsumerError>,
    /// Whether to wait before the message is settled and the next one is taken.
    failed: bool,
    /// A run that is not in the storage root, which has no other one either: it is waited for before a message is taken.
    awaited: Option<RunId>,
}

impl Verdict {
    fn settle(settlement: Settlement) -> Self {
        Self {
            settlement,
            stop: None,
            failed: false,
            awaited: None,
        }
    }

    /// Nothing can be made of the shard here and now, which says nothing about it.
    fn give_back(reason: &str) -> Self {
        tracing::error!(reason, "the shard goes back: the attempt does not count");
        Self {
            failed: true,
            ..Self::settle(Settlement::Release)
        }
    }
}

impl Consumer {
    /// Works until told to drain, by the token or by a request.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`] if nothing will work here any more.
    pub async fn run(&self) -> Result<(), ConsumerError> {
        let asked = Asked::default();
        let ended = tokio::select! {
            ended = self.work() => ended,
            never = self.heed_requests(&asked) => match never {},
        };
        let reason = match &ended {
            Ok(()) if asked.to_drain() => "it was asked to",
            Ok(()) => "it was told to",
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
        let teller = Teller::start(
            &self.name,
            &self.workshop.device(),
            Arc::clone(&self.broker.events),
            Arc::clone(&self.clock),
        );
        let (mut plans, mut root) = (Plans::default(), Root::default());
        let mut failures_in_a_row = 0;
        loop {
            let delivery = tokio::select! {
                biased;
                () = self.drain.cancelled() => {
                    deliveries.stop().await;
                    return Ok(());
                }
                delivery = deliveries.next() => delivery?,
            };
            let verdict = match ShardTask::from_payload(&delivery.payload) {
                Ok(task) => {
                    let span = tracing::info_span!("shard", run = %task.run, shard = %task.shard, worker = self.name);
                    telemetry::follow(&span, task.traceparent.as_deref());
                    self.progress.takes_up();
                    self.handle(&task, &mut plans, &mut root, &teller)
                        .instrument(span)
                        .await
                }
                Err(error) => {
                    tracing::error!(%error, "a message that is no shard goes to the dead letters");
                    Verdict::settle(Settlement::Reject)
                }
            };
            teller.puts_down();
            self.progress.puts_down();
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
            if let Err(error) = delivery.settle(verdict.settlement).await {
                tracing::warn!(error = chain(&error), "a message was not settled");
            }
            if is_stopping {
                return verdict.stop.map_or(Ok(()), Err);
            }
            if let Some(run) = &verdict.awaited {
                drop(deliveries);
                self.wait_for_root(run).await?;
                if self.drain.is_cancelled() {
                    return Ok(());
                }
                deliveries = self.broker.work.consume().await?;
            }
        }
    }

    async fn handle(
        &self,
        task: &ShardTask,
        plans: &mut Plans,
        root: &mut Root,
        teller: &Teller,
    ) -> Verdict {
        match self.look_patiently(task, plans, root).await {
            look::Look::Settled(settlement) => Verdict::settle(settlement),
            look::Look::Refused(reason) if self.is_alone() => Self::fatal(task, reason),
            look::Look::Refused(reason) => {
                tracing::error!(reason, "the shard goes to the dead letters");
                Verdict::settle(Settlement::Reject)
            }
            look::Look::NoRun(no_run) => self.without_run(task, no_run, root),
            look::Look::Failed(failure) => self.count(task, failure, teller).await,
            look::Look::Fatal(reason) => Self::fatal(task, reason),
            look::Look::Away(reason) if self.is_alone() => Self::fatal(task, reason),
            look::Look::Away(reason) => Verdict::give_back(&reason),
            // Told to stop while the model was loaded: nothing is in hand yet.
            look::Look::Ready(_) if self.drain.is_cancelled() => {
                Verdict::settle(Settlement::Release)
            }
            look::Look::Ready(ready) => {
                let number = ready.next.number;
                let span = tracing::info_span!("attempt", attempt = number);
                let outcome = self
                    .attempt(task, &ready, teller)
                    .instrument(span.clone())
                    .await;
                self.conclude(task, &ready, outcome, teller)
                    .instrument(span)
                    .await
            }
        }
    }

    /// Returns whether there is one run only for this worker.
    fn is_alone(&self) -> bool {
        self.given.is_some()
    }

    fn fatal(task: &ShardTask, reason: String) -> Verdict {
        Verdict {
            stop: Some(ConsumerError::Fatal {
                run: task.run.clone(),
                shard: task.shard,
                reason,
            }),
            ..Verdict::settle(Settlement::Release)
        }
    }

    /// Waits longer the more failures followed each other, unless told to drain.
    async fn pause(&self, failures_in_a_row: usize) {
        let pause = self.pauses.build().take(failures_in_a_row).last();
        let pause = pause.unwrap_or_default();
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

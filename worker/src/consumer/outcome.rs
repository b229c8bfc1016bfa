//! The outcome of an attempt: recorded in storage, reported to subscribers, and turned into what becomes of the message.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::{FailedAttempt, FailureClass, StorageUse, attempt_after, chain};
use shared::manifest::Status;
use shared::queue::Settlement;
use shared::queue::message::{EventKind, ShardTask};
use shared::storage::{StorageError, StorageErrorKind};

use super::preflight::PreparedShard;
use super::reporter::EventReporter;
use super::root::denies_one_run;
use super::verdict::Verdict;
use super::{Consumer, ConsumerError};
use crate::attempt::{AttemptError, ShardOutcome};
use crate::retry_pauses::RetryPauses;

/// A failed attempt at a shard.
pub(super) struct Failure {
    pub(super) number: u32,
    /// Whether the run allows no further one.
    pub(super) is_last: bool,
    pub(super) class: FailureClass,
    /// Why, with the whole chain.
    pub(super) reason: String,
    /// Whether the engine can do no more work in this process.
    pub(super) ends_engine: bool,
}

/// What a failure leads to.
enum Consequence {
    /// It counts, and is recorded.
    Counts,
    /// It does not count, and the shard goes back to the others.
    GoesBack,
    /// It does not count, and this worker stops.
    StopsWorker,
}

/// Whether storage knows of a failed attempt.
enum FailureRecord {
    Stored,
    /// The worker was told to stop before storage answered: the attempt counts for nothing.
    NotYet,
}

/// Records what became of attempts at one shard.
pub(super) struct OutcomeRecorder<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) task: &'a ShardTask,
    pub(super) reporter: &'a EventReporter,
}

impl OutcomeRecorder<'_> {
    /// Records how an attempt ended; returns what becomes of its message.
    pub(super) async fn record_outcome(
        &self,
        shard: &PreparedShard,
        outcome: Result<ShardOutcome, AttemptError>,
    ) -> Verdict {
        let task = self.task;
        let progress = &self.consumer.progress;
        progress.attempt_ended(&task.run, &outcome);
        let is_committed = matches!(outcome, Ok(ShardOutcome::Committed(_)));
        // What was committed may lie in the folder that the root is mounted on: who takes the shard next finds out.
        if is_committed && self.has_lost_run().await {
            return Verdict::give_back(
                "the run is not in the storage root any more: was it unmounted?",
            );
        }
        let error = match outcome {
            Ok(ShardOutcome::Committed(rows)) => {
                let done = rows.iter().filter(|row| row.status == Status::Done).count() as u32;
                self.reporter.report(EventKind::ShardCommitted {
                    run: task.run.clone(),
                    shard: task.shard,
                    done,
                    not_done: rows.len() as u32 - done,
                });
                return Verdict::settle(Settlement::Ack);
            }
            // A halted run's shard is dropped, a draining worker's goes to another one.
            Ok(ShardOutcome::Stopped) if self.consumer.drain.is_cancelled() => {
                return Verdict::settle(Settlement::Release);
            }
            Ok(ShardOutcome::Stopped) => return Verdict::settle(Settlement::Ack),
            Err(error) => error,
        };
        match self.consequence(&error).await {
            Consequence::StopsWorker => Verdict::fatal(task, chain(&error)),
            Consequence::GoesBack => Verdict::give_back(&chain(&error)),
            Consequence::Counts => {
                let failure = shard.next.failed(error.class(), chain(&error));
                let failure = Failure {
                    ends_engine: error.ends_engine(),
                    is_last: failure.is_last || error.is_final(),
                    ..failure
                };
                self.record_failure(failure).await
            }
        }
    }

    /// Returns what a failed attempt leads to. What concerns the run alone stops no worker that has others to work on.
    async fn consequence(&self, error: &AttemptError) -> Consequence {
        match error.class() {
            FailureClass::Transient
            | FailureClass::Resources
            | FailureClass::BadInput
            | FailureClass::Missing
            | FailureClass::Changed
            | FailureClass::BadOutput => Consequence::Counts,
            // The attempt is recorded where the worker has to stop anyway.
            FailureClass::Unworkable if self.consumer.is_alone() && !error.ends_engine() => {
                Consequence::StopsWorker
            }
            FailureClass::Unworkable => Consequence::Counts,
            FailureClass::Fatal if self.consumer.is_alone() => Consequence::StopsWorker,
            FailureClass::Fatal if error.is_away() => Consequence::GoesBack,
            FailureClass::Fatal => {
                if error.is_denied() && denies_one_run(self.consumer.storage.as_ref()).await {
                    Consequence::Counts
                } else {
                    Consequence::StopsWorker
                }
            }
        }
    }

    /// Records a failed attempt, and gives the shard up if it was the last one.
    pub(super) async fn record_failure(&self, failure: Failure) -> Verdict {
        let task = self.task;
        let Failure {
            number,
            is_last,
            class,
            ref reason,
            ends_engine,
        } = failure;
        tracing::error!(%class, error = reason, last = is_last, "attempt failed");
        let recorded = self.store_failure(&failure).await;
        self.reporter.report(EventKind::AttemptFailed {
            run: task.run.clone(),
            shard: task.shard,
            attempt: number,
            class,
            error: reason.clone(),
            last: is_last,
        });
        let stop = ends_engine.then(|| ConsumerError::Stuck {
            run: task.run.clone(),
            shard: task.shard,
            reason: reason.clone(),
        });
        let (settlement, stop) = match recorded {
            // Only what is recorded may be given up.
            Ok(FailureRecord::Stored) if is_last => (Settlement::Reject, stop),
            Ok(FailureRecord::Stored | FailureRecord::NotYet) => (Settlement::Release, stop),
            Err(error) => {
                let cause = chain(&error);
                if self.is_of_run(&error).await {
                    tracing::error!(
                        error = cause,
                        "the failure cannot be recorded: the shard goes to the dead letters"
                    );
                    (Settlement::Reject, stop)
                } else {
                    let fatal = || Verdict::fatal(task, cause).stop;
                    (Settlement::Release, stop.or_else(fatal))
                }
            }
        };
        Verdict {
            stop,
            failed: true,
            ..Verdict::settle(settlement)
        }
    }

    /// Returns whether the run has gone from the storage root since its shard was taken up. Where there is one run only, who
    /// started it looks after that.
    async fn has_lost_run(&self) -> bool {
        let key = ArtifactKey::RunRecord(self.task.run.clone());
        let storage = &self.consumer.storage;
        !self.consumer.is_alone() && matches!(storage.exists(&key).await, Ok(false))
    }

    /// Returns whether storage refuses this for one run and permits it for others.
    async fn is_of_run(&self, error: &StorageError) -> bool {
        let class = FailureClass::of_storage(error.kind, StorageUse::Attempt);
        let is_of_object = class == FailureClass::Unworkable;
        let is_denied = error.kind == StorageErrorKind::Denied;
        !self.consumer.is_alone()
            && (is_of_object || is_denied && denies_one_run(self.consumer.storage.as_ref()).await)
    }

    /// Stores the record of a failed attempt, however long storage takes to answer, unless told to drain.
    async fn store_failure(&self, failure: &Failure) -> Result<FailureRecord, StorageError> {
        let (task, storage) = (self.task, self.consumer.storage.as_ref());
        let mut record = FailedAttempt {
            attempt: failure.number,
            error_class: failure.class,
            error: failure.reason.clone(),
            worker: self.consumer.name.clone(),
            failed_at: self.consumer.clock.now(),
        };
        let mut pauses = RetryPauses::new();
        loop {
            let key = ArtifactKey::FailedAttempt(task.run.clone(), task.shard, record.attempt);
            let json = Bytes::from(record.to_json(&key));
            let failure = match storage.create(&key, json).await {
                Ok(_) => return Ok(FailureRecord::Stored),
                Err(failure) => failure,
            };
            if failure.kind == StorageErrorKind::Conflict {
                // The shard was delivered twice, and both attempts failed.
                record.attempt = attempt_after(storage, &task.run, task.shard, record.attempt)?;
                continue;
            }
            match FailureClass::of_storage(failure.kind, StorageUse::Attempt) {
                FailureClass::Transient => {
                    tracing::warn!(error = chain(&failure), "cannot record yet, trying again");
                    tokio::select! {
                        biased;
                        () = self.consumer.drain.cancelled() => return Ok(FailureRecord::NotYet),
                        () = tokio::time::sleep(pauses.next_pause()) => {}
                    }
                }
                FailureClass::BadInput
                | FailureClass::Missing
                | FailureClass::Changed
                | FailureClass::BadOutput
                | FailureClass::Resources
                | FailureClass::Unworkable
                | FailureClass::Fatal => return Err(failure),
            }
        }
    }
}

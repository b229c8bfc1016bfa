//! What became of an attempt: recorded in storage, told to listeners, and settled with the queue.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::event::Happening;
use shared::failure::{FailedAttempt, chain};
use shared::manifest::Status;
use shared::queue::Settlement;
use shared::storage::{StorageError, StorageErrorKind};
use shared::task::ShardTask;

use super::look::{Ready, patience};
use super::telling::Teller;
use super::{Consequence, Consumer, ConsumerError, Verdict, consequence};
use crate::attempt::{AttemptError, ShardOutcome};

/// Whether storage knows of a failed attempt.
enum Recorded {
    Stored,
    /// The worker was told to stop before storage answered: the attempt counts for nothing.
    NotYet,
}

impl Consumer {
    pub(super) async fn conclude(
        &self,
        task: &ShardTask,
        ready: &Ready,
        outcome: Result<ShardOutcome, AttemptError>,
        teller: &Teller,
    ) -> Verdict {
        self.progress.attempt_ended(&task.run, &outcome);
        let error = match outcome {
            Ok(ShardOutcome::Committed(rows)) => {
                let done = rows.iter().filter(|row| row.status == Status::Done).count() as u32;
                teller.tell(Happening::ShardCommitted {
                    run: task.run.clone(),
                    shard: task.shard,
                    done,
                    not_done: rows.len() as u32 - done,
                });
                return Verdict::settle(Settlement::Ack);
            }
            // A halted run's shard is dropped, a draining worker's goes to somebody else.
            Ok(ShardOutcome::Stopped) if self.drain.is_cancelled() => {
                return Verdict::settle(Settlement::Release);
            }
            Ok(ShardOutcome::Stopped) => return Verdict::settle(Settlement::Ack),
            Err(error) => error,
        };
        match consequence(error.class()) {
            Consequence::StopsWorker => Self::fatal(task, chain(&error)),
            Consequence::Counts => self.count(task, ready, &error, teller).await,
        }
    }

    /// Records a failed attempt, and gives the shard up if it was the last one.
    async fn count(
        &self,
        task: &ShardTask,
        ready: &Ready,
        error: &AttemptError,
        teller: &Teller,
    ) -> Verdict {
        let reason = chain(error);
        let last = ready.failures + 1 >= ready.record.limits.max_attempts;
        tracing::error!(class = %error.class(), error = reason, last, "attempt failed");
        let recorded = self.record(task, ready.number, error, &reason).await;
        teller.tell(Happening::AttemptFailed {
            run: task.run.clone(),
            shard: task.shard,
            attempt: ready.number,
            class: error.class(),
            error: reason.clone(),
            last,
        });
        let stop = error.leaves_engine_stuck().then(|| ConsumerError::Stuck {
            run: task.run.clone(),
            shard: task.shard,
            reason: reason.clone(),
        });
        let (settlement, stop) = match recorded {
            // Only what is recorded may be given up.
            Ok(Recorded::Stored) if last => (Settlement::Reject, stop),
            Ok(Recorded::Stored | Recorded::NotYet) => (Settlement::Release, stop),
            Err(error) => {
                let fatal = || Self::fatal(task, chain(&error)).stop;
                (Settlement::Release, stop.or_else(fatal))
            }
        };
        Verdict {
            settlement,
            stop,
            failed: true,
        }
    }

    /// Stores the record of a failed attempt, however long storage takes to answer, unless told to drain.
    async fn record(
        &self,
        task: &ShardTask,
        number: u32,
        error: &AttemptError,
        reason: &str,
    ) -> Result<Recorded, StorageError> {
        let mut record = FailedAttempt {
            attempt: number,
            error_class: error.class(),
            error: reason.to_owned(),
            worker: self.name.clone(),
            failed_at: jiff::Timestamp::now(),
        };
        let mut pauses = patience();
        loop {
            let json = Bytes::from(serde_json::to_vec_pretty(&record).unwrap_or_default());
            let key = ArtifactKey::FailedAttempt(task.run.clone(), task.shard, record.attempt);
            let failure = match self.storage.create(&key, json).await {
                Ok(_) => return Ok(Recorded::Stored),
                Err(failure) => failure,
            };
            match failure.kind {
                // The shard was delivered twice, and both attempts failed.
                StorageErrorKind::Conflict => record.attempt += 1,
                StorageErrorKind::Unavailable | StorageErrorKind::NotFound => {
                    tracing::warn!(error = chain(&failure), "cannot record yet, trying again");
                    tokio::select! {
                        biased;
                        () = self.drain.cancelled() => return Ok(Recorded::NotYet),
                        () = tokio::time::sleep(pauses.next().unwrap_or_default()) => {}
                    }
                }
                StorageErrorKind::Full | StorageErrorKind::Denied => return Err(failure),
            }
        }
    }
}

impl Ready {
    /// Asks the attempt to stop after the item in hand.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

//! Messages that the broker gave up: noted in storage, so that their shards count as failed and no run waits for them
//! for ever. Those that a policy of the broker took from the queue were tried by nobody, and are published again.

use std::time::Duration;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::decision::{DecisionError, Decisions};
use shared::failure::{FailedAttempt, FailureClass, chain, next_attempt};
use shared::queue::{DELIVERY_LIMIT, Death, Delivery, Queue, QueueError, Settlement};
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use shared::task::ShardTask;

use super::Collector;
use crate::freeze::{self, FreezeError};
use crate::metrics;

/// Between two tries to note a dead letter while storage does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Longest wait until a message is published again. It may be there nevertheless, and is then there twice.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two messages that are published again: a policy may take each of them at once.
const PUBLISH_AGAIN: Duration = Duration::from_millis(20);

struct DeadLetter {
    payload: Bytes,
    death: Option<Death>,
}

/// Why a dead letter cannot be dealt with just now.
#[derive(Debug, thiserror::Error)]
enum NoteError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("{place} takes no message within {} s", PATIENCE.as_secs())]
    Silent { place: String },
}

impl Collector {
    /// Notes dead letters; ends never, also when there is no queue.
    pub(super) async fn note_dead_letters(&self) {
        let Some(queue) = &self.queue else {
            return std::future::pending().await;
        };
        loop {
            let error = match queue.consume_dead().await {
                Ok(mut dead) => loop {
                    match dead.next().await {
                        Ok(delivery) => self.note_patiently(queue.as_ref(), delivery).await,
                        Err(error) => break error,
                    }
                },
                Err(error) => error,
            };
            tracing::error!(
                error = chain(&error),
                "cannot read dead letters, trying again"
            );
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn note_patiently(&self, queue: &dyn Queue, delivery: Delivery) {
        let letter = DeadLetter {
            payload: delivery.payload.clone(),
            death: delivery.death,
        };
        while let Err(error) = self.note(queue, &letter).await {
            tracing::warn!(
                error = chain(&error),
                "cannot note a dead letter, trying again"
            );
            tokio::time::sleep(TRY_AGAIN).await;
        }
        metrics::dead_letter();
        if let Err(error) = delivery.settle(Settlement::Ack).await {
            tracing::warn!(error = chain(&error), "a dead letter was not settled");
        }
    }

    async fn note(&self, queue: &dyn Queue, letter: &DeadLetter) -> Result<(), NoteError> {
        let Ok(task) = ShardTask::from_payload(&letter.payload) else {
            tracing::error!(
                bytes = letter.payload.len(),
                "a dead letter is no shard: dropped"
            );
            return Ok(());
        };
        let (run, shard) = (&task.run, task.shard);
        let storage = self.storage.as_ref();
        let record = match freeze::open_record(storage, run).await {
            Ok(record) => record,
            Err(FreezeError::Storage(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(%run, %shard, error = chain(&error), "a dead letter of no run: dropped");
                return Ok(());
            }
        };
        if let Some(reason) = unasked(storage, &task, &record).await? {
            tracing::error!(%run, %shard, reason, "a dead letter that nobody asked for: dropped");
            return Ok(());
        }
        let commit = match task.revision {
            0 => ArtifactKey::Shard(run.clone(), shard),
            revision => ArtifactKey::ShardRevision(run.clone(), shard, revision),
        };
        let is_committed = storage.exists(&commit).await?;
        let (error_class, reason) = match meaning(letter.death) {
            Meaning::NotTried(reason) if task.repair || !is_committed => {
                tracing::warn!(
                    %run, %shard, reason,
                    "a shard that nobody has tried is published again: remove that policy from the queue"
                );
                let published = queue.publish(std::slice::from_ref(&task));
                match tokio::time::timeout(PATIENCE, published).await {
                    Ok(published) => published?,
                    Err(_) => {
                        let place = queue.locate();
                        return Err(NoteError::Silent { place });
                    }
                }
                tokio::time::sleep(PUBLISH_AGAIN).await;
                return Ok(());
            }
            Meaning::GivenUp(error_class, reason) if !is_committed => (error_class, reason),
            Meaning::NotTried(_) | Meaning::GivenUp(..) => return Ok(()),
        };
        let next = next_attempt(storage, run, shard, task.first_attempt).await?;
        tracing::warn!(%run, %shard, failed_attempts = next - task.first_attempt, "a shard was given up");
        let end = task
            .first_attempt
            .saturating_add(record.limits.max_attempts);
        for number in next..end {
            let failure = FailedAttempt {
                attempt: number,
                error_class,
                error: reason.clone(),
                worker: "none".to_owned(),
                failed_at: self.board.now(),
            };
            let key = ArtifactKey::FailedAttempt(run.clone(), shard, number);
            let json = Bytes::from(failure.to_json(&key));
            match storage.create(&key, json).await {
                Ok(_) => {}
                Err(error) if error.kind == StorageErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Returns why a message is about nothing that was planned or decided, if it is: nothing is noted of that.
async fn unasked(
    storage: &dyn Storage,
    task: &ShardTask,
    record: &RunRecord,
) -> Result<Option<String>, StorageError> {
    let num_shards = record.frozen.num_shards;
    if task.shard.0 as usize >= num_shards {
        return Ok(Some(format!("the run has {num_shards} shards")));
    }
    let decisions = match Decisions::read(storage, &task.run).await {
        Ok(decisions) => decisions,
        Err(DecisionError::Storage(error)) => return Err(error),
        // Nobody can tell what was decided.
        Err(
            DecisionError::Malformed { .. }
            | DecisionError::TooLarge { .. }
            | DecisionError::Meanwhile { .. },
        ) => return Ok(None),
    };
    let first = decisions.first_attempt(task.shard);
    if task.first_attempt == 0 || task.first_attempt > first {
        return Ok(Some(format!("attempts count from number {first}")));
    }
    let is_decided =
        task.revision == 0 || decisions.retries.of(task.shard, task.revision).is_some();
    Ok((!is_decided).then(|| format!("revision {} was not decided", task.revision)))
}

/// What a dead letter says of its shard.
enum Meaning {
    /// It is given up, although no worker has recorded enough failures of it: a class and a reason.
    GivenUp(FailureClass, String),
    /// Nobody tried it: a policy of the broker took it from the queue, and why.
    NotTried(&'static str),
}

/// Returns what the last death of a message means.
fn meaning(death: Option<Death>) -> Meaning {
    match death {
        Some(Death::DeliveryLimit) => Meaning::GivenUp(
            FailureClass::Resources,
            format!(
                "delivered more than {DELIVERY_LIMIT} times without an end: the workers that took it died or lost the \
                 broker; look at their logs, they may have run out of memory"
            ),
        ),
        Some(Death::Expired) => Meaning::NotTried("it waited longer than message-ttl permits"),
        Some(Death::Dropped) => Meaning::NotTried("the queue is longer than max-length permits"),
        Some(Death::Rejected) | None => Meaning::GivenUp(
            FailureClass::Transient,
            "given up by a worker that found no such run in its storage root, or a record that it does not believe: give \
             every worker the root of the run, and look at their logs"
                .to_owned(),
        ),
    }
}

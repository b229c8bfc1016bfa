//! Messages that were given up.
//!
//! What the broker gave up because its workers died over it is noted in storage: its shard counts as failed, and no run waits
//! for it for ever. Nothing else fails a shard here: what was tried too often has failed already, as its workers noted, and
//! what was never tried is published again, whatever gave it up and why.
//!
//! - [`again`]: how soon a shard is published again

mod again;

use std::time::Duration;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::decision::{DecisionError, Decisions};
use shared::failure::{FailedAttempt, FailureClass, MAX_ATTEMPT, chain, next_attempt};
use shared::ids::{RunId, ShardId};
use shared::queue::message::ShardTask;
use shared::queue::{
    DELIVERY_LIMIT, DeadLetterReason, Delivery, QueueError, Settlement, WorkQueue,
};
use shared::rate::RateLimit;
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use tokio::time::Instant;

use self::again::PublishedAgain;
use super::{Collector, gauges};
use crate::run::freeze::{self, FreezeError};

/// Between two tries to note a dead letter while storage does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Longest wait until a message is published again. It may be there nevertheless, and is then there twice.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two messages that are published again: a policy may take each of them at once.
const PUBLISH_AGAIN: Duration = Duration::from_millis(20);

/// In which time each letter that is kept is looked at again, unless there are too many.
const LOOK_ROUND: Duration = Duration::from_secs(10);

/// Shortest time between two letters that are kept.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

/// Letters that are kept may be many, and each is looked at again and again.
static KEPT_TOLD: RateLimit = RateLimit::new(10, Duration::from_secs(60));

struct DeadLetter {
    payload: Bytes,
    reason: Option<DeadLetterReason>,
}

/// What becomes of a dead letter.
enum Noted {
    /// There is nothing more to do about it.
    Done,
    /// It waits behind the others until it can be told what it is about: why it cannot now.
    Kept(String),
    /// It waits behind the others, as its shard was published again a short while ago.
    NotDue,
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

impl NoteError {
    /// Returns whether it is about what the letter needs, and not about storage or queue as a whole: other letters may need
    /// something else.
    fn is_of_letter(&self) -> bool {
        match self {
            Self::Storage(error) => match error.kind {
                StorageErrorKind::NotFound
                | StorageErrorKind::Conflict
                | StorageErrorKind::Denied
                | StorageErrorKind::Invalid => true,
                StorageErrorKind::Full | StorageErrorKind::Unavailable => false,
            },
            Self::Queue(_) | Self::Silent { .. } => false,
        }
    }
}

impl Collector {
    /// Notes dead letters; ends never.
    pub(super) async fn note_dead_letters(&self, queue: &dyn WorkQueue) {
        let mut again = PublishedAgain::default();
        loop {
            let error = match queue.consume_dead().await {
                Ok(mut dead) => loop {
                    match dead.next().await {
                        Ok(delivery) => {
                            self.note_patiently(queue, delivery, &mut again).await;
                        }
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

    async fn note_patiently(
        &self,
        queue: &dyn WorkQueue,
        delivery: Delivery,
        again: &mut PublishedAgain,
    ) {
        let letter = DeadLetter {
            payload: delivery.payload.clone(),
            reason: delivery.dead_letter,
        };
        let noted = loop {
            let error = match self.note(queue, &letter, again).await {
                Ok(noted) => break noted,
                Err(error) => error,
            };
            if error.is_of_letter() {
                break Noted::Kept(chain(&error));
            }
            tracing::warn!(
                error = chain(&error),
                "cannot note a dead letter, trying again"
            );
            tokio::time::sleep(TRY_AGAIN).await;
        };
        let settlement = match noted {
            Noted::Done => {
                gauges::count_dead_letter();
                Settlement::Ack
            }
            Noted::Kept(reason) => {
                if let Some(untold) = KEPT_TOLD.pass(std::time::Instant::now()) {
                    tracing::error!(
                        reason,
                        untold,
                        "a dead letter waits until it can be told what it is about"
                    );
                }
                tokio::time::sleep(pause_after_kept(queue).await).await;
                Settlement::Release
            }
            Noted::NotDue => {
                tokio::time::sleep(pause_after_kept(queue).await).await;
                Settlement::Release
            }
        };
        if let Err(error) = delivery.settle(settlement).await {
            tracing::warn!(error = chain(&error), "a dead letter was not settled");
        }
    }

    async fn note(
        &self,
        queue: &dyn WorkQueue,
        letter: &DeadLetter,
        again: &mut PublishedAgain,
    ) -> Result<Noted, NoteError> {
        let Ok(task) = ShardTask::from_payload(&letter.payload) else {
            tracing::error!(
                bytes = letter.payload.len(),
                "a dead letter is no shard: dropped"
            );
            return Ok(Noted::Done);
        };
        let (run, shard) = (&task.run, task.shard);
        // Before anything is asked for it: such letters come round all the time.
        let is_paced = is_paced(letter.reason);
        if is_paced && !again.is_due(&task, Instant::now()) {
            return Ok(Noted::NotDue);
        }
        let storage = self.storage.as_ref();
        let record = match freeze::open_record(storage, run).await {
            Ok(record) => record,
            Err(FreezeError::Storage(error)) => return Err(error.into()),
            Err(FreezeError::Missing { path, .. }) => {
                return Ok(without_record(storage, run, shard, &path).await?);
            }
            Err(
                error @ (FreezeError::Malformed { .. }
                | FreezeError::Different { .. }
                | FreezeError::Leftovers { .. }),
            ) => {
                return Ok(Noted::Kept(chain(&error)));
            }
        };
        if let Some(reason) = unasked(storage, &task, &record).await? {
            tracing::error!(%run, %shard, reason, "a dead letter that nobody asked for: dropped");
            return Ok(Noted::Done);
        }
        let commit = match task.revision {
            0 => ArtifactKey::Shard(run.clone(), shard),
            revision => ArtifactKey::ShardRevision(run.clone(), shard, revision),
        };
        let is_committed = storage.exists(&commit).await?;
        let reason = match meaning(letter.reason) {
            Meaning::GivenUp(_) if is_committed => return Ok(Noted::Done),
            Meaning::GivenUp(reason) => {
                self.fail(&task, &record, reason).await?;
                return Ok(Noted::Done);
            }
            Meaning::NotTried(_) if is_committed && !task.repair => return Ok(Noted::Done),
            Meaning::NotTried(reason) => reason,
        };
        let next = next_attempt(storage, run, shard, task.first_attempt).await?;
        if next - task.first_attempt >= record.limits.max_attempts {
            tracing::debug!(%run, %shard, "a shard that was tried too often has failed");
            return Ok(Noted::Done);
        }
        tracing::warn!(%run, %shard, reason, "a shard that nobody has tried is published again");
        publish(queue, &task).await?;
        if is_paced {
            again.published(&task, Instant::now());
        }
        tokio::time::sleep(PUBLISH_AGAIN).await;
        Ok(Noted::Done)
    }

    /// Notes that a shard was given up: the attempts that are left of it have failed.
    async fn fail(
        &self,
        task: &ShardTask,
        record: &RunRecord,
        reason: String,
    ) -> Result<(), StorageError> {
        let (run, shard) = (&task.run, task.shard);
        let storage = self.storage.as_ref();
        let next = next_attempt(storage, run, shard, task.first_attempt).await?;
        tracing::warn!(%run, %shard, failed_attempts = next - task.first_attempt, "a shard was given up");
        let end = task
            .first_attempt
            .saturating_add(record.limits.max_attempts)
            .min(MAX_ATTEMPT + 1);
        for number in next..end {
            let failure = FailedAttempt {
                attempt: number,
                error_class: FailureClass::Resources,
                error: reason.clone(),
                worker: "none".to_owned(),
                failed_at: self.live.now(),
            };
            let key = ArtifactKey::FailedAttempt(run.clone(), shard, number);
            let json = Bytes::from(failure.to_json(&key));
            match storage.create(&key, json).await {
                Ok(_) => {}
                Err(error) if error.kind == StorageErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns how long it takes until the next letter that is kept is looked at: all of them are within a time.
async fn pause_after_kept(queue: &dyn WorkQueue) -> Duration {
    let others = queue.depth().await.map_or(0, |depth| depth.dead);
    let letters = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
    (LOOK_ROUND / letters).max(LEAST_PAUSE)
}

async fn publish(queue: &dyn WorkQueue, task: &ShardTask) -> Result<(), NoteError> {
    let published = queue.publish(std::slice::from_ref(task));
    match tokio::time::timeout(PATIENCE, published).await {
        Ok(published) => Ok(published?),
        Err(_) => {
            let place = queue.locate();
            Err(NoteError::Silent { place })
        }
    }
}

/// Returns what becomes of a letter of a run that has no record: it is dropped where other runs are and nothing of this one.
async fn without_record(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    path: &str,
) -> Result<Noted, StorageError> {
    let runs = storage.runs().await?;
    if runs.is_empty() {
        return Ok(Noted::Kept(format!(
            "{path} is not there, and the storage root has no run at all: is it mounted, and is it the root that `launch` used?"
        )));
    }
    if runs.contains(run) {
        return Ok(Noted::Kept(format!(
            "{path} is not there, and other objects of run {run} are: put a copy back, or remove the rest as well"
        )));
    }
    tracing::error!(%run, %shard, path, "a dead letter of no run: dropped");
    Ok(Noted::Done)
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
        // What was decided cannot be told.
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
    /// It is given up, although no worker has recorded enough failures of it: why.
    GivenUp(String),
    /// It was never tried, unless storage says so: why it is a dead letter.
    NotTried(&'static str),
}

/// Returns whether a letter may come back at once, as those that workers give up or others bring in. A policy takes its
/// time itself, and what the broker gave up is over.
fn is_paced(reason: Option<DeadLetterReason>) -> bool {
    match reason {
        Some(
            DeadLetterReason::Expired | DeadLetterReason::Dropped | DeadLetterReason::DeliveryLimit,
        ) => false,
        Some(DeadLetterReason::Rejected | DeadLetterReason::Unexplained) | None => true,
    }
}

/// Returns what the reason of a dead letter means.
fn meaning(reason: Option<DeadLetterReason>) -> Meaning {
    match reason {
        Some(DeadLetterReason::DeliveryLimit) => Meaning::GivenUp(format!(
            "delivered more than {DELIVERY_LIMIT} times without an end: the workers that took it died or lost the broker; \
             look at their logs, they may have run out of memory"
        )),
        Some(DeadLetterReason::Expired) => Meaning::NotTried(
            "it waited longer than message-ttl permits: remove that policy from the queue",
        ),
        Some(DeadLetterReason::Dropped) => Meaning::NotTried(
            "the queue is longer than max-length permits: remove that policy from the queue",
        ),
        Some(DeadLetterReason::Rejected) => Meaning::NotTried(
            "a worker could not open its run, or could not record that it failed: give every worker the root of the run and \
             the version of the coordinator, and look at their logs",
        ),
        Some(DeadLetterReason::Unexplained) | None => Meaning::NotTried(
            "neither the broker nor a worker made it a dead letter: who publishes there beside synth2real?",
        ),
    }
}

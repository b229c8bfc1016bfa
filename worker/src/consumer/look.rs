//! What storage says about a shard before it is tried.

use std::sync::atomic::AtomicBool;

use backon::{BackoffBuilder, ExponentialBuilder};
use shared::artifact::ArtifactKey;
use shared::decision::{DecisionError, Decisions};
use shared::failure::{FailureClass, chain, next_attempt};
use shared::queue::Settlement;
use shared::run_record::RunRecord;
use shared::storage::{StorageError, StorageErrorKind};
use shared::task::ShardTask;

use super::Consumer;
use crate::attempt::Tools;
use crate::workshop::WorkshopError;

/// What is to be done about a message.
pub(super) enum Look {
    /// Nothing but this.
    Settled(Settlement),
    /// Nothing will work here.
    Fatal(String),
    /// The shard is to be tried.
    Ready(Box<Ready>),
}

/// A shard that is to be tried.
pub(super) struct Ready {
    pub(super) record: RunRecord,
    pub(super) tools: Tools,
    pub(super) decisions: Decisions,
    /// Number of the attempt.
    pub(super) number: u32,
    /// Failed attempts that count.
    pub(super) failures: u32,
    /// Set to stop this attempt.
    pub(super) stop: AtomicBool,
}

/// Why storage gives no answer.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
}

impl LookError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Storage(error) | Self::Decision(DecisionError::Storage(error)) => {
                match error.kind {
                    StorageErrorKind::Unavailable | StorageErrorKind::NotFound => {
                        FailureClass::Transient
                    }
                    StorageErrorKind::Conflict
                    | StorageErrorKind::Full
                    | StorageErrorKind::Denied => FailureClass::Fatal,
                }
            }
            Self::Decision(DecisionError::Malformed { .. }) => FailureClass::Fatal,
            Self::Workshop(error) => error.class(),
        }
    }
}

impl Consumer {
    /// Looks until storage answers: while it does not, nothing can be tried, and nothing counts as tried.
    pub(super) async fn look_patiently(&self, task: &ShardTask) -> Look {
        let mut pauses = patience();
        loop {
            let error = match self.look(task).await {
                Ok(look) => return look,
                Err(error) => error,
            };
            match error.class() {
                FailureClass::Transient
                | FailureClass::Resources
                | FailureClass::BadInput
                | FailureClass::Missing
                | FailureClass::BadOutput => {}
                FailureClass::Fatal => return Look::Fatal(chain(&error)),
            }
            tracing::warn!(error = chain(&error), "cannot begin yet, trying again");
            tokio::select! {
                biased;
                () = self.drain.cancelled() => return Look::Settled(Settlement::Release),
                () = tokio::time::sleep(pauses.next().unwrap_or_default()) => {}
            }
        }
    }

    async fn look(&self, task: &ShardTask) -> Result<Look, LookError> {
        let storage = self.storage.as_ref();
        let key = ArtifactKey::RunRecord(task.run.clone());
        let committed = ArtifactKey::Shard(task.run.clone(), task.shard);
        let (record, decisions, committed, number) = tokio::join!(
            storage.read(&key),
            Decisions::read(storage, &task.run),
            storage.exists(&committed),
            next_attempt(storage, &task.run, task.shard, task.first_attempt),
        );
        let record = match record {
            Ok(bytes) => bytes,
            Err(error) if error.kind == StorageErrorKind::NotFound => {
                let path = storage.locate(&key);
                tracing::error!(
                    path,
                    "a shard of a run that is not in this worker's storage root goes to the dead letters"
                );
                return Ok(Look::Settled(Settlement::Reject));
            }
            Err(error) => return Err(error.into()),
        };
        let Ok(record) = serde_json::from_slice::<RunRecord>(&record) else {
            let path = storage.locate(&key);
            return Ok(Look::Fatal(format!(
                "{path} is no run record of this version: use workers and coordinator of one version"
            )));
        };
        let decisions = decisions?;
        if let Some(reason) = &decisions.halted {
            tracing::info!(reason, "the run is halted: its shard is dropped");
            return Ok(Look::Settled(Settlement::Ack));
        }
        if committed? && !task.repair {
            tracing::debug!("the shard is committed already");
            return Ok(Look::Settled(Settlement::Ack));
        }
        let number = number?;
        let failures = number - task.first_attempt;
        if failures >= record.limits.max_attempts {
            tracing::debug!(failures, "the shard was given up before");
            return Ok(Look::Settled(Settlement::Reject));
        }
        let tools = self.workshop.tools(&record).await?;
        Ok(Look::Ready(Box::new(Ready {
            record,
            tools,
            decisions,
            number,
            failures,
            stop: AtomicBool::new(false),
        })))
    }
}

/// Pauses of somebody who waits for storage: half a second to half a minute, for ever.
pub(super) fn patience() -> impl Iterator<Item = std::time::Duration> {
    ExponentialBuilder::default()
        .with_min_delay(std::time::Duration::from_millis(500))
        .with_max_delay(std::time::Duration::from_secs(30))
        .without_max_times()
        .with_jitter()
        .build()
}

//! What storage says about a shard before it is tried.

use std::sync::atomic::AtomicBool;

use backon::{BackoffBuilder, ExponentialBuilder};
use shared::artifact::ArtifactKey;
use shared::decision::{DecisionError, Decisions};
use shared::failure::{FailureClass, chain, next_attempt};
use shared::ids::{RunId, ShardId};
use shared::manifest::{self, ManifestError, ManifestRow};
use shared::queue::Settlement;
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use shared::task::ShardTask;

use super::Consumer;
use crate::attempt::{Goal, Tools};
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
    /// What of it is to be made.
    pub(super) goal: Goal,
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
    #[error("{path} is damaged")]
    Manifest {
        path: String,
        #[source]
        source: ManifestError,
    },
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
            Self::Decision(DecisionError::Malformed { .. } | DecisionError::Meanwhile { .. }) => {
                FailureClass::Fatal
            }
            Self::Workshop(error) => error.class(),
            Self::Manifest { .. } => FailureClass::Fatal,
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
                | FailureClass::Changed
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
        let record = match RunRecord::parse(&record, &task.run) {
            Ok(record) => record,
            Err(error) => {
                let path = storage.locate(&key);
                return Ok(Look::Fatal(format!(
                    "{path} is no run record of this version, or is damaged: {error}; use workers and coordinator of one \
                     version"
                )));
            }
        };
        // A run in this process goes by the settings at hand, which say where its inputs are now.
        let given = self.given.as_ref();
        let given =
            given.filter(|given| given.run == record.run && given.plan_hash == record.plan_hash);
        let record = given.cloned().unwrap_or(record);
        let decisions = decisions?;
        if let Some(reason) = &decisions.halted {
            tracing::info!(reason, "the run is halted: its shard is dropped");
            return Ok(Look::Settled(Settlement::Ack));
        }
        let Some(goal) = goal(storage, task, &decisions, committed?).await? else {
            return Ok(Look::Settled(Settlement::Ack));
        };
        let number = number?;
        let failures = number - task.first_attempt;
        if failures >= record.limits.max_attempts {
            tracing::debug!(failures, "the shard was given up before");
            return Ok(Look::Settled(Settlement::Reject));
        }
        let changed = &decisions.changed_inputs;
        let tools = self.workshop.tools(&record, changed).await?;
        Ok(Look::Ready(Box::new(Ready {
            record,
            tools,
            decisions,
            goal,
            number,
            failures,
            stop: AtomicBool::new(false),
        })))
    }
}

/// Returns what is to be made of a shard; nothing if that was done before.
async fn goal(
    storage: &dyn Storage,
    task: &ShardTask,
    decisions: &Decisions,
    committed: bool,
) -> Result<Option<Goal>, LookError> {
    let (run, shard) = (&task.run, task.shard);
    let retries = &decisions.retries;
    match (task.revision, committed) {
        (0, false) => Ok(Some(Goal::Shard)),
        (0, true) if task.repair => {
            let rows = committed_rows(storage, run, shard, decisions).await?;
            Ok(Some(Goal::Repair { rows }))
        }
        (0, true) => {
            tracing::debug!("the shard is committed already");
            Ok(None)
        }
        (revision, false) => {
            tracing::warn!(
                revision,
                "a revision of a shard that is not committed is dropped"
            );
            Ok(None)
        }
        (revision, true) => {
            let Some(items) = retries.of(shard, revision) else {
                tracing::warn!(revision, "a revision that was not decided is dropped");
                return Ok(None);
            };
            for earlier in retries.revisions(shard).filter(|&other| other < revision) {
                let key = ArtifactKey::ShardRevision(run.clone(), shard, earlier);
                if !storage.exists(&key).await? {
                    tracing::warn!(
                        revision,
                        earlier,
                        "a revision before an earlier one is dropped"
                    );
                    return Ok(None);
                }
            }
            let key = ArtifactKey::ShardRevision(run.clone(), shard, revision);
            if storage.exists(&key).await? {
                tracing::debug!(revision, "the revision is committed already");
                return Ok(None);
            }
            Ok(Some(Goal::Revision {
                number: revision,
                items: items.clone(),
            }))
        }
    }
}

/// Returns the rows that hold of a committed shard.
async fn committed_rows(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    decisions: &Decisions,
) -> Result<Vec<ManifestRow>, LookError> {
    let committed = read_rows(storage, ArtifactKey::Shard(run.clone(), shard)).await?;
    let mut revisions = Vec::new();
    for revision in decisions.retries.revisions(shard) {
        let key = ArtifactKey::ShardRevision(run.clone(), shard, revision);
        if !storage.exists(&key).await? {
            break;
        }
        revisions.push(read_rows(storage, key).await?);
    }
    Ok(manifest::effective(committed, revisions))
}

async fn read_rows(storage: &dyn Storage, key: ArtifactKey) -> Result<Vec<ManifestRow>, LookError> {
    let rows = manifest::read(storage.read(&key).await?);
    rows.map_err(|source| LookError::Manifest {
        path: storage.locate(&key),
        source,
    })
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

//! What storage says about a shard before it is tried.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use shared::artifact::ArtifactKey;
use shared::decision::{DecisionError, Decisions};
use shared::failure::{FailureClass, Stage, chain, next_attempt};
use shared::making::ContentDigests;
use shared::manifest::{ManifestError, ManifestRow, Status};
use shared::plan::{PlanError, ShardInputs};
use shared::queue::Settlement;
use shared::queue::message::ShardTask;
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageError, StorageErrorKind};
use tokio::time::Instant;

use super::Consumer;
use super::committed::{committed_rows, known_contents};
use super::plans::Plans;
use super::root::{NoRun, Root, Unopened};
use super::settling::Failure;
use crate::attempt::{Goal, Tools};
use crate::workshop::WorkshopError;

/// What is to be done about a message.
pub(super) enum Look {
    /// Nothing but this.
    Settled(Settlement),
    /// It is about no shard that could be made: it goes to the dead letters, and nothing is recorded.
    Refused(String),
    /// Its run cannot be opened here, which says nothing about the run.
    NoRun(NoRun),
    /// The run cannot be worked on as it is: that is a failed attempt.
    Failed(Failure),
    /// What the run needs was away for longer than the run waits for it: the shard goes back, and nothing counts.
    Away(String),
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
    /// Its contents and styles.
    pub(super) inputs: ShardInputs,
    /// What of it is to be made.
    pub(super) goal: Goal,
    /// What committed rows say of its contents.
    pub(super) known: BTreeMap<String, ContentDigests>,
    /// The attempt.
    pub(super) next: NextAttempt,
    /// Set to stop this attempt.
    pub(super) stop: AtomicBool,
}

/// The attempt that comes next at a shard.
#[derive(Clone, Copy)]
pub(super) struct NextAttempt {
    pub(super) number: u32,
    /// Failed attempts that count.
    failures: u32,
    max_attempts: u32,
    /// How long what the run needs is waited for.
    patience: Duration,
}

impl NextAttempt {
    /// Returns whether the shard was given up before.
    fn is_one_too_many(self) -> bool {
        self.failures >= self.max_attempts
    }

    /// Returns this attempt as one that failed.
    pub(super) fn failed(self, class: FailureClass, reason: String) -> Failure {
        Failure {
            number: self.number,
            is_last: self.failures + 1 >= self.max_attempts,
            class,
            reason,
            ends_engine: false,
        }
    }
}

/// Why storage gives no answer, or one that is no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Plan(#[from] PlanError),
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
            // It is there, and no file of ours: no waiting helps.
            Self::Storage(error) if error.refused().is_some() => FailureClass::Unworkable,
            Self::Storage(error) | Self::Decision(DecisionError::Storage(error)) => {
                FailureClass::of_storage(error.kind, Stage::Look)
            }
            Self::Plan(PlanError::Storage(error)) => {
                FailureClass::of_storage(error.kind, Stage::Plan)
            }
            Self::Decision(
                DecisionError::Malformed { .. }
                | DecisionError::TooLarge { .. }
                | DecisionError::Meanwhile { .. },
            )
            | Self::Plan(PlanError::Malformed { .. })
            | Self::Manifest { .. } => FailureClass::Unworkable,
            Self::Workshop(error) => error.class(),
        }
    }

    /// Returns whether the storage root refuses an object of the run.
    fn is_denied(&self) -> bool {
        match self {
            Self::Storage(error)
            | Self::Decision(DecisionError::Storage(error))
            | Self::Plan(PlanError::Storage(error)) => error.kind == StorageErrorKind::Denied,
            Self::Decision(
                DecisionError::Malformed { .. }
                | DecisionError::TooLarge { .. }
                | DecisionError::Meanwhile { .. },
            )
            | Self::Plan(PlanError::Malformed { .. })
            | Self::Workshop(_)
            | Self::Manifest { .. } => false,
        }
    }

    /// Returns whether what the run needs beside the storage root is away.
    fn is_away(&self) -> bool {
        match self {
            Self::Workshop(error) => error.is_away(),
            Self::Storage(_) | Self::Decision(_) | Self::Plan(_) | Self::Manifest { .. } => false,
        }
    }

    /// Returns whether it is about what the run needs beside the storage root: other runs may need something else.
    fn is_of_workshop(&self) -> bool {
        match self {
            Self::Workshop(_) => true,
            Self::Storage(_) | Self::Decision(_) | Self::Plan(_) | Self::Manifest { .. } => false,
        }
    }
}

impl Consumer {
    /// Looks until storage answers: while it does not, nothing can be tried, and nothing counts as tried. What the run
    /// alone needs is waited for as long as the run says, from when it was found to be of no use: what storage took before
    /// does not count.
    pub(super) async fn look_patiently(
        &self,
        task: &ShardTask,
        plans: &mut Plans,
        root: &mut Root,
    ) -> Look {
        let (mut useless_since, mut pauses) = (None::<Instant>, patience());
        let mut next = None;
        loop {
            let error = match self.look(task, plans, root, &mut next).await {
                Ok(look) => return look,
                Err(error) => error,
            };
            let waited = if error.is_of_workshop() {
                useless_since.get_or_insert_with(Instant::now).elapsed()
            } else {
                useless_since = None;
                Duration::ZERO
            };
            let has_waited =
                error.is_of_workshop() && next.is_some_and(|next| waited >= next.patience);
            if has_waited && error.is_away() {
                return Look::Away(format!(
                    "{}; waited {} s for it (limits.input_patience_seconds): start again once it can be read",
                    chain(&error),
                    waited.as_secs()
                ));
            }
            let class = error.class();
            let is_of_run = match class {
                FailureClass::Transient
                | FailureClass::Resources
                | FailureClass::BadInput
                | FailureClass::Missing
                | FailureClass::Changed
                | FailureClass::BadOutput => has_waited,
                FailureClass::Unworkable => true,
                FailureClass::Fatal => {
                    if !(error.is_denied() && self.denies_one_run().await) {
                        return Look::Fatal(chain(&error));
                    }
                    true
                }
            };
            if is_of_run {
                let reason = chain(&error);
                return match next {
                    _ if self.is_alone() => Look::Fatal(reason),
                    Some(next) if next.is_one_too_many() => Look::Settled(Settlement::Reject),
                    Some(next) => Look::Failed(next.failed(class, reason)),
                    None => Look::Refused(reason),
                };
            }
            tracing::warn!(error = chain(&error), "cannot begin yet, trying again");
            let mut pause = pauses.next().unwrap_or_default();
            if let Some(next) = next.filter(|_| error.is_of_workshop()) {
                pause = pause.min(next.patience.saturating_sub(waited));
            }
            tokio::select! {
                biased;
                () = self.drain.cancelled() => return Look::Settled(Settlement::Release),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks once. `next` is set as soon as it is known which attempt comes next.
    async fn look(
        &self,
        task: &ShardTask,
        plans: &mut Plans,
        root: &mut Root,
        next: &mut Option<NextAttempt>,
    ) -> Result<Look, LookError> {
        let storage = self.storage.as_ref();
        let key = ArtifactKey::RunRecord(task.run.clone());
        let committed = ArtifactKey::Shard(task.run.clone(), task.shard);
        let (record, decisions, committed) = tokio::join!(
            storage.read(&key),
            Decisions::read(storage, &task.run),
            storage.exists(&committed),
        );
        let no_run = |why| {
            let path = storage.locate(&key);
            Ok(Look::NoRun(NoRun { path, why }))
        };
        let record = match record {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => {
                return no_run(if self.has_runs().await? {
                    Unopened::Absent
                } else {
                    Unopened::EmptyRoot
                });
            }
            // It is too large, or no file.
            Err(error) if error.kind == StorageErrorKind::NotFound => {
                return no_run(Unopened::Unreadable(chain(&error)));
            }
            Err(error) => return Err(error.into()),
        };
        let record = match RunRecord::parse(&record, &task.run) {
            Ok(record) => record,
            Err(error) => return no_run(Unopened::Unreadable(chain(&error))),
        };
        root.opened(&task.run);
        // A run in this process goes by the settings at hand, which say where its inputs are now.
        let given = self.given.as_ref();
        let given =
            given.filter(|given| given.run == record.run && given.plan_hash == record.plan_hash);
        let record = given.cloned().unwrap_or(record);
        if task.shard.0 as usize >= record.frozen.num_shards {
            return Ok(Look::Refused(format!(
                "run {} has {} shards, and none with id {}",
                task.run, record.frozen.num_shards, task.shard
            )));
        }
        // Before anything is counted from there.
        if let Ok(known) = &decisions {
            let first = known.first_attempt(task.shard);
            if task.first_attempt == 0 || task.first_attempt > first {
                return Ok(Look::Refused(format!(
                    "attempts count from number {first}, and the message says from {}",
                    task.first_attempt
                )));
            }
        }
        let number = next_attempt(storage, &task.run, task.shard, task.first_attempt).await?;
        let attempt = *next.insert(NextAttempt {
            number,
            failures: number - task.first_attempt,
            max_attempts: record.limits.max_attempts,
            patience: record.limits.input_patience(),
        });
        let decisions = decisions?;
        if let Some(reason) = &decisions.halted {
            tracing::info!(reason, "the run is halted: its shard is dropped");
            return Ok(Look::Settled(Settlement::Ack));
        }
        let Some(Wanted { goal, rows }) = goal(storage, task, &decisions, committed?).await? else {
            return Ok(Look::Settled(Settlement::Ack));
        };
        if attempt.is_one_too_many() {
            tracing::debug!(attempt.failures, "the shard was given up before");
            return Ok(Look::Settled(Settlement::Reject));
        }
        let plan = plans.of(storage, &record).await?;
        let Some(shard) = plan.shard(task.shard) else {
            return Ok(Look::Refused(format!(
                "the plan of run {} has no shard {}",
                task.run, task.shard
            )));
        };
        // What the plan does not have is never made, whatever a decision says.
        decisions.check(storage, &task.run, &plan).await?;
        let changed = &decisions.changed_inputs;
        let inputs = plan.inputs(shard, changed);
        let known = known_contents(storage, &task.run, &plan, shard, &rows).await?;
        let tools = self.workshop.tools(&record, changed).await?;
        Ok(Look::Ready(Box::new(Ready {
            record,
            tools,
            decisions,
            inputs,
            goal,
            known,
            next: attempt,
            stop: AtomicBool::new(false),
        })))
    }

    /// Returns whether storage that denied an object of a run permits everything else.
    pub(super) async fn denies_one_run(&self) -> bool {
        self.storage.check_writable().await.is_ok()
    }
}

/// What is asked for, and the rows that hold of the shard by now.
struct Wanted {
    goal: Goal,
    rows: Vec<ManifestRow>,
}

/// Returns what is to be made of a shard; nothing if that was done before.
async fn goal(
    storage: &dyn Storage,
    task: &ShardTask,
    decisions: &Decisions,
    committed: bool,
) -> Result<Option<Wanted>, LookError> {
    let (run, shard) = (&task.run, task.shard);
    let retries = &decisions.retries;
    match (task.revision, committed) {
        (0, false) => Ok(Some(Wanted {
            goal: Goal::Shard,
            rows: Vec::new(),
        })),
        (0, true) if task.repair => {
            let rows = committed_rows(storage, run, shard, decisions).await?;
            let goal = Goal::Repair { rows: rows.clone() };
            Ok(Some(Wanted { goal, rows }))
        }
        (0, true) => {
            tracing::debug!("the shard is committed already");
            // Its message goes now, so the commit must survive, whoever stored it.
            storage
                .settle(&ArtifactKey::Shard(run.clone(), shard))
                .await?;
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
                storage.settle(&key).await?;
                return Ok(None);
            }
            let rows = match committed_rows(storage, run, shard, decisions).await {
                // A damaged commit tells nothing of its contents, and whoever counts it names it.
                Err(LookError::Manifest { .. }) => Vec::new(),
                rows => rows?,
            };
            let is_asked = |row: &&ManifestRow| {
                row.status == Status::Done && items.has(&row.item.style, &row.item.content)
            };
            let goal = Goal::Revision {
                number: revision,
                items: items.clone(),
                done: rows.iter().filter(is_asked).cloned().collect(),
            };
            Ok(Some(Wanted { goal, rows }))
        }
    }
}

/// Pauses of somebody who waits for storage: half a second to half a minute, for ever.
pub(super) fn patience() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(30))
        .without_max_times()
        .with_jitter()
        .build()
}

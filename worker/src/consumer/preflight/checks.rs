//! The checks, once: each looks at what the one before it found.

use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::decision::Decisions;
use shared::failure::{chain, next_attempt};
use shared::queue::Settlement;
use shared::queue::message::ShardTask;
use shared::run_record::RunRecord;
use shared::storage::{Storage, StorageError, StorageErrorKind};

use super::goal::{Wanted, goal};
use super::{NextAttempt, Preflight, PreflightError, PreparedShard};
use crate::consumer::committed::known_contents;
use crate::consumer::root::{NoRun, Unopened, has_runs};
use crate::consumer::{Consumer, Memory};

/// Checks once. `next` is set as soon as it is known which attempt comes next.
pub(super) async fn preflight(
    consumer: &Consumer,
    task: &ShardTask,
    memory: &mut Memory,
    next: &mut Option<NextAttempt>,
) -> Result<Preflight, PreflightError> {
    let storage = consumer.storage.as_ref();
    let key = ArtifactKey::RunRecord(task.run.clone());
    let committed = ArtifactKey::Shard(task.run.clone(), task.shard);
    let (record, decisions, committed) = tokio::join!(
        storage.read(&key),
        Decisions::read(storage, &task.run),
        storage.exists(&committed),
    );
    let record = match opened(storage, task, record).await? {
        Ok(record) => record,
        Err(why) => {
            let path = storage.locate(&key);
            return Ok(Preflight::NoRun(NoRun { path, why }));
        }
    };
    memory.root.opened(&task.run);
    let record = at_hand(consumer, record);
    // Before anything is counted from there.
    if let Some(reason) = misfit(task, &record, decisions.as_ref().ok()) {
        return Ok(Preflight::Refused(reason));
    }
    let attempt = next_of(storage, task, &record).await?;
    *next = Some(attempt);
    let decisions = decisions?;
    let Wanted { goal, rows } = match wanted(storage, task, &decisions, committed, attempt).await? {
        Ok(wanted) => wanted,
        Err(settlement) => return Ok(Preflight::Settled(settlement)),
    };
    let plan = memory.plans.of(storage, &record).await?;
    let Some(shard) = plan.shard(task.shard) else {
        return Ok(Preflight::Refused(format!(
            "the plan of run {} has no shard {}",
            task.run, task.shard
        )));
    };
    // What the plan does not have is never made, whatever a decision says.
    decisions.check(storage, &task.run, &plan).await?;
    let changed = &decisions.changed_inputs;
    let inputs = plan.inputs(shard, changed);
    let known = known_contents(storage, &task.run, &plan, shard, &rows).await?;
    let context = consumer.run_contexts.load(&record, changed).await?;
    Ok(Preflight::Ready(Box::new(PreparedShard {
        record,
        context,
        decisions,
        inputs,
        goal,
        known,
        next: attempt,
        stop: AtomicBool::new(false),
    })))
}

/// Returns the record of the run, or why it cannot be opened.
async fn opened(
    storage: &dyn Storage,
    task: &ShardTask,
    record: Result<Bytes, StorageError>,
) -> Result<Result<RunRecord, Unopened>, PreflightError> {
    let record = match record {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => {
            return Ok(Err(if has_runs(storage).await? {
                Unopened::Absent
            } else {
                Unopened::EmptyRoot
            }));
        }
        // It is too large, or no file.
        Err(error) if error.kind == StorageErrorKind::NotFound => {
            return Ok(Err(Unopened::Unreadable(chain(&error))));
        }
        Err(error) => return Err(error.into()),
    };
    let record = RunRecord::parse(&record, &task.run);
    Ok(record.map_err(|error| Unopened::Unreadable(chain(&error))))
}

/// Returns the record that holds: a run in this process goes by the settings at hand, which say where its inputs are now.
fn at_hand(consumer: &Consumer, record: RunRecord) -> RunRecord {
    let given = consumer.given.as_ref();
    let given =
        given.filter(|given| given.run == record.run && given.plan_hash == record.plan_hash);
    given.cloned().unwrap_or(record)
}

/// Returns why a message is about no shard of its run, or counts attempts from where none does.
fn misfit(task: &ShardTask, record: &RunRecord, decisions: Option<&Decisions>) -> Option<String> {
    if task.shard.0 as usize >= record.frozen.num_shards {
        return Some(format!(
            "run {} has {} shards, and none with id {}",
            task.run, record.frozen.num_shards, task.shard
        ));
    }
    let first = decisions?.first_attempt(task.shard);
    let is_misfit = task.first_attempt == 0 || task.first_attempt > first;
    is_misfit.then(|| {
        format!(
            "attempts count from number {first}, and the message says from {}",
            task.first_attempt
        )
    })
}

/// Returns the attempt that comes next.
async fn next_of(
    storage: &dyn Storage,
    task: &ShardTask,
    record: &RunRecord,
) -> Result<NextAttempt, PreflightError> {
    let number = next_attempt(storage, &task.run, task.shard, task.first_attempt).await?;
    Ok(NextAttempt {
        number,
        failures: number - task.first_attempt,
        max_attempts: record.limits.max_attempts,
        patience: record.limits.input_patience(),
    })
}

/// Returns what is to be made of the shard, or what becomes of a message that asks for nothing any more.
async fn wanted(
    storage: &dyn Storage,
    task: &ShardTask,
    decisions: &Decisions,
    committed: Result<bool, StorageError>,
    attempt: NextAttempt,
) -> Result<Result<Wanted, Settlement>, PreflightError> {
    if let Some(reason) = &decisions.halted {
        tracing::info!(reason, "the run is halted: its shard is dropped");
        return Ok(Err(Settlement::Ack));
    }
    let Some(wanted) = goal(storage, task, decisions, committed?).await? else {
        return Ok(Err(Settlement::Ack));
    };
    if attempt.is_one_too_many() {
        tracing::debug!(attempt.failures, "the shard was given up before");
        return Ok(Err(Settlement::Reject));
    }
    Ok(Ok(wanted))
}

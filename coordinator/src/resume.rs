//! What is to be done again, and why: out of storage alone.

use std::collections::BTreeSet;
use std::fmt;

use futures::future::try_join_all;
use shared::decision::{Decided, DecisionError, Reopened};
use shared::ids::ShardId;
use shared::queue::{Queue, QueueError};
use shared::storage::{Storage, StorageError};
use shared::task::ShardTask;

use crate::dispatch;
use crate::freeze::FrozenRun;
use crate::gone::{self, Gone};
use crate::ledger::{self, Ledger, LedgerError, ShardState};
use crate::plan::Shard;
use crate::stored_items::StoredItems;
use crate::tally::{self, READS_AT_ONCE};

/// Which shards somebody wants to be done again.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only those that were never finished, or only those that failed.
    pub only: Option<Only>,
    /// Only those with one of these styles; all if empty.
    pub styles: Vec<String>,
    /// Only these; all if empty.
    pub shards: Vec<ShardId>,
}

/// A kind of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Not committed, or committed with artifacts missing.
    Missing,
    /// Failed for good.
    Failed,
}

/// A shard that is to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redo {
    /// The shard.
    pub shard: ShardId,
    /// Why.
    pub why: Why,
    /// Items of it whose images are missing.
    pub num_items: usize,
}

/// Why a shard is to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is not committed.
    NotCommitted,
    /// It failed too often.
    Failed {
        /// Number of the last attempt.
        last: u32,
        /// Its error.
        error: String,
    },
    /// It is committed, and artifacts of it are gone.
    ArtifactsMissing(Gone),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCommitted => f.write_str("not committed"),
            Self::Failed { last, error } => write!(f, "failed, attempt {last}: {error}"),
            Self::ArtifactsMissing(gone) => {
                write!(f, "committed, but these are gone: {gone}")
            }
        }
    }
}

/// Why it cannot be said what is to be done again.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// A style or shard that the run does not have.
    #[error("run {run} has no {what}")]
    Unknown {
        /// The run.
        run: String,
        /// What it does not have.
        what: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A shard or an attempt cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A decision cannot be stored.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The shards cannot be handed to the queue; some of them may be there.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Returns the shards that are to be done again, in order.
///
/// # Errors
///
/// [`ResumeError::Unknown`] if the choice names what the run does not have.
pub async fn find(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    choice: &Choice,
) -> Result<Vec<Redo>, ResumeError> {
    let stored = &StoredItems::read(storage, run).await?;
    let known = Known {
        storage,
        run,
        ledger,
        stored,
    };
    find_in(known, choice).await
}

/// What is known of a run.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Where it is stored.
    pub storage: &'a dyn Storage,
    /// What it is.
    pub run: &'a FrozenRun,
    /// What storage says of its shards.
    pub ledger: &'a Ledger,
    /// What is stored of its items, listed after the ledger was read.
    pub stored: &'a StoredItems,
}

/// Returns the shards that are to be done again, in order, out of what is known already.
///
/// # Errors
///
/// [`ResumeError::Unknown`] if the choice names what the run does not have.
pub async fn find_in(known: Known<'_>, choice: &Choice) -> Result<Vec<Redo>, ResumeError> {
    let Known {
        storage,
        run,
        ledger,
        stored,
    } = known;
    let chosen = Chosen::check(run, choice)?;
    let shards: Vec<&Shard> = run.plan.shards.iter().filter(|s| chosen.has(s)).collect();
    let mut found = Vec::new();
    for part in shards.chunks(READS_AT_ONCE) {
        let looks = part.iter().map(|shard| async {
            let why = why(storage, run, ledger, choice.only, shard, stored).await?;
            Ok::<_, ResumeError>(why.map(|why| Redo {
                shard: shard.id,
                num_items: why.num_items(shard, stored),
                why,
            }))
        });
        found.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(found)
}

/// Returns why a shard is to be done again; none if it is not.
async fn why(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    only: Option<Only>,
    shard: &Shard,
    stored: &StoredItems,
) -> Result<Option<Why>, ResumeError> {
    let state = ledger.state(shard.id, run.record.limits.max_attempts);
    Ok(match state {
        ShardState::Open if only != Some(Only::Failed) => Some(Why::NotCommitted),
        ShardState::Failed { last } if only != Some(Only::Missing) => {
            let failure = ledger::failed_attempt(storage, &run.record.run, shard.id, last);
            let error = failure.await?.error;
            Some(Why::Failed { last, error })
        }
        ShardState::Committed if only != Some(Only::Failed) => {
            let gone = gone::of_shard(storage, run, shard, stored).await?;
            (!gone.is_nothing()).then_some(Why::ArtifactsMissing(gone))
        }
        ShardState::Open | ShardState::Failed { .. } | ShardState::Committed => None,
    })
}

impl Why {
    fn num_items(&self, shard: &Shard, stored: &StoredItems) -> usize {
        match self {
            Self::NotCommitted | Self::Failed { .. } => shard
                .items()
                .filter(|&item| !stored.has_image(item))
                .count(),
            Self::ArtifactsMissing(gone) => gone.num_items,
        }
    }
}

/// Stores that the run goes on, and which failed shards are tried anew; nothing if that needs no decision. What failed
/// until then and is not tried anew is forgiven: it no longer counts towards `max_failed`.
///
/// # Errors
///
/// If storage fails.
pub async fn decide(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &mut Ledger,
    redo: &[Redo],
) -> Result<(), ResumeError> {
    let mut reopened = Vec::new();
    let mut num_retried = 0;
    for redo in redo {
        let last_attempt = match redo.why {
            Why::Failed { last, .. } => {
                num_retried += run.plan.shards[redo.shard.0 as usize].num_items();
                Some(last)
            }
            // That it could not be made again before is no reason not to try.
            Why::ArtifactsMissing(_) => ledger.last_failed_attempt(redo.shard),
            Why::NotCommitted => None,
        };
        reopened.extend(last_attempt.map(|last_attempt| Reopened {
            shard: redo.shard,
            last_attempt,
        }));
    }
    if reopened.is_empty() && ledger.decisions.halted.is_none() {
        return Ok(());
    }
    let counts = tally::count(storage, run, ledger).await?;
    let decided = Decided::Resume {
        reopened,
        forgiven: counts.not_done().saturating_sub(num_retried),
    };
    ledger
        .decisions
        .decide(storage, &run.record.run, decided)
        .await?;
    Ok(())
}

/// Returns what workers are asked for.
pub fn tasks<'a>(
    run: &'a FrozenRun,
    ledger: &'a Ledger,
    redo: &'a [Redo],
) -> impl Iterator<Item = ShardTask> + 'a {
    redo.iter().map(|redo| {
        let shard = &run.plan.shards[redo.shard.0 as usize];
        let mut task = run.plan.task(&run.record.run, shard);
        task.first_attempt = ledger.first_attempt(redo.shard);
        task.repair = matches!(redo.why, Why::ArtifactsMissing(_));
        task
    })
}

/// Hands shards to the queue that are to be done again, after storing that they are; tells how many are there.
///
/// # Errors
///
/// If storage or the queue fails; it can be repeated.
pub async fn publish(
    storage: &dyn Storage,
    queue: &dyn Queue,
    run: &FrozenRun,
    ledger: &mut Ledger,
    redo: &[Redo],
    published: impl Fn(usize),
) -> Result<(), ResumeError> {
    decide(storage, run, ledger, redo).await?;
    dispatch::publish(queue, tasks(run, ledger, redo), published).await?;
    Ok(())
}

/// Returns how many items are made when shards are done again.
#[must_use]
pub fn num_items(redo: &[Redo]) -> usize {
    redo.iter().map(|redo| redo.num_items).sum()
}

/// A choice whose names exist.
struct Chosen {
    styles: Option<BTreeSet<usize>>,
    shards: Option<BTreeSet<ShardId>>,
}

impl Chosen {
    fn check(run: &FrozenRun, choice: &Choice) -> Result<Self, ResumeError> {
        let unknown = |what: String| ResumeError::Unknown {
            run: run.record.run.to_string(),
            what,
        };
        let style = |name: &String| {
            let position = run
                .plan
                .styles
                .iter()
                .position(|style| style.name() == name);
            position.ok_or_else(|| unknown(format!("style {name:?}")))
        };
        let styles = choice
            .styles
            .iter()
            .map(style)
            .collect::<Result<BTreeSet<_>, _>>()?;
        let num_shards = run.plan.shards.len();
        for shard in &choice.shards {
            if shard.0 as usize >= num_shards {
                return Err(unknown(format!(
                    "shard {shard}: it has {num_shards}, from 000000"
                )));
            }
        }
        Ok(Self {
            styles: (!styles.is_empty()).then_some(styles),
            shards: (!choice.shards.is_empty()).then(|| choice.shards.iter().copied().collect()),
        })
    }

    fn has(&self, shard: &Shard) -> bool {
        let of_style =
            |styles: &BTreeSet<usize>| shard.styles.iter().any(|style| styles.contains(style));
        self.styles.as_ref().is_none_or(of_style)
            && self
                .shards
                .as_ref()
                .is_none_or(|shards| shards.contains(&shard.id))
    }
}

//! What is to be done again, and why: out of storage alone.

mod quarantined;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
pub use quarantined::Quarantined;
use shared::decision::{ChangedInput, DecisionError, DecisionKind, Items, Reopened, Retry};
use shared::ids::ShardId;
use shared::queue::message::ShardTask;
use shared::queue::{QueueError, WorkQueue};
use shared::storage::{Storage, StorageError};

use self::quarantined::Search;
use crate::run::changes::{self, ChangeError};
use crate::run::decisions::{self, DecisionRequest};
use crate::run::freeze::FrozenRun;
use crate::run::gone;
use crate::run::ledger::{self, Ledger, LedgerError, ShardState};
use crate::run::plan::Shard;
use crate::run::policy::Standing;
use crate::run::redo::{Redo, Why};
use crate::run::stored_items::StoredItems;
use crate::run::tally::{READS_AT_ONCE, Tally};
use crate::work::dispatch;

/// Which shards are wanted to be done again.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only those that were never finished, or only those that failed.
    pub only: Option<Only>,
    /// Only those with one of these styles; all if empty.
    pub styles: Vec<String>,
    /// Only these; all if empty.
    pub shards: Vec<ShardId>,
}

/// A kind of shards, or of items of committed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// Not committed, or committed with artifacts missing.
    Missing,
    /// Failed for good.
    Failed,
    /// Committed, with items that are quarantined.
    Quarantined(Quarantined),
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
    /// Inputs of quarantined items have changed, and something was made of the old ones.
    #[error(transparent)]
    Changed(#[from] ChangeError),
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

/// Returns the chosen shards whose files cannot be read, with what helps. What is stored is written once, so they cannot be
/// made again before those files are removed, and nothing is removed here.
///
/// # Errors
///
/// [`ResumeError::Unknown`] if the choice names what the run does not have.
pub async fn damaged(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    choice: &Choice,
) -> Result<BTreeMap<ShardId, String>, ResumeError> {
    let chosen = Chosen::check(run, choice)?;
    let mut tally = Tally::stored(storage, &run.record.run).await?;
    tally.update(storage, run, ledger).await?;
    let mut damaged = tally.damaged().clone();
    damaged.retain(|shard, _| {
        let planned = run.plan.shards.get(shard.0 as usize);
        planned.is_some_and(|planned| chosen.has(planned))
    });
    Ok(damaged)
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
        ..
    } = known;
    let chosen = Chosen::check(run, choice)?;
    if let Some(Only::Quarantined(wanted)) = &choice.only {
        let search = Search {
            storage,
            run,
            ledger,
            chosen: &chosen,
            wanted,
        };
        return search.find().await;
    }
    let shards: Vec<&Shard> = run.plan.shards.iter().filter(|s| chosen.has(s)).collect();
    let mut found = Vec::new();
    for part in shards.chunks(READS_AT_ONCE) {
        let looks = part.iter().map(|shard| async {
            let whys = whys(known, choice.only.as_ref(), shard).await?;
            let redo = whys.into_iter().map(|why| Redo {
                shard: shard.id,
                num_items: why.num_items(known, shard),
                why,
            });
            Ok::<_, ResumeError>(redo.collect::<Vec<_>>())
        });
        found.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(found)
}

/// Returns why a shard is to be done again: for several reasons at once, or for none.
async fn whys(
    known: Known<'_>,
    only: Option<&Only>,
    shard: &Shard,
) -> Result<Vec<Why>, ResumeError> {
    let Known {
        storage,
        run,
        ledger,
        stored,
    } = known;
    let (missing, failed) = match only {
        None => (true, true),
        Some(Only::Missing) => (true, false),
        Some(Only::Failed) => (false, true),
        Some(Only::Quarantined(_)) => (false, false),
    };
    let state = ledger.state(shard.id, run.record.limits.max_attempts);
    let mut whys = Vec::new();
    let error = async |last| {
        let failure = ledger::failed_attempt(storage, &run.record.run, shard.id, last);
        Ok::<_, ResumeError>(failure.await?.error)
    };
    match state {
        ShardState::Open if missing => whys.push(Why::NotCommitted),
        ShardState::Revising { .. } if missing => whys.push(Why::NotRevised { num_later: 0 }),
        ShardState::Failed { last } if failed => {
            let error = error(last).await?;
            whys.push(Why::Failed { last, error });
        }
        ShardState::RevisionFailed { last, .. } if failed => {
            let error = error(last).await?;
            whys.push(Why::RevisionFailed { last, error });
        }
        ShardState::Open
        | ShardState::Revising { .. }
        | ShardState::Failed { .. }
        | ShardState::RevisionFailed { .. }
        | ShardState::Committed => {}
    }
    if missing && state.has_rows() {
        let gone = gone::of_shard(storage, run, ledger, shard, stored).await?;
        if !gone.is_nothing() {
            whys.push(Why::ArtifactsMissing(gone));
        }
    }
    Ok(whys)
}

impl Why {
    fn num_items(&self, known: Known<'_>, shard: &Shard) -> usize {
        let (run, ledger, stored) = (known.run, known.ledger, known.stored);
        let missing = shard.items().filter(|&item| !stored.has_image(item));
        match self {
            Self::NotCommitted | Self::Failed { .. } => missing.count(),
            Self::ArtifactsMissing(gone) => gone.num_items,
            Self::Quarantined { items, .. } => items.len(),
            Self::NotRevised { .. } | Self::RevisionFailed { .. } => {
                let items = ledger.outstanding_items(shard.id);
                let is_retried = |position: &(usize, usize)| {
                    let item = run.plan.item(*position);
                    items.is_some_and(|items| items.has(&item.style, &item.content))
                };
                missing.filter(is_retried).count()
            }
        }
    }

    /// Returns the number of the last attempt that no longer counts, if attempts count anew.
    fn last_attempt(&self, ledger: &Ledger, shard: ShardId, max_attempts: u32) -> Option<u32> {
        match self {
            Self::Failed { last, .. } | Self::RevisionFailed { last, .. } => Some(*last),
            Self::Quarantined { last_attempt, .. } => {
                match ledger.state(shard, max_attempts) {
                    // It is under way, and goes on as it is.
                    ShardState::Revising { .. } => None,
                    ShardState::Committed
                    | ShardState::RevisionFailed { .. }
                    | ShardState::Failed { .. }
                    | ShardState::Open => {
                        let failed = ledger.failed_attempts.get(&shard);
                        let failed = failed.and_then(|numbers| numbers.iter().max());
                        failed.into_iter().chain([last_attempt]).max().copied()
                    }
                }
            }
            // That it could not be made again before is no reason not to try.
            Self::ArtifactsMissing(_) => ledger.last_failed_attempt(shard),
            Self::NotCommitted | Self::NotRevised { .. } => None,
        }
    }
}

/// Returns which quarantined items are tried again, each as the next revision of its shard. One that workers may have in
/// hand gets no other items: they come after it.
fn retries<'a>(
    ledger: &'a Ledger,
    redo: &'a [Redo],
    max_attempts: u32,
) -> impl Iterator<Item = Retry> + 'a {
    redo.iter().filter_map(move |redo| match &redo.why {
        Why::Quarantined { items, .. } => Some(Retry {
            shard: redo.shard,
            revision: ledger.next_revision(redo.shard, max_attempts),
            items: items.clone(),
        }),
        Why::NotCommitted
        | Why::Failed { .. }
        | Why::ArtifactsMissing(_)
        | Why::NotRevised { .. }
        | Why::RevisionFailed { .. } => None,
    })
}

/// Returns how the inputs of quarantined items have changed that are to be tried again.
///
/// # Errors
///
/// [`ResumeError::Changed`] if something was made of the old ones.
pub async fn changed_inputs(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    redo: &[Redo],
) -> Result<Vec<ChangedInput>, ResumeError> {
    let changes = changes::of_retried(run, ledger, redo).await;
    let accepted = changes::judge(storage, run, ledger, &changes).await?;
    Ok(accepted.changed)
}

/// Stores that the run goes on, which failed shards are tried anew, which quarantined items, and which inputs are
/// others than the plan says; nothing if that needs no decision. What failed until then and is not tried anew is
/// acknowledged: it no longer counts towards `max_failed`.
///
/// # Errors
///
/// If storage fails, or something else was decided since the ledger was read.
pub async fn decide(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &mut Ledger,
    redo: &[Redo],
    changed_inputs: Vec<ChangedInput>,
) -> Result<(), ResumeError> {
    let max_attempts = run.record.limits.max_attempts;
    let reopened = redo.iter().filter_map(|redo| {
        let last_attempt = redo.why.last_attempt(ledger, redo.shard, max_attempts)?;
        Some(Reopened {
            shard: redo.shard,
            last_attempt,
        })
    });
    let reopened: Vec<Reopened> = reopened.collect();
    let retried: Vec<Retry> = retries(ledger, redo, max_attempts).collect();
    let is_bare = reopened.is_empty() && retried.is_empty() && changed_inputs.is_empty();
    if is_bare && ledger.decisions.halted.is_none() {
        return Ok(());
    }
    let id = &run.record.run;
    let mut tally = Tally::stored(storage, id).await?;
    tally.update(storage, run, ledger).await?;
    let not_done = Standing::of(run, ledger, &tally).not_done;
    let num_opened: usize = redo.iter().map(|redo| num_opened(run, ledger, redo)).sum();
    let decided = DecisionKind::Resume {
        reopened,
        acknowledged_failures: not_done.saturating_sub(num_opened),
        retried,
        changed_inputs,
    };
    let request = DecisionRequest::Resume { decided, is_bare };
    decisions::resume(storage, id, &mut ledger.decisions, request).await?;
    Ok(())
}

/// Returns how many items that had ended, and were not done, are to be made again.
fn num_opened(run: &FrozenRun, ledger: &Ledger, redo: &Redo) -> usize {
    let failed = match ledger.state(redo.shard, run.record.limits.max_attempts) {
        ShardState::RevisionFailed { .. } => ledger.outstanding_items(redo.shard),
        // What is under way has not ended.
        ShardState::Revising { .. }
        | ShardState::Committed
        | ShardState::Failed { .. }
        | ShardState::Open => None,
    };
    match &redo.why {
        Why::Failed { .. } => run.plan.shards[redo.shard.0 as usize].num_items(),
        Why::Quarantined { items, .. } => {
            let is_new = |(style, content): &(&str, &str)| {
                failed.is_none_or(|failed| !failed.has(style, content))
            };
            failed.map_or(0, Items::len) + items.iter().filter(is_new).count()
        }
        Why::RevisionFailed { .. } => failed.map_or(0, Items::len),
        // They have not ended.
        Why::NotCommitted | Why::ArtifactsMissing(_) | Why::NotRevised { .. } => 0,
    }
}

/// Returns what is asked for a shard that is open: the shard itself, or the revision of it that was decided.
#[must_use]
pub fn task(run: &FrozenRun, ledger: &Ledger, shard: &Shard) -> ShardTask {
    ShardTask {
        first_attempt: ledger.first_attempt(shard.id),
        // Its rows are revision 0.
        revision: ledger.outstanding(shard.id).unwrap_or(0),
        ..run.plan.task(&run.record.run, shard)
    }
}

/// Returns what workers are asked for.
pub fn tasks<'a>(
    run: &'a FrozenRun,
    ledger: &'a Ledger,
    redo: &'a [Redo],
) -> impl Iterator<Item = ShardTask> + 'a {
    redo.iter().map(|redo| {
        let shard = &run.plan.shards[redo.shard.0 as usize];
        let task = task(run, ledger, shard);
        match &redo.why {
            Why::ArtifactsMissing(_) => ShardTask {
                revision: 0,
                repair: true,
                ..task
            },
            Why::NotCommitted
            | Why::Failed { .. }
            | Why::Quarantined { .. }
            | Why::NotRevised { .. }
            | Why::RevisionFailed { .. } => task,
        }
    })
}

/// Where shards that are to be done again are handed out.
#[derive(Clone, Copy)]
pub struct Publisher<'a> {
    /// Where the run is stored.
    pub storage: &'a dyn Storage,
    /// Where its shards go.
    pub queue: &'a dyn WorkQueue,
    /// The run.
    pub run: &'a FrozenRun,
}

impl Publisher<'_> {
    /// Hands shards to the queue that are to be done again, after storing that they are; tells `published` how many are
    /// there.
    ///
    /// # Errors
    ///
    /// If storage or the queue fails; it can be repeated.
    pub async fn publish(
        self,
        ledger: &mut Ledger,
        redo: &[Redo],
        published: impl Fn(usize),
    ) -> Result<(), ResumeError> {
        let (storage, run) = (self.storage, self.run);
        let changed = changed_inputs(storage, run, ledger, redo).await?;
        decide(storage, run, ledger, redo, changed).await?;
        dispatch::publish(self.queue, tasks(run, ledger, redo), published).await?;
        Ok(())
    }
}

/// Adds quarantined items whose inputs have changed. Workers are asked for one revision of a shard at a time: what was found
/// of such a shard already gives way, and what was decided of it before comes first.
pub fn merge(redo: &mut Vec<Redo>, changed: Vec<Redo>) {
    redo.retain(|found| {
        let mut changed = changed.iter();
        !(found.why.is_of_some_items() && changed.any(|changed| changed.shard == found.shard))
    });
    redo.extend(changed);
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

    fn has_style(&self, run: &FrozenRun, name: &str) -> bool {
        let is_named = |&style: &usize| run.plan.styles[style].name() == name;
        let styles = self.styles.as_ref();
        styles.is_none_or(|styles| styles.iter().any(is_named))
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

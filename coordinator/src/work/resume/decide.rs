//! What is decided before shards are done again: which attempts no longer count, which items are tried again, and which
//! inputs are others.

use shared::decision::{ChangedInput, DecisionKind, Items, Reopened, Retry};
use shared::ids::ShardId;
use shared::storage::Storage;

use super::ResumeError;
use crate::run::changes;
use crate::run::decisions::{self, DecisionRequest};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::policy::Standing;
use crate::run::redo::{Redo, Why};
use crate::run::tally::Tally;

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
    let tally = Tally::up_to_date(storage, run, ledger).await?;
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

impl Why {
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

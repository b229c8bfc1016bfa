//! The shards that are to be done again, found in storage, and those that are damaged.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use shared::ids::ShardId;
use shared::storage::Storage;

use super::choice::{Choice, Chosen, Only};
use super::error::ResumeError;
use super::quarantined::Search;
use crate::run::freeze::FrozenRun;
use crate::run::gone::{self, Known};
use crate::run::ledger::{self, Ledger, ShardState};
use crate::run::plan::Shard;
use crate::run::redo::{Redo, Why};
use crate::run::stored_items::StoredItems;
use crate::run::tally::{READS_AT_ONCE, Tally};

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
    let tally = &gone::counted(storage, run, ledger).await?;
    let stored = &StoredItems::read(storage, run).await?;
    let known = Known {
        storage,
        run,
        ledger,
        tally,
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
    let tally = Tally::up_to_date(storage, run, ledger).await?;
    let mut damaged = tally.damaged().clone();
    damaged.retain(|shard, _| {
        let planned = run.plan.shards.get(shard.0 as usize);
        planned.is_some_and(|planned| chosen.has(planned))
    });
    Ok(damaged)
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
        ..
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
        let gone = gone::of_shard(known, shard).await?;
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
}

//! Quarantined items that somebody wants to be tried again.

use futures::future::try_join_all;
use shared::decision::Items;
use shared::failure::FailureClass;
use shared::ids::ShardId;
use shared::manifest::{ManifestRow, Status};
use shared::storage::Storage;

use super::{Chosen, Redo, ResumeError, Why};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError, ShardState};
use crate::run::tally::{READS_AT_ONCE, Tally};

/// Which quarantined items somebody wants to be tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantined {
    /// Only those of this class.
    pub class: Option<FailureClass>,
    /// Only those whose reason has this in it, whatever the case of its letters.
    pub reason: Option<String>,
}

impl Quarantined {
    fn wants(&self, row: &ManifestRow) -> bool {
        let of_class = |class| row.error_class == Some(class);
        let said = row.error.as_deref().unwrap_or_default().to_lowercase();
        self.class.is_none_or(of_class)
            && self
                .reason
                .as_ref()
                .is_none_or(|part| said.contains(&part.to_lowercase()))
    }
}

/// Returns the shards with quarantined items that are wanted, in order. Only shards that have any are read.
pub(super) async fn find(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    chosen: &Chosen,
    wanted: &Quarantined,
) -> Result<Vec<Redo>, ResumeError> {
    let id = &run.record.run;
    let mut tally = Tally::stored(storage, id).await?;
    tally.update(storage, run, ledger).await?;
    let shards = tally.shards().filter(|(shard, tally)| {
        let planned = run.plan.shards.get(shard.0 as usize);
        tally.counts.quarantined > 0 && planned.is_some_and(|planned| chosen.has(planned))
    });
    let shards: Vec<ShardId> = shards.map(|(shard, _)| shard).collect();
    let mut found = Vec::new();
    for part in shards.chunks(READS_AT_ONCE) {
        let looks = part
            .iter()
            .map(|&shard| look(storage, run, ledger, chosen, wanted, shard));
        found.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(found)
}

async fn look(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    chosen: &Chosen,
    wanted: &Quarantined,
    shard: ShardId,
) -> Result<Option<Redo>, LedgerError> {
    let rows = match ledger.shard_rows(storage, run, shard).await {
        // Nothing can be tried again of it; it is named as damaged.
        Err(error) if error.is_damage() => return Ok(None),
        rows => rows?,
    };
    let is_chosen = |row: &ManifestRow| wanted.wants(row) && chosen.has_style(run, &row.item.style);
    let redo = redo_of(shard, rows, is_chosen);
    match ledger.state(shard, run.record.limits.max_attempts) {
        ShardState::Revising { .. } => Ok(redo.and_then(|redo| under_way(ledger, redo))),
        ShardState::Committed
        | ShardState::RevisionFailed { .. }
        | ShardState::Failed { .. }
        | ShardState::Open => Ok(redo),
    }
}

/// Returns the retry of a shard that was decided before in place of another one: a worker may have it in hand, and would
/// not see that items were added.
fn under_way(ledger: &Ledger, redo: Redo) -> Option<Redo> {
    let Why::Quarantined { items, .. } = redo.why else {
        return None;
    };
    let next = ledger.outstanding(redo.shard)?;
    let decided = ledger.outstanding_items(redo.shard)?;
    let is_decided = |(style, content): &(&str, &str)| {
        let mut all = ledger.items_from(redo.shard, next);
        all.any(|items| items.has(style, content))
    };
    let num_later = items.iter().filter(|item| !is_decided(item)).count();
    Some(Redo {
        shard: redo.shard,
        num_items: decided.len(),
        why: Why::NotRevised { num_later },
    })
}

/// Returns what is to be done again of a shard with these rows: its quarantined items that are `wanted`; nothing if
/// there are none.
pub(crate) fn redo_of(
    shard: ShardId,
    mut rows: Vec<ManifestRow>,
    wanted: impl Fn(&ManifestRow) -> bool,
) -> Option<Redo> {
    let last_attempt = rows.iter().map(|row| row.attempt).max().unwrap_or_default();
    rows.retain(|row| row.status == Status::Quarantined && wanted(row));
    let first = rows.first()?.error.clone();
    let num_others = rows.iter().filter(|row| row.error != first).count();
    let items: Items = rows.into_iter().map(|row| row.item).collect();
    Some(Redo {
        shard,
        num_items: items.len(),
        why: Why::Quarantined {
            items,
            last_attempt,
            reason: first.unwrap_or_default(),
            num_others,
        },
    })
}

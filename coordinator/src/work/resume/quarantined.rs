//! Quarantined items that are wanted to be tried again.

use futures::future::try_join_all;
use shared::failure::FailureClass;
use shared::ids::ShardId;
use shared::manifest::ManifestRow;
use shared::storage::Storage;

use super::ResumeError;
use super::choice::Chosen;
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError, ShardState};
use crate::run::redo::{self, Redo, Why};
use crate::run::tally::{READS_AT_ONCE, Tally};

/// Which quarantined items are wanted to be tried again.
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

/// A search for quarantined items of a run.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) run: &'a FrozenRun,
    pub(super) ledger: &'a Ledger,
    pub(super) chosen: &'a Chosen,
    pub(super) wanted: &'a Quarantined,
}

impl Search<'_> {
    /// Returns the shards with quarantined items that are wanted, in order. Only shards that have any are read.
    pub(super) async fn find(self) -> Result<Vec<Redo>, ResumeError> {
        let run = self.run;
        let tally = Tally::up_to_date(self.storage, run, self.ledger).await?;
        let shards = tally.shards().filter(|(shard, tally)| {
            let planned = run.plan.shards.get(shard.0 as usize);
            tally.counts.quarantined > 0 && planned.is_some_and(|planned| self.chosen.has(planned))
        });
        let shards: Vec<ShardId> = shards.map(|(shard, _)| shard).collect();
        let mut found = Vec::new();
        for part in shards.chunks(READS_AT_ONCE) {
            let reads = part.iter().map(|&shard| self.redo_of(shard));
            found.extend(try_join_all(reads).await?.into_iter().flatten());
        }
        Ok(found)
    }

    /// Returns what is to be done again of a shard; nothing if none of its items is wanted.
    async fn redo_of(self, shard: ShardId) -> Result<Option<Redo>, LedgerError> {
        let (run, ledger) = (self.run, self.ledger);
        let rows = match ledger.shard_rows(self.storage, run, shard).await {
            // Nothing can be tried again of it; it is named as damaged.
            Err(error) if error.is_damage() => return Ok(None),
            rows => rows?,
        };
        let is_chosen = |row: &ManifestRow| {
            self.wanted.wants(row) && self.chosen.has_style(run, &row.item.style)
        };
        let redo = redo::of_quarantined(shard, rows, is_chosen);
        match ledger.state(shard, run.record.limits.max_attempts) {
            ShardState::Revising { .. } => Ok(redo.and_then(|redo| under_way(ledger, redo))),
            ShardState::Committed
            | ShardState::RevisionFailed { .. }
            | ShardState::Failed { .. }
            | ShardState::Open => Ok(redo),
        }
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

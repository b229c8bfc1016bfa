//! Whether a run may go on with inputs that have changed.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInput;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Status};
use shared::storage::Storage;
use shared::wording::{counted, first_names};

use super::{Change, ChangeError, Changes, Difference};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, LedgerError, ShardState};
use crate::run::plan::Shard;
use crate::run::redo::{self, Redo};
use crate::run::stored_items::StoredItems;
use crate::run::tally::READS_AT_ONCE;

const ADVICE: &str = "put the old files back, or give the new ones another run.name";

/// What a run goes on with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Inputs that hold in place of the planned ones.
    pub changed: Vec<ChangedInput>,
    /// Quarantined items of them, which are tried again.
    pub redo: Vec<Redo>,
    /// What people should know about it.
    pub notes: Vec<String>,
}

/// Returns what a run goes on with.
///
/// # Errors
///
/// [`ChangeError::Refused`] if something was made of a file that has changed, or if there are files that the run was not
/// planned with.
pub async fn judge(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    changes: &Changes,
) -> Result<Accepted, ChangeError> {
    if changes.is_empty() {
        return Ok(Accepted::default());
    }
    let touched = Touched::by(run, changes);
    let stored = StoredItems::read(storage, run).await?;
    let known = Known {
        run,
        ledger,
        touched: &touched,
        stored: &stored,
    };
    let mut found = Findings {
        refused: refused_listings(run, changes),
        ..Findings::default()
    };
    touched.check_labels(run, changes, &stored, &mut found.refused);
    check_prototypes(run, changes, &stored, &mut found.refused);
    let shards = run.plan.shards.iter();
    let shards: Vec<&Shard> = shards.filter(|shard| touched.concern(shard)).collect();
    for part in shards.chunks(READS_AT_ONCE) {
        let reads = part.iter().map(|shard| rows(storage, run, ledger, shard));
        for (shard, rows) in part.iter().zip(try_join_all(reads).await?) {
            found.take(known, shard, rows);
        }
    }
    found.accept(run, changes)
}

/// Returns why inputs are refused that are listed otherwise than they were planned.
fn refused_listings(run: &FrozenRun, changes: &Changes) -> Vec<String> {
    let mut refused = Vec::new();
    for added in [&changes.contents.added, &changes.styles.added] {
        if !added.is_empty() {
            let were = if added.len() == 1 { "was" } else { "were" };
            let names = first_names(added);
            refused.push(format!("{names} {were} not there when the run was planned"));
        }
    }
    for (kind, of, planned) in [
        ("content", &changes.contents, &run.plan.contents),
        ("style", &changes.styles, &run.plan.styles),
    ] {
        for &position in &of.left_out {
            let name = planned[position].name();
            refused.push(format!(
                "{kind} {name} is there, and the settings leave it out"
            ));
        }
    }
    refused
}

/// Class maps that are stored were made by what prototypes show: those may not become other ones.
fn check_prototypes(
    run: &FrozenRun,
    changes: &Changes,
    stored: &StoredItems,
    refused: &mut Vec<String>,
) {
    let prototypes = &run.plan.prototypes;
    let changed = changes.contents.changed.iter();
    let changed = changed.filter(|change| prototypes.binary_search(&change.position).is_ok());
    refused.extend(changed.filter(|_| stored.has_priors()).map(|change| {
        let name = run.plan.contents[change.position].name();
        format!(
            "content {name} has shown what classes look like for class maps that are stored, and its file changed: {}",
            change.what
        )
    }));
}

/// What is known of a run whose inputs have changed.
#[derive(Clone, Copy)]
struct Known<'a> {
    run: &'a FrozenRun,
    ledger: &'a Ledger,
    touched: &'a Touched,
    stored: &'a StoredItems,
}

/// What is found of the items of changed inputs.
#[derive(Default)]
struct Findings<'a> {
    /// Why the run may not go on.
    refused: Vec<String>,
    /// What is other about inputs of items that are done, with the number of those.
    done: BTreeMap<&'a str, usize>,
    redo: Vec<Redo>,
    /// Items not made yet whose inputs are gone.
    num_gone: usize,
    /// Shards of which items are being tried again.
    num_pending: usize,
    /// Items that come after those.
    num_after: usize,
}

impl<'a> Findings<'a> {
    /// Takes note of what the changes mean for the items of a shard with these rows.
    fn take(&mut self, known: Known<'a>, shard: &Shard, rows: BTreeMap<ItemId, ManifestRow>) {
        let (run, ledger) = (known.run, known.ledger);
        let mut retried = Vec::new();
        for position in shard.items() {
            let item = run.plan.item(position);
            let row = rows.get(&item);
            let is_stored = known.stored.has_image(position);
            match known.touched.verdict(position, row, is_stored) {
                Verdict::Nothing => {}
                Verdict::Gone => self.num_gone += 1,
                Verdict::Retry => retried.push(item),
                Verdict::Done(what) => *self.done.entry(what).or_default() += 1,
                Verdict::Refuse(why) => self.refused.push(format!("{item} {why}")),
            }
        }
        let state = ledger.state(shard.id, run.record.limits.max_attempts);
        if let ShardState::Revising { revision } = state {
            let is_decided = |item: &ItemId| {
                let mut decided = ledger.items_from(shard.id, revision);
                decided.any(|items| items.has(&item.style, &item.content))
            };
            self.num_pending += usize::from(retried.iter().any(is_decided));
            retried.retain(|item| !is_decided(item));
            self.num_after += retried.len();
        }
        let rows = rows.into_values().collect();
        let redo = redo::of_quarantined(shard.id, rows, |row| retried.contains(&row.item));
        self.redo.extend(redo);
    }

    /// Returns what the run goes on with, unless something is refused.
    fn accept(mut self, run: &FrozenRun, changes: &Changes) -> Result<Accepted, ChangeError> {
        for (what, items) in &self.done {
            let plural = if *items == 1 { "" } else { "s" };
            self.refused.push(format!("{what} ({items} item{plural})"));
        }
        if !self.refused.is_empty() {
            return Err(ChangeError::Refused {
                run: run.record.run.clone(),
                found: changes.counts(),
                refused: self.refused,
                advice: ADVICE,
            });
        }
        let contents = changes.contents.changed.iter();
        let changed = contents.chain(&changes.styles.changed);
        Ok(Accepted {
            changed: changed.map(|change| change.now.clone()).collect(),
            notes: self.notes(changes.summary(run)),
            redo: self.redo,
        })
    }

    /// Returns what people should know, after what has changed.
    fn notes(&self, mut notes: Vec<String>) -> Vec<String> {
        if self.num_pending > 0 {
            notes.push(format!(
                "quarantined items of {} are being tried again, and can be chosen once more when that has ended",
                counted(self.num_pending, "shard", "shards")
            ));
        }
        if self.num_after > 0 {
            notes.push(format!(
                "{} after those of the same shards that are being tried again",
                counted(
                    self.num_after,
                    "quarantined item comes",
                    "quarantined items come"
                )
            ));
        }
        if self.num_gone > 0 {
            let (num_gone, plural) = (self.num_gone, if self.num_gone == 1 { "" } else { "s" });
            notes.push(format!(
                "{num_gone} item{plural} not made yet will be quarantined as missing unless the inputs come back"
            ));
        }
        notes
    }
}

async fn rows(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shard: &Shard,
) -> Result<BTreeMap<ItemId, ManifestRow>, LedgerError> {
    if !ledger.committed.contains(&shard.id) {
        return Ok(BTreeMap::new());
    }
    let rows = ledger.shard_rows(storage, run, shard.id).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.item.clone(), row))
        .collect())
}

/// Positions of the inputs that have changed or are gone.
struct Touched {
    /// That it is done, and what is other about it, for people.
    contents: BTreeMap<usize, String>,
    /// As of contents.
    styles: BTreeMap<usize, String>,
    gone_contents: BTreeSet<usize>,
    gone_styles: BTreeSet<usize>,
}

/// What a change means for an item.
enum Verdict<'a> {
    Nothing,
    /// It is not made yet, and its input is gone: workers find out whether it alone is.
    Gone,
    /// It is done, and its input is another one now.
    Done(&'a str),
    /// It is quarantined, and its input is another one now.
    Retry,
    Refuse(String),
}

impl Touched {
    fn by(run: &FrozenRun, changes: &Changes) -> Self {
        let changed = |of: &Difference, kind: &str, planned: &[DatasetEntry]| {
            let told = |of: &Change| {
                let name = planned[of.position].name();
                (
                    of.position,
                    format!("{kind} {name} is done and {}", of.what),
                )
            };
            of.changed.iter().map(told).collect()
        };
        Self {
            contents: changed(&changes.contents, "content", &run.plan.contents),
            styles: changed(&changes.styles, "style", &run.plan.styles),
            gone_contents: changes.contents.removed.iter().copied().collect(),
            gone_styles: changes.styles.removed.iter().copied().collect(),
        }
    }

    fn concern(&self, shard: &Shard) -> bool {
        let contents = shard.contents.iter();
        let styles = shard.styles.iter();
        let of_content =
            |at: &usize| self.contents.contains_key(at) || self.gone_contents.contains(at);
        let of_style = |at: &usize| self.styles.contains_key(at) || self.gone_styles.contains(at);
        contents.clone().any(of_content) || styles.clone().any(of_style)
    }

    /// A label that is stored was made from a label file: that may not become another one.
    fn check_labels(
        &self,
        run: &FrozenRun,
        changes: &Changes,
        stored: &StoredItems,
        refused: &mut Vec<String>,
    ) {
        let changed = changes.contents.changed.iter();
        for change in changed.filter(|change| change.of_label && stored.has_label(change.position))
        {
            let name = run.plan.contents[change.position].name();
            refused.push(format!(
                "the label of content {name} is stored and its file changed: {} (if none of its items is done, remove \
                 labels/{name}.png of the run)",
                change.what
            ));
        }
    }

    fn verdict<'a>(
        &'a self,
        (style, content): (usize, usize),
        row: Option<&ManifestRow>,
        is_stored: bool,
    ) -> Verdict<'a> {
        let status = row.map(|row| row.status);
        let changed = self
            .contents
            .get(&content)
            .or_else(|| self.styles.get(&style));
        let is_gone = self.gone_contents.contains(&content) || self.gone_styles.contains(&style);
        match (changed, status) {
            (Some(what), Some(Status::Done)) => Verdict::Done(what),
            (Some(_), Some(Status::Quarantined | Status::Failed) | None) if is_stored => {
                Verdict::Refuse(
                    "has an image, though it is not done, and its input changed (remove the image to have it made \
                     again)"
                        .to_owned(),
                )
            }
            (Some(_), Some(Status::Quarantined)) if !is_gone => Verdict::Retry,
            (_, None) if is_gone && is_stored => Verdict::Refuse(
                "has an image, though its shard is not committed, and its input is gone (put it back)".to_owned(),
            ),
            (_, None) if is_gone => Verdict::Gone,
            (Some(_), Some(Status::Quarantined | Status::Failed) | None)
            | (None, Some(Status::Done | Status::Quarantined | Status::Failed) | None) => {
                Verdict::Nothing
            }
        }
    }
}

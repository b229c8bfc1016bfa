//! What rows speak of and storage no longer has, and what was listed a moment ago and is not there any more.
//!
//! It takes a listing and the counts of the committed shards, and only the rows of those that are not stored with all their
//! items, and of those with doubtful items: which items have predictions is told by no count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use bytes::Bytes;
use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::failure::FailureClass;
use shared::ids::ItemId;
use shared::manifest::{ManifestRow, Status};
use shared::source::Source;
use shared::storage::{Storage, StorageError};
use shared::wording::first_names;

use crate::run::freeze::FrozenRun;
use crate::run::ledger::{self, Ledger, LedgerError};
use crate::run::plan::Shard;
use crate::run::stored_items::StoredItems;
use crate::run::tally::{READS_AT_ONCE, Tally};
use crate::run::unreadable::{self, ReadError};

/// What helps where something that was stored is not there.
pub const RUN_AGAIN: &str = "put it back, or run again to make anew what is gone";

/// Something that was there and is not any more: a listing has shown it, or it was made before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is gone: it was removed meanwhile, or its folder was moved or unmounted")]
pub struct Vanished {
    /// Where it was.
    pub path: String,
}

/// Returns the bytes of an object that a listing has shown.
///
/// # Errors
///
/// [`LedgerError::Gone`] if it is gone since, [`LedgerError::Unreadable`] if it alone cannot be read, or that storage fails.
pub async fn read_listed(storage: &dyn Storage, key: &ArtifactKey) -> Result<Bytes, LedgerError> {
    let read = unreadable::read(storage, key).await;
    read.map_err(|error| match error {
        ReadError::Absent => LedgerError::Gone(Vanished {
            path: storage.locate(key),
        }),
        ReadError::Unreadable(error) => LedgerError::Unreadable(error),
        ReadError::Storage(error) => LedgerError::Storage(error),
    })
}

/// Returns the bytes of a file of a dataset that a listing has shown.
///
/// # Errors
///
/// [`Vanished`] if it is gone since, or that the source fails.
pub async fn read_listed_input<E>(source: &dyn Source, path: &Path) -> Result<Bytes, E>
where
    E: From<Vanished> + From<StorageError>,
{
    let read = source.read(path).await;
    read.map_err(|error| {
        if error.is_absent() {
            E::from(Vanished {
                path: source.locate(path),
            })
        } else {
            E::from(error)
        }
    })
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
    /// What is counted of them. The rows of one that is not counted are read.
    pub tally: &'a Tally,
    /// What is stored of its items, listed after the ledger was read: the images of a shard are there before it is committed.
    pub stored: &'a StoredItems,
}

/// Images, labels, predictions and class maps that are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// Items whose image, label, prediction or class map it is.
    pub num_items: usize,
    /// Where they were, below the storage root.
    pub paths: BTreeSet<String>,
    /// Why one of them was not made again when that was tried last, where its input keeps it from being made.
    pub unmade: Option<String>,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&first_names(&self.paths))
    }
}

impl Gone {
    /// Returns whether everything is there.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns what helps: `otherwise`, unless that was tried and an input is in the way.
    #[must_use]
    pub fn what_helps<'a>(&'a self, otherwise: &'a str) -> &'a str {
        self.unmade.as_deref().unwrap_or(otherwise)
    }
}

/// Returns the counts of a run's committed shards as far as they tell what is gone: those of a run without predictions and
/// class maps tell nothing of that, and are not read.
///
/// # Errors
///
/// [`LedgerError`] if storage fails.
pub async fn counted(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
) -> Result<Tally, LedgerError> {
    if run.has_predictions() || run.has_class_maps() {
        Tally::up_to_date(storage, run, ledger).await
    } else {
        Ok(Tally::default())
    }
}

/// Returns what is gone of a run's committed shards, out of a listing that is made now.
///
/// # Errors
///
/// [`LedgerError`] if storage cannot be listed or a shard cannot be read.
pub async fn of_run(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    tally: &Tally,
) -> Result<Gone, LedgerError> {
    let stored = &StoredItems::read(storage, run).await?;
    let known = Known {
        storage,
        run,
        ledger,
        tally,
        stored,
    };
    of_stored(known).await
}

/// Returns what is gone of a run's committed shards.
///
/// # Errors
///
/// [`LedgerError`] if a shard cannot be read.
pub async fn of_stored(known: Known<'_>) -> Result<Gone, LedgerError> {
    let shards = known.run.plan.shards.iter();
    let committed: Vec<&Shard> = shards
        .filter(|shard| known.ledger.committed.contains(&shard.id))
        .collect();
    let mut gone = Gone::default();
    for part in committed.chunks(READS_AT_ONCE) {
        let looks = part.iter().map(|shard| of_shard(known, shard));
        for found in try_join_all(looks).await? {
            gone.num_items += found.num_items;
            gone.paths.extend(found.paths);
            gone.unmade = gone.unmade.or(found.unmade);
        }
    }
    Ok(gone)
}

/// Returns what is gone of a committed shard. Items that are not done have nothing, and nothing is known of a shard that is
/// damaged.
///
/// # Errors
///
/// [`LedgerError`] if storage fails.
pub async fn of_shard(known: Known<'_>, shard: &Shard) -> Result<Gone, LedgerError> {
    if known.has_all(shard) {
        return Ok(Gone::default());
    }
    let Known {
        storage,
        run,
        ledger,
        ..
    } = known;
    let rows = match ledger.shard_rows(storage, run, shard.id).await {
        // What it has made is not known; that it is damaged is told where it is counted.
        Err(error) if error.is_damage() => return Ok(Gone::default()),
        rows => rows?,
    };
    let done = rows.into_iter().filter(|row| row.status == Status::Done);
    let done: BTreeMap<ItemId, Parts> = done.map(Parts::of_row).collect();
    let mut gone = Gone::default();
    for position in shard.items() {
        let item = run.plan.item(position);
        let Some(&parts) = done.get(&item) else {
            continue;
        };
        let missing = known.missing(shard, position, item, parts);
        gone.num_items += usize::from(!missing.is_empty());
        gone.paths.extend(missing);
    }
    if !gone.is_nothing() {
        gone.unmade = unmade(storage, run, ledger, shard).await?;
    }
    Ok(gone)
}

/// What a row speaks of beside its image and label.
#[derive(Debug, Clone, Copy)]
struct Parts {
    has_predictions: bool,
    has_prior: bool,
}

impl Parts {
    fn of_row(row: ManifestRow) -> (ItemId, Self) {
        let quality = row.quality.as_ref();
        let parts = Self {
            has_predictions: quality.is_some_and(|quality| quality.predictions.is_some()),
            has_prior: row.prior_sha256.is_some(),
        };
        (row.item, parts)
    }
}

impl Known<'_> {
    /// Returns whether nothing of a committed shard is gone, as far as that is known without its rows.
    fn has_all(&self, shard: &Shard) -> bool {
        let stored = self.stored;
        let has_label = |&content: &usize| stored.has_label(content);
        shard.items().all(|item| stored.has_image(item))
            && shard.contents.iter().all(has_label)
            && shard
                .styles
                .iter()
                .all(|&style| self.has_prior(shard, style))
            && (!self.run.has_predictions() || self.is_without_doubt(shard))
    }

    /// Returns whether nothing in a shard is counted as doubtful, so that no prediction of it can be gone. Of others only rows
    /// tell whose predictions there must be: attempts that did not commit may have left some behind, and as many may be gone.
    fn is_without_doubt(&self, shard: &Shard) -> bool {
        let counted = self.tally.shard(shard.id);
        counted.is_some_and(|counted| counted.doubtful.is_empty())
    }

    /// Returns whether nothing of the class map of a style is left to a shard to make again.
    fn has_prior(&self, shard: &Shard, style: usize) -> bool {
        let changed = &self.ledger.decisions.changed_inputs;
        !self.run.has_class_map(style, changed) || self.is_prior_there(shard, style)
    }

    /// Returns whether the class map of a style is there, or another shard makes it again: the first one that is committed
    /// with items of the style that are done does, since one does for all.
    fn is_prior_there(&self, shard: &Shard, style: usize) -> bool {
        if self.stored.has_prior(style) {
            return true;
        }
        let mut shards = self.run.plan.shards.iter();
        let first = shards.find(|other| {
            other.styles.contains(&style)
                && self.ledger.committed.contains(&other.id)
                && self.has_done(other, style)
        });
        first.is_none_or(|first| first.id != shard.id)
    }

    /// Returns whether a committed shard has items of a style that are done. One that is damaged makes nothing again, and of
    /// one that is not counted they may be.
    fn has_done(&self, shard: &Shard, style: usize) -> bool {
        if self.tally.damaged().contains_key(&shard.id) {
            return false;
        }
        let name = self.run.plan.styles[style].name();
        let counted = self.tally.shard(shard.id);
        let not_done = counted.and_then(|counted| counted.not_done.get(name));
        not_done.is_none_or(|&not_done| not_done < shard.contents.len())
    }

    /// Returns the paths of what is not stored of an item of a shard that is done.
    fn missing(
        &self,
        shard: &Shard,
        position: (usize, usize),
        item: ItemId,
        parts: Parts,
    ) -> Vec<String> {
        let (id, stored) = (&self.run.record.run, self.stored);
        let has_predictions = parts.has_predictions;
        let mut missing = Vec::new();
        if parts.has_prior && !self.is_prior_there(shard, position.0) {
            missing.push(ArtifactKey::Prior(id.clone(), item.style.clone()));
        }
        if !stored.has_label(position.1) {
            missing.push(ArtifactKey::Label(id.clone(), item.content.clone()));
        }
        if has_predictions && !stored.has_content_prediction(position) {
            missing.push(ArtifactKey::ContentPrediction(id.clone(), item.clone()));
        }
        if has_predictions && !stored.has_output_prediction(position) {
            missing.push(ArtifactKey::OutputPrediction(id.clone(), item.clone()));
        }
        if !stored.has_image(position) {
            missing.push(ArtifactKey::Image(id.clone(), item));
        }
        missing.iter().map(ArtifactKey::path).collect()
    }
}

/// Returns why the last attempt to make anew what is gone of a shard failed, if an input was at fault: no other attempt at
/// a shard fails for that.
async fn unmade(
    storage: &dyn Storage,
    run: &FrozenRun,
    ledger: &Ledger,
    shard: &Shard,
) -> Result<Option<String>, LedgerError> {
    let Some(last) = ledger.last_failed_attempt(shard.id) else {
        return Ok(None);
    };
    let failed = ledger::failed_attempt(storage, &run.record.run, shard.id, last).await?;
    Ok(match failed.error_class {
        FailureClass::BadInput
        | FailureClass::Missing
        | FailureClass::Changed
        | FailureClass::BadOutput => Some(failed.error),
        FailureClass::Transient
        | FailureClass::Resources
        | FailureClass::Unworkable
        | FailureClass::Fatal => None,
    })
}

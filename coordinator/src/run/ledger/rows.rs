//! Rows of committed shards and records of failed attempts.
//!
//! All rows come in here, and only those that were planned: a file of another shard is damage to every reader.

use std::collections::{BTreeSet, HashSet};

use futures::future::try_join_all;
use shared::artifact::ArtifactKey;
use shared::decision::Items;
use shared::failure::{FailedAttempt, FailureClass, chain};
use shared::ids::{RunId, ShardId};
use shared::manifest::{self, Columns, ManifestRow, StoredRows};
use shared::seal::DocumentError;
use shared::storage::Storage;

use super::{Ledger, LedgerError};
use crate::run::freeze::FrozenRun;
use crate::run::gone;
use crate::run::plan::{Plan, Shard};

/// Rows that are read of any file: those of another shard are named, and not only refused for their number.
const MIN_ROWS: usize = 64;

/// What is committed of a shard, each with its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Its commit.
    pub committed: Vec<ManifestRow>,
    /// Its revisions, from the first on.
    pub revisions: Vec<Vec<ManifestRow>>,
    /// Its files that carry no digest of themselves.
    pub num_unsealed: usize,
}

impl Parts {
    /// Returns the rows that hold.
    #[must_use]
    pub fn effective(self) -> Vec<ManifestRow> {
        manifest::effective(self.committed, self.revisions)
    }

    /// Returns the rows that held when there were so many revisions.
    #[must_use]
    pub fn effective_at(&self, revisions: usize) -> Vec<ManifestRow> {
        let revisions = self.revisions.iter().take(revisions).cloned();
        manifest::effective(self.committed.clone(), revisions)
    }
}

impl Ledger {
    /// Returns the rows that hold of a committed shard, of which only the columns may be read that counts are made of.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if they cannot be read, or are not those of the shard.
    pub async fn counted_rows(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        shard: ShardId,
    ) -> Result<Vec<ManifestRow>, LedgerError> {
        let parts = self
            .read_parts(storage, run, shard, Columns::Counted)
            .await?;
        Ok(parts.effective())
    }

    /// Returns the rows that hold of a committed shard, without features.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if they cannot be read, or are not those of the shard.
    pub async fn shard_rows(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        shard: ShardId,
    ) -> Result<Vec<ManifestRow>, LedgerError> {
        let parts = self.shard_parts(storage, run, shard).await?;
        Ok(parts.effective())
    }

    /// Returns the rows that hold of a committed shard with the features of their outputs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if they cannot be read, or are not those of the shard.
    pub async fn shard_rows_with_features(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        shard: ShardId,
    ) -> Result<Vec<ManifestRow>, LedgerError> {
        let parts = self.shard_parts_with_features(storage, run, shard).await?;
        Ok(parts.effective())
    }

    /// Returns what is committed of a shard, without features.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if it cannot be read, or is not of the shard.
    pub async fn shard_parts(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        shard: ShardId,
    ) -> Result<Parts, LedgerError> {
        self.read_parts(storage, run, shard, Columns::WithoutFeatures)
            .await
    }

    /// Returns what is committed of a shard with the features of its outputs.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if it cannot be read, or is not of the shard.
    pub async fn shard_parts_with_features(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        shard: ShardId,
    ) -> Result<Parts, LedgerError> {
        self.read_parts(storage, run, shard, Columns::All).await
    }

    async fn read_parts(
        &self,
        storage: &dyn Storage,
        run: &FrozenRun,
        shard: ShardId,
        columns: Columns,
    ) -> Result<Parts, LedgerError> {
        let id = &run.record.run;
        let config_hash = &run.record.frozen.config_hash();
        let planned = run.plan.shards.get(shard.0 as usize);
        let positions = planned.into_iter().flat_map(Shard::items);
        let wanted = Wanted {
            run,
            config_hash,
            shard,
            items: positions
                .map(|position| names(&run.plan, position))
                .collect(),
            otherwise: "was not planned there",
        };
        let key = ArtifactKey::Shard(id.clone(), shard);
        let committed = read_rows(storage, key, columns, &wanted).await?;
        let revisions = (1..=self.num_revisions(shard)).map(|revision| async move {
            let decided = self.decisions.retries.of(shard, revision);
            let wanted = Wanted {
                run,
                config_hash,
                shard,
                items: decided.into_iter().flat_map(Items::iter).collect(),
                otherwise: "was not to be tried again",
            };
            let key = ArtifactKey::ShardRevision(id.clone(), shard, revision);
            read_rows(storage, key, columns, &wanted).await
        });
        let revisions = try_join_all(revisions).await?;
        let files = std::iter::once(&committed).chain(&revisions);
        Ok(Parts {
            num_unsealed: files.filter(|file| !file.is_sealed).count(),
            committed: committed.rows,
            revisions: revisions.into_iter().map(|file| file.rows).collect(),
        })
    }
}

/// Returns the style and the content of an item.
fn names(plan: &Plan, (style, content): (usize, usize)) -> (&str, &str) {
    (plan.styles[style].name(), plan.contents[content].name())
}

/// The rows that a file must hold.
struct Wanted<'a> {
    run: &'a FrozenRun,
    /// Digest of the run's method.
    config_hash: &'a str,
    shard: ShardId,
    /// The style and the content of each.
    items: HashSet<(&'a str, &'a str)>,
    /// What is true of all others.
    otherwise: &'static str,
}

impl Wanted<'_> {
    /// Returns what is other about some rows: there must be one of each item, and no others.
    fn differences(&self, rows: &[ManifestRow]) -> Vec<String> {
        let others = rows.iter().filter_map(|row| self.other_run(row));
        let others: BTreeSet<String> = others.collect();
        if !others.is_empty() {
            return others.into_iter().collect();
        }
        let mut differences = Vec::new();
        let mut missing = self.items.clone();
        for row in rows {
            let item = (row.item.style.as_str(), row.item.content.as_str());
            if !self.items.contains(&item) {
                let otherwise = self.otherwise;
                differences.push(format!("{} has a row and {otherwise}", row.item));
            } else if !missing.remove(&item) {
                differences.push(format!("{} has more than one row", row.item));
            }
        }
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_unstable();
        let missing = missing.into_iter();
        differences.extend(
            missing.map(|(style, content)| format!("{content} in the style of {style} has no row")),
        );
        differences
    }

    /// Returns what a row is that is none of this shard and run: a run of the same name may have had another seed, other
    /// settings or another model.
    fn other_run(&self, row: &ManifestRow) -> Option<String> {
        let (id, frozen) = (&self.run.record.run, &self.run.record.frozen);
        if row.run != *id || row.shard != self.shard {
            return Some(format!("rows of shard {} of run {}", row.shard, row.run));
        }
        let (seed, planned) = (row.seed.to_string(), frozen.method.seed().to_string());
        let columns = [
            ("seed", seed.as_str(), planned.as_str()),
            ("config_hash", row.config_hash.as_str(), self.config_hash),
            (
                "model_sha256",
                row.model_sha256.as_str(),
                frozen.model_sha256(),
            ),
        ];
        let mut columns = columns.into_iter();
        let (column, found, expected) = columns.find(|(_, found, expected)| found != expected)?;
        Some(format!(
            "rows of another run of this name, with {column} {found:?}, expected {expected:?}"
        ))
    }
}

async fn read_rows(
    storage: &dyn Storage,
    key: ArtifactKey,
    columns: Columns,
    wanted: &Wanted<'_>,
) -> Result<StoredRows, LedgerError> {
    let bytes = gone::read_listed(storage, &key).await?;
    let max_rows = wanted.items.len().max(MIN_ROWS);
    let read = move || manifest::read_stored(bytes, max_rows, columns);
    let read = shared::blocking::run(read).await;
    let read = read.map_err(|source| LedgerError::Manifest {
        path: storage.locate(&key),
        source,
    })?;
    let differences = wanted.differences(&read.rows);
    if differences.is_empty() {
        return Ok(read);
    }
    Err(LedgerError::OtherRows {
        path: storage.locate(&key),
        differences,
    })
}

/// Returns a failed attempt. One whose record cannot be read says so instead of its reason: it failed all the same.
///
/// # Errors
///
/// [`LedgerError::Gone`] if it is gone since it was listed, or that storage fails.
pub async fn failed_attempt(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    attempt: u32,
) -> Result<FailedAttempt, LedgerError> {
    let key = ArtifactKey::FailedAttempt(run.clone(), shard, attempt);
    let unreadable = |error: String| FailedAttempt {
        attempt,
        error_class: FailureClass::Transient,
        error,
        worker: String::new(),
        failed_at: jiff::Timestamp::UNIX_EPOCH,
    };
    let bytes = match gone::read_listed(storage, &key).await {
        Err(LedgerError::Unreadable(error)) => {
            return Ok(unreadable(format!("its record {}", chain(&error))));
        }
        read => read?,
    };
    let malformed = |error: DocumentError| {
        let path = storage.locate(&key);
        unreadable(format!("its record {path} cannot be read: {error}"))
    };
    Ok(FailedAttempt::parse(&bytes, &key).unwrap_or_else(malformed))
}

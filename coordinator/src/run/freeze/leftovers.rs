//! What is stored of a run whose record is not there: taken up only if it is proved to be of the run that is planned now.
//!
//! Rows of shards say which seed, settings and model they are of, and what is noted of uncommitted images the whole plan;
//! images alone say nothing.

use futures::TryStreamExt;
use futures::future::try_join_all;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::digest;
use shared::ids::RunId;
use shared::making::Making;
use shared::manifest::{self, ManifestRow};
use shared::run_record::Frozen;
use shared::storage::{Storage, StorageError, StorageErrorKind};

use super::FreezeError;
use crate::run::tally::READS_AT_ONCE;

/// What is stored below the name of a run.
#[derive(Default)]
struct Leftovers {
    num_images: usize,
    num_labels: usize,
    num_predictions: usize,
    num_priors: usize,
    num_shards: usize,
    /// Digests of plans, out of their names.
    plans: Vec<String>,
    /// What tells which run it is of.
    witnesses: Vec<ArtifactKey>,
}

/// What one of them tells.
enum Word {
    /// It is of the run that is planned now.
    Same,
    /// It is of another one, for this reason.
    Other(String),
    Nothing,
}

/// What a run is, as rows and notes tell it.
struct Planned<'a> {
    run: &'a RunId,
    frozen: &'a Frozen,
    config_hash: String,
    plan_hash: String,
}

/// Proves that what is stored below the name of a run that has no record is of the run that is planned now.
///
/// # Errors
///
/// [`FreezeError::Leftovers`] if it is not, or if nothing tells.
pub(super) async fn check(
    storage: &dyn Storage,
    run: &RunId,
    frozen: &Frozen,
) -> Result<(), FreezeError> {
    let found = Leftovers::list(storage, run).await?;
    if found.is_nothing() {
        return Ok(());
    }
    let planned = Planned {
        run,
        frozen,
        config_hash: frozen.config_hash(),
        plan_hash: digest::sha256_of_json(frozen),
    };
    let Some(why) = found.doubt(storage, &planned).await? else {
        return Ok(());
    };
    let record = storage.locate(&ArtifactKey::RunRecord(run.clone()));
    let folder = record.strip_suffix("/run.json").unwrap_or(&record);
    Err(FreezeError::Leftovers {
        run: run.clone(),
        found: found.told(),
        why,
        folder: folder.to_owned(),
    })
}

impl Leftovers {
    async fn list(storage: &dyn Storage, run: &RunId) -> Result<Self, StorageError> {
        let prefix = ArtifactPrefix::Run(run.clone());
        let folder = prefix.path();
        let mut found = Self::default();
        let mut pages = storage.list(&prefix);
        while let Some(page) = pages.try_next().await? {
            // A picture without a byte is none.
            for object in page.iter().filter(|object| object.size_bytes > 0) {
                let name = object.path.strip_prefix(&folder).unwrap_or(&object.path);
                found.count(name);
                found.note(&object.path);
            }
        }
        Ok(found)
    }

    fn count(&mut self, name: &str) {
        match name.split_once('/') {
            Some(("images", _)) => self.num_images += 1,
            Some(("labels", _)) => self.num_labels += 1,
            Some(("predictions", _)) => self.num_predictions += 1,
            Some(("priors", _)) => self.num_priors += 1,
            Some(("shards", _)) => self.num_shards += 1,
            Some(_) | None => {}
        }
    }

    fn is_nothing(&self) -> bool {
        let pictures = self.num_images + self.num_labels + self.num_predictions + self.num_priors;
        pictures + self.num_shards == 0
    }

    fn told(&self) -> String {
        let predictions = match self.num_predictions {
            0 => String::new(),
            number => format!(", {number} predictions"),
        };
        let priors = match self.num_priors {
            0 => String::new(),
            number => format!(", {number} class maps"),
        };
        format!(
            "{} images, {} labels{predictions}{priors} and {} shards",
            self.num_images, self.num_labels, self.num_shards
        )
    }

    fn note(&mut self, path: &str) {
        match ArtifactKey::parse(path) {
            Some(ArtifactKey::Plan(_, sha256)) => self.plans.push(sha256),
            Some(
                key @ (ArtifactKey::Shard(..)
                | ArtifactKey::ShardRevision(..)
                | ArtifactKey::Making(..)),
            ) => self.witnesses.push(key),
            Some(_) | None => {}
        }
    }

    /// Returns why this may be of another run; nothing if it is proved to be of this one.
    async fn doubt(
        &self,
        storage: &dyn Storage,
        planned: &Planned<'_>,
    ) -> Result<Option<String>, StorageError> {
        if !self.plans.is_empty() && !self.plans.contains(&planned.frozen.plan_sha256) {
            let why = "the plan beside them is of other inputs, pairs or shards";
            return Ok(Some(why.to_owned()));
        }
        let mut is_proved = false;
        for part in self.witnesses.chunks(READS_AT_ONCE) {
            let words = part.iter().map(|key| planned.ask(storage, key));
            for word in try_join_all(words).await? {
                match word {
                    Word::Same => is_proved = true,
                    Word::Other(why) => return Ok(Some(why)),
                    Word::Nothing => {}
                }
            }
        }
        let why = "nothing beside them tells with which settings they were made";
        Ok((!is_proved).then(|| why.to_owned()))
    }
}

impl Planned<'_> {
    /// Returns what an object tells of the run that it is of. One that is damaged tells nothing.
    async fn ask(&self, storage: &dyn Storage, key: &ArtifactKey) -> Result<Word, StorageError> {
        let bytes = match storage.read(key).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind == StorageErrorKind::NotFound => return Ok(Word::Nothing),
            Err(error) => return Err(error),
        };
        if matches!(key, ArtifactKey::Making(..)) {
            return Ok(self.told_by_note(key, &bytes));
        }
        let rows = shared::blocking::run(move || manifest::read(bytes)).await;
        let Ok(rows) = rows else {
            return Ok(Word::Nothing);
        };
        let other = rows.iter().find_map(|row| self.told_by_row(row));
        Ok(match other {
            Some(other) => Word::Other(format!("{key} has {other}")),
            None if rows.is_empty() => Word::Nothing,
            None => Word::Same,
        })
    }

    fn told_by_note(&self, key: &ArtifactKey, bytes: &[u8]) -> Word {
        match Making::parse(bytes, key) {
            Ok(making) if making.plan_hash == self.plan_hash => Word::Same,
            Ok(_) => Word::Other(format!(
                "{key} is of a run with other settings, inputs or another model"
            )),
            Err(_) => Word::Nothing,
        }
    }

    /// Returns what a row has that this run has not.
    fn told_by_row(&self, row: &ManifestRow) -> Option<String> {
        if row.run != *self.run {
            return Some(format!("rows of run {}", row.run));
        }
        let (found, expected) = (row.seed, self.frozen.method.seed());
        if found != expected {
            return Some(format!("rows of seed {found}, and this run has {expected}"));
        }
        if row.config_hash != self.config_hash {
            return Some("rows of other settings of the method".to_owned());
        }
        let is_same = row.model_sha256 == self.frozen.model_sha256();
        (!is_same).then(|| "rows of another model".to_owned())
    }
}

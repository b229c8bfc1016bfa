//! Which small runs are compared, as `comparisons/{run}.json` keeps it.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::{RunId, check_name};
use shared::seal;
use shared::settings::{Setting, Variation};
use shared::storage::{Storage, StorageError};

use crate::run::cost::Workload;
use crate::run::freeze::FreezeError;
use crate::run::ledger::LedgerError;

/// Combinations at most: more are not looked at side by side.
pub const MAX_COMBINATIONS: usize = 64;
/// Version of the format.
const FORMAT_VERSION: u32 = 1;
/// What is said of a combination in which nothing is otherwise.
const UNCHANGED: &str = "as it is";

/// A comparison that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// The document was written by another version, or is damaged.
    #[error("{path} is no comparison that this version reads: {reason}; make it again")]
    Malformed {
        /// The document.
        path: String,
        /// Why.
        reason: String,
    },
    /// One of its runs cannot be opened.
    #[error(transparent)]
    Run(#[from] FreezeError),
    /// What became of one of its runs cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Small runs that are compared before a run is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    format_version: u32,
    /// The run that is to be made, as its settings name it.
    pub run: RunId,
    /// SHA-256 of the settings file.
    pub settings_sha256: String,
    /// The contents that every run converts, in the order of their names.
    pub contents: Vec<String>,
    /// The styles that each of them meets, in the order of their names.
    pub styles: Vec<String>,
    /// The runs, numbered from 1.
    pub combinations: Vec<Combination>,
}

/// One of the runs, and what it is made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combination {
    /// The small run.
    pub run: RunId,
    /// The keys that were varied and that its method reads.
    pub settings: Vec<Setting>,
    /// Keys that it needs to be compared with the others, such as the size of their outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Setting>,
    /// Whether its method does without the model of the settings.
    pub without_model: bool,
    /// How much a run of the whole dataset is.
    pub whole: Workload,
}

impl Combination {
    /// Returns what it is made with in words: `method=fda, beta=0.05`.
    #[must_use]
    pub fn label(&self) -> String {
        if self.settings.is_empty() {
            return UNCHANGED.to_owned();
        }
        let settings: Vec<String> = self.settings.iter().map(Setting::to_string).collect();
        settings.join(", ")
    }

    /// Returns what is otherwise than in the settings file.
    #[must_use]
    pub fn variation(&self) -> Variation {
        Variation {
            settings: [self.settings.as_slice(), &self.needs].concat(),
            without_model: self.without_model,
        }
    }
}

impl Comparison {
    /// Returns a comparison of this version.
    #[must_use]
    pub fn new(run: RunId, settings_sha256: String) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            run,
            settings_sha256,
            contents: Vec::new(),
            styles: Vec::new(),
            combinations: Vec::new(),
        }
    }

    /// Returns the comparison that was made last for a run; none if none was.
    ///
    /// # Errors
    ///
    /// [`ComparisonError`] if it cannot be read.
    pub async fn stored(
        storage: &dyn Storage,
        run: &RunId,
    ) -> Result<Option<Self>, ComparisonError> {
        let key = ArtifactKey::Comparison(run.clone());
        let bytes = match storage.read(&key).await {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let malformed = |reason| ComparisonError::Malformed {
            path: storage.locate(&key),
            reason,
        };
        let read: Self = seal::parse(&bytes, &key).map_err(|error| malformed(error.to_string()))?;
        match read.flaw(run) {
            None => Ok(Some(read)),
            Some(flaw) => Err(malformed(flaw)),
        }
    }

    /// Stores the comparison in the place of the one that was made last.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn store(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        let key = ArtifactKey::Comparison(self.run.clone());
        let json = Bytes::from(seal::document(self, &key));
        storage.replace(&key, json).await
    }

    /// Returns the runs that comparisons of a storage root were made for, sorted.
    ///
    /// # Errors
    ///
    /// If storage does not answer.
    pub async fn all(storage: &dyn Storage) -> Result<Vec<RunId>, StorageError> {
        let mut found = BTreeSet::new();
        let mut pages = storage.list(&ArtifactPrefix::Comparisons);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                if let Some(ArtifactKey::Comparison(run)) = ArtifactKey::parse(&object.path) {
                    found.insert(run);
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Returns what cannot be of a document that is stored for a run; nothing if all can.
    fn flaw(&self, run: &RunId) -> Option<String> {
        let version = self.format_version;
        if version != FORMAT_VERSION {
            return Some(format!("its version is {version}, not {FORMAT_VERSION}"));
        }
        if self.run != *run {
            return Some(format!("it is of run {}", self.run));
        }
        let count = self.combinations.len();
        if !(1..=MAX_COMBINATIONS).contains(&count) {
            return Some(format!("it has {count} combinations"));
        }
        let mut names = self.contents.iter().chain(&self.styles);
        if let Some(error) = names.find_map(|name| check_name(name).err()) {
            return Some(error.to_string());
        }
        let is_amount = |amount: f64| amount.is_finite() && amount >= 0.0;
        let is_work = |combination: &Combination| {
            let Workload {
                styles,
                contents,
                outputs,
            } = combination.whole;
            [styles, contents, outputs].into_iter().all(is_amount)
        };
        let mut runs = BTreeSet::new();
        let wrong = self
            .combinations
            .iter()
            .find(|combination| !is_work(combination) || !runs.insert(&combination.run))?;
        Some(format!("combination {} cannot be", wrong.run))
    }
}

#[cfg(test)]
mod tests {
    use shared::storage::MemoryStorage;

    use super::*;

    fn comparison() -> Comparison {
        let combination = |run: &str| Combination {
            run: run.parse().unwrap(),
            settings: Vec::new(),
            needs: Vec::new(),
            without_model: true,
            whole: Workload {
                styles: 2.0,
                contents: 10.0,
                outputs: 20.0,
            },
        };
        Comparison {
            contents: vec!["00001".to_owned()],
            styles: vec!["night".to_owned()],
            combinations: vec![combination("a"), combination("b")],
            ..Comparison::new("gta5".parse().unwrap(), "0".repeat(64))
        }
    }

    async fn stored(comparison: &Comparison) -> Result<Option<Comparison>, String> {
        let storage = MemoryStorage::new();
        comparison.store(&storage).await.unwrap();
        let all = Comparison::all(&storage).await.unwrap();
        assert_eq!(all, std::slice::from_ref(&comparison.run));
        let read = Comparison::stored(&storage, &comparison.run).await;
        read.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_comparison_is_read_as_it_was_stored_and_there_may_be_none() {
        assert_eq!(stored(&comparison()).await, Ok(Some(comparison())));
        let storage = MemoryStorage::new();
        let read = Comparison::stored(&storage, &"gta5".parse().unwrap()).await;
        assert_eq!(read.unwrap(), None);
        assert!(Comparison::all(&storage).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_of_a_stored_comparison_is_told() {
        let told = async |change: fn(&mut Comparison)| {
            let mut changed = comparison();
            change(&mut changed);
            stored(&changed).await.unwrap_err()
        };
        let version = told(|it| it.format_version = 2).await;
        assert!(version.contains("its version is 2, not 1"), "{version}");
        let many = told(|it| it.combinations = vec![it.combinations[0].clone(); 65]).await;
        assert!(many.contains("it has 65 combinations"), "{many}");
        let none = told(|it| it.combinations.clear()).await;
        assert!(none.contains("it has 0 combinations"), "{none}");
        let name = told(|it| it.contents[0] = "../other".to_owned()).await;
        assert!(name.contains("../other"), "{name}");
        let work = told(|it| it.combinations[1].whole.outputs = -1.0).await;
        assert!(work.contains("combination b cannot be"), "{work}");
        let twice = told(|it| it.combinations[1].run = it.combinations[0].run.clone()).await;
        assert!(twice.contains("combination a cannot be"), "{twice}");
    }
}

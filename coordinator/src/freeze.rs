//! `run.json`: made once, compared ever after.

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::ids::RunId;
use shared::run_record::{Frozen, RunRecord};
use shared::settings::RunConfig;
use shared::storage::{Storage, StorageError, StorageErrorKind};

/// Why a run cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The run exists with other settings, another model or another dataset.
    #[error(
        "run {run} exists and is another one: {}; give this one another run.name, or put back what changed",
        .differences.join("; ")
    )]
    Different {
        /// The run.
        run: RunId,
        /// What differs.
        differences: Vec<String>,
    },
    /// There is no such run.
    #[error(
        "there is no run {run}: {path} is not there; check the name, --root and SYNTH2REAL_ROOT"
    )]
    Missing {
        /// The run.
        run: RunId,
        /// Where its record would be.
        path: String,
    },
    /// The record cannot be read.
    #[error("{path} is no run record of this version")]
    Malformed {
        /// The record.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Proves that no other run has this name; stores nothing.
///
/// # Errors
///
/// [`FreezeError::Different`] if a run of this name is another one.
pub async fn check(
    storage: &dyn Storage,
    config: &RunConfig,
    frozen: &Frozen,
) -> Result<(), FreezeError> {
    match open(storage, &config.run).await {
        Ok(record) => same(record, frozen).map(drop),
        Err(FreezeError::Missing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the run's record: the stored one if this plan is the same run, or a new one.
///
/// # Errors
///
/// [`FreezeError::Different`] if a run of this name is another one.
pub async fn open_or_create(
    storage: &dyn Storage,
    config: &RunConfig,
    frozen: &Frozen,
) -> Result<RunRecord, FreezeError> {
    match open(storage, &config.run).await {
        Ok(record) => same(record, frozen),
        Err(FreezeError::Missing { .. }) => {
            let record = RunRecord::new(config, frozen.clone(), jiff::Timestamp::now());
            let json =
                serde_json::to_vec_pretty(&record).map_err(|source| FreezeError::Malformed {
                    path: "run.json".to_owned(),
                    source,
                })?;
            match storage
                .create(
                    &ArtifactKey::RunRecord(config.run.clone()),
                    Bytes::from(json),
                )
                .await
            {
                Ok(_) => Ok(record),
                // Somebody started the same run at the same moment.
                Err(error) if error.kind == StorageErrorKind::Conflict => {
                    same(open(storage, &config.run).await?, frozen)
                }
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error),
    }
}

/// Returns the record of a run.
///
/// # Errors
///
/// [`FreezeError::Missing`] if there is none, [`FreezeError::Malformed`] if it cannot be read.
pub async fn open(storage: &dyn Storage, run: &RunId) -> Result<RunRecord, FreezeError> {
    let key = ArtifactKey::RunRecord(run.clone());
    let bytes = match storage.read(&key).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind == StorageErrorKind::NotFound => {
            return Err(FreezeError::Missing {
                run: run.clone(),
                path: storage.locate(&key),
            });
        }
        Err(error) => return Err(error.into()),
    };
    serde_json::from_slice(&bytes).map_err(|source| FreezeError::Malformed {
        path: storage.locate(&key),
        source,
    })
}

fn same(record: RunRecord, frozen: &Frozen) -> Result<RunRecord, FreezeError> {
    let differences = record.differences(frozen);
    if differences.is_empty() {
        Ok(record)
    } else {
        Err(FreezeError::Different {
            run: record.run,
            differences,
        })
    }
}

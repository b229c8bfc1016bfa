//! The plan of a run, read from storage.

use super::Plan;
use crate::artifact::ArtifactKey;
use crate::digest;
use crate::run_record::RunRecord;
use crate::storage::{Storage, StorageError};

/// What helps where a run's plan is damaged: the same inputs make the same one.
const PLAN_HELPS: &str = "put a copy of it back, or remove it and run again with the same inputs";

/// Why a run's plan cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Storage failed, or the plan is not there.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It is not the plan that the run's record speaks of.
    #[error("{path} was written by another version of synth2real, or is damaged: {reason}")]
    Malformed {
        /// The object.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Returns the plan that a run's record speaks of: it has the digest that the record says, and is sound.
///
/// # Errors
///
/// [`PlanError`] naming the object.
pub async fn read(storage: &dyn Storage, record: &RunRecord) -> Result<Plan, PlanError> {
    let planned = &record.frozen.plan_sha256;
    let key = ArtifactKey::Plan(record.run.clone(), planned.clone());
    let bytes = storage.read(&key).await?;
    let malformed = |reason: String| PlanError::Malformed {
        path: storage.locate(&key),
        reason,
    };
    if digest::sha256(&bytes) != *planned {
        return Err(malformed(format!(
            "its SHA-256 is another one; {PLAN_HELPS}"
        )));
    }
    let plan: Plan =
        serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    match plan.flaw(&record.frozen) {
        None => Ok(plan),
        Some(flaw) => Err(malformed(flaw)),
    }
}

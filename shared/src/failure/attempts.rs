//! Numbers of attempts at a shard: which there can be, and which is the next.

use crate::artifact::ArtifactKey;
use crate::ids::{MAX_ATTEMPT, RunId, ShardId};
use crate::seal::DocumentError;
use crate::storage::{Storage, StorageError, StorageErrorKind};

/// Proves that a field is the number of an attempt.
///
/// # Errors
///
/// [`DocumentError::Malformed`] naming the field, what it is and what it must be.
pub(crate) fn check_attempt(field: &str, number: u32) -> Result<(), DocumentError> {
    if (1..=MAX_ATTEMPT).contains(&number) {
        return Ok(());
    }
    Err(DocumentError::Malformed(format!(
        "{field}: it is {number}, expected 1 to {MAX_ATTEMPT}"
    )))
}

/// Returns the number of the attempt after another one.
///
/// # Errors
///
/// [`StorageErrorKind::Invalid`] if there is none: no record can have its name.
pub fn attempt_after(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    number: u32,
) -> Result<u32, StorageError> {
    let next = number.checked_add(1);
    next.filter(|&next| next <= MAX_ATTEMPT)
        .ok_or_else(|| StorageError {
            kind: StorageErrorKind::Invalid,
            operation: "number the attempt after",
            path: storage.locate(&ArtifactKey::FailedAttempt(run.clone(), shard, number)),
            source: Some(format!("attempts have numbers up to {MAX_ATTEMPT}").into()),
        })
}

/// Returns the number of the next attempt at a shard whose attempts count from `first`. They are recorded under numbers
/// without a gap, so those from `first` to before this one have failed.
///
/// # Errors
///
/// If storage does not answer, or every number has a record.
pub async fn next_attempt(
    storage: &dyn Storage,
    run: &RunId,
    shard: ShardId,
    first: u32,
) -> Result<u32, StorageError> {
    let mut next = first;
    let recorded = |number| ArtifactKey::FailedAttempt(run.clone(), shard, number);
    while storage.exists(&recorded(next)).await? {
        next = attempt_after(storage, run, shard, next)?;
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::failure::chain;
    use crate::storage::MemoryStorage;

    #[tokio::test]
    async fn numbers_of_attempts_end_and_nothing_counts_beyond_the_last() {
        let storage = MemoryStorage::new();
        let run: RunId = "demo".parse().unwrap();
        let next = async |first| next_attempt(&storage, &run, ShardId(0), first).await;
        assert_eq!(next(1).await.unwrap(), 1);
        for number in [1, 2, MAX_ATTEMPT, u32::MAX] {
            let key = ArtifactKey::FailedAttempt(run.clone(), ShardId(0), number);
            storage.create(&key, Bytes::new()).await.unwrap();
        }
        assert_eq!(next(1).await.unwrap(), 3);
        for last in [MAX_ATTEMPT, u32::MAX] {
            let error = next(last).await.unwrap_err();
            assert_eq!(error.kind, StorageErrorKind::Invalid);
            let told = chain(&error);
            assert!(
                told.contains(&format!("attempts/000000/{last}.json")),
                "{told}"
            );
            assert!(told.contains("up to 1000000"), "{told}");
        }
    }
}

//! What cannot be read: one object, or all of storage.
//!
//! A disk that cannot read one file (a bad sector, a file that may not be opened, a link that leads nowhere, a pipe or a
//! folder in its place) still reads the others. So an error of reading concerns that object alone as long as storage
//! answers: as the run's record can be read, and the object still cannot. A store that gives no answer about one object may
//! do so for the next request, so there it stays an error of storage. Else
//!
//! - a committed shard counts as not done and is named, as one that is damaged, and the rest of its run is shown;
//! - the record of a failed attempt says so in the place of its reason, and the attempt has failed all the same;
//! - a cache (what is made from the shards: counts, report) is none, with a warning in the log and a finding in an audit;
//! - a decision, the run's record and its plan stay errors that name them: what holds is not known without them.
//!
//! But for that, an audit always ends with its list. While storage does not answer, the error is one of storage, and says
//! nothing of any object. What was listed and is not there any more has words of its own: [`crate::run::gone`].

use std::error::Error;

use bytes::Bytes;
use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::ids::RunId;
use shared::storage::{Storage, StorageError, StorageErrorKind};

/// An object that cannot be read while others can.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read, and others can")]
pub struct Unreadable {
    /// Where it is.
    pub path: String,
    /// Why, as the medium says it.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Unreadable {
    /// Returns why it cannot be read, for a message that names it by its key.
    #[must_use]
    pub fn why(&self) -> String {
        match &self.source {
            Some(source) => format!("{}, and others can be read", chain(source.as_ref())),
            None => "the store does not give it, and gives others".to_owned(),
        }
    }
}

/// Why an object is not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// There is none.
    Absent,
    /// It alone cannot be read.
    Unreadable(Unreadable),
    /// Storage does not answer.
    Storage(StorageError),
}

/// Returns the bytes of an object. One that could not be read while storage did not answer is read again once it does.
pub(crate) async fn read(storage: &dyn Storage, key: &ArtifactKey) -> Result<Bytes, ReadError> {
    let error = match storage.read(key).await {
        Ok(bytes) => return Ok(bytes),
        Err(error) => error,
    };
    if error.is_absent() {
        return Err(ReadError::Absent);
    }
    if !answers(storage, key.run()).await {
        return Err(ReadError::Storage(error));
    }
    match storage.read(key).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.is_absent() => Err(ReadError::Absent),
        Err(error) if error.kind == StorageErrorKind::Unavailable && !is_of_disk(&error) => {
            Err(ReadError::Storage(error))
        }
        Err(error) => Err(ReadError::Unreadable(Unreadable {
            path: error.path,
            source: error.source,
        })),
    }
}

/// Returns whether a disk says so. A store elsewhere may refuse or delay one request and answer the next, which says nothing
/// of the object.
fn is_of_disk(error: &StorageError) -> bool {
    let source = error.source.as_deref();
    source.is_some_and(|source| source.is::<std::io::Error>())
}

/// Returns the bytes of something that is made from other objects; none if there is none, or it cannot be read.
///
/// # Errors
///
/// If storage does not answer.
pub(crate) async fn read_cache(
    storage: &dyn Storage,
    key: &ArtifactKey,
) -> Result<Option<Bytes>, StorageError> {
    match read(storage, key).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Absent) => Ok(None),
        Err(ReadError::Unreadable(error)) => {
            tracing::warn!(error = chain(&error), "what cannot be read counts as none");
            Ok(None)
        }
        Err(ReadError::Storage(error)) => Err(error),
    }
}

/// Returns whether storage answers: the record of a run can be read.
async fn answers(storage: &dyn Storage, run: &RunId) -> bool {
    let record = ArtifactKey::RunRecord(run.clone());
    storage.read(&record).await.is_ok()
}

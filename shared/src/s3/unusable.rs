//! Why a store must not be used: it does not keep what creates, reads and listings rely on.

use super::Bucket;
use super::error_response::Cause;
use crate::storage_error::StorageError;
use crate::storage_error::StorageErrorKind::Denied;

impl Bucket {
    /// Returns an error that says this store must not be used: it ignores `If-None-Match`.
    pub(crate) fn conditional_put_unsupported(&self) -> StorageError {
        self.unusable(Cause::ConditionalPutUnsupported(self.at.bucket.clone()))
    }

    /// Returns an error that says this store must not be used: several of some creates at once succeeded.
    pub(crate) fn races(&self, writers: usize, winners: usize) -> StorageError {
        let bucket = self.at.bucket.clone();
        self.unusable(Cause::Races {
            bucket,
            writers,
            winners,
        })
    }

    /// Returns an error that says this store must not be used: it gives back other bytes.
    pub(crate) fn reads_other(&self) -> StorageError {
        self.unusable(Cause::ReadsOther(self.at.bucket.clone()))
    }

    /// Returns an error that says this store must not be used: it does not list what was written.
    pub(crate) fn lists_late(&self) -> StorageError {
        self.unusable(Cause::ListsLate(self.at.bucket.clone()))
    }

    fn unusable(&self, cause: Cause) -> StorageError {
        cause.of(Denied, "use", self.address(""))
    }
}

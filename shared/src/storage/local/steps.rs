//! The steps of work on a disk, told as they are done: for proofs of what is left when the power is cut between two of them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A step of work on a disk that was done.
#[derive(Debug, Clone, Copy)]
pub enum DiskStep<'a> {
    /// The bytes of a file survive a crash.
    BytesSynced(&'a Path),
    /// A finished file has another name.
    Renamed {
        /// The name that it had.
        from: &'a Path,
        /// The name that it has.
        to: &'a Path,
    },
    /// The names in a folder survive a crash.
    NamesSynced(&'a Path),
}

/// What is told of each step.
pub type DiskListener = Arc<dyn Fn(DiskStep<'_>) + Send + Sync>;

/// Where steps are told, if anywhere.
#[derive(Clone, Default)]
pub(super) struct Steps(Option<DiskListener>);

impl Steps {
    /// Returns what tells a listener.
    #[cfg(any(test, feature = "conformance"))]
    pub(super) fn told_to(listener: DiskListener) -> Self {
        Self(Some(listener))
    }

    /// Tells of a step.
    pub(super) fn done(&self, step: DiskStep<'_>) {
        if let Some(listener) = &self.0 {
            listener(step);
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

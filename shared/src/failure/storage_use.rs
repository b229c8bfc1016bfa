//! What an error of storage leads to, by what was asked for.

use super::FailureClass;
use crate::storage_error::StorageErrorKind;

/// What a worker asked storage, a dataset or the folder of a model for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageUse {
    /// Before a shard is tried: the run's record, what was decided about it, and what is committed of it.
    Preflight,
    /// Before a run's first shard is tried: its plan.
    Plan,
    /// What a run needs beside the storage root: its model, its networks, and the roots of its datasets.
    RunContext,
    /// A listed file of a dataset: a content, a style, or the label of one.
    Input,
    /// The image or the label of an item.
    Item,
    /// What an attempt reads and writes beside: its commit, and the record that it failed.
    Attempt,
}

impl FailureClass {
    /// Returns what an error of storage leads to.
    ///
    /// One kind of error means one thing or another by what was asked for:
    ///
    /// - `Unavailable` passes, wherever it comes from.
    /// - `NotFound` is what a medium may say that is not quite there, so it is tried again. But a plan is stored before the
    ///   record that names it, and a model whose other files are there has lost one: both runs are broken. A listed file
    ///   may be gone, which its neighbours tell.
    /// - `Conflict` while an attempt stores concerns one object: the shard fails loudly, the others go on. A look creates
    ///   nothing, so storage that speaks of a conflict there is none to rely on; a model's folder says so of one run.
    /// - `Full` and `Denied` below the storage root are so for every run. (Whether `Denied` is, its caller finds out by
    ///   writing elsewhere.) The folder for caches is every run's too. But datasets and models have roots of their own, with
    ///   permissions that people change: what is denied there is away, and waited for.
    /// - `Invalid` stays so. It costs an item where it is about one, and its run where it is about the run.
    #[must_use]
    pub fn of_storage(kind: StorageErrorKind, stage: StorageUse) -> Self {
        use StorageErrorKind::{Conflict, Denied, Full, Invalid, NotFound, Unavailable};
        match (stage, kind) {
            (StorageUse::Preflight | StorageUse::Plan, Unavailable)
            | (StorageUse::Preflight, NotFound) => Self::Transient,
            (StorageUse::Plan, NotFound) | (StorageUse::Preflight | StorageUse::Plan, Invalid) => {
                Self::Unworkable
            }
            (StorageUse::Preflight | StorageUse::Plan, Conflict | Full | Denied) => Self::Fatal,

            (StorageUse::RunContext, Unavailable | Denied) => Self::Transient,
            (StorageUse::RunContext, NotFound | Conflict | Invalid) => Self::Unworkable,
            (StorageUse::RunContext, Full) => Self::Fatal,

            (StorageUse::Input, Unavailable | Denied | Full | Conflict) => Self::Transient,
            (StorageUse::Input, NotFound) => Self::Missing,
            (StorageUse::Input, Invalid) => Self::BadInput,

            (StorageUse::Item | StorageUse::Attempt, Unavailable | NotFound | Conflict) => {
                Self::Transient
            }
            (StorageUse::Item | StorageUse::Attempt, Full | Denied) => Self::Fatal,
            (StorageUse::Item, Invalid) => Self::BadInput,
            (StorageUse::Attempt, Invalid) => Self::Unworkable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_storage_has_one_class_at_each_stage() {
        use FailureClass::{BadInput, Fatal, Missing, Transient, Unworkable};
        use StorageErrorKind::{Conflict, Denied, Full, Invalid, NotFound, Unavailable};
        let stages = [
            StorageUse::Preflight,
            StorageUse::Plan,
            StorageUse::RunContext,
            StorageUse::Input,
            StorageUse::Item,
            StorageUse::Attempt,
        ];
        #[rustfmt::skip]
        let table = [
            //             Preflight        Plan        RunContext       Input      Item       Attempt
            (Unavailable, [Transient,  Transient,  Transient,  Transient, Transient, Transient]),
            (NotFound,    [Transient,  Unworkable, Unworkable, Missing,   Transient, Transient]),
            (Conflict,    [Fatal,      Fatal,      Unworkable, Transient, Transient, Transient]),
            (Full,        [Fatal,      Fatal,      Fatal,      Transient, Fatal,     Fatal]),
            (Denied,      [Fatal,      Fatal,      Transient,  Transient, Fatal,     Fatal]),
            (Invalid,     [Unworkable, Unworkable, Unworkable, BadInput,  BadInput,  Unworkable]),
        ];
        for (kind, classes) in table {
            for (stage, class) in stages.into_iter().zip(classes) {
                let found = FailureClass::of_storage(kind, stage);
                assert_eq!(found, class, "{kind:?} at {stage:?}");
            }
        }
    }
}

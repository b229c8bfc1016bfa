//! Finds from storage alone which shards and items are to be done again, and why.
//!
//! - `choice`: which shards are wanted; `error`: why that cannot be done
//! - `find`, `quarantined`: which of them are to be done again
//! - `decide`, `tasks`: that is decided, and workers are asked for it

mod choice;
mod decide;
mod error;
mod find;
mod quarantined;
mod tasks;

pub use self::choice::{Choice, Only};
pub use self::decide::{changed_inputs, decide};
pub use self::error::ResumeError;
pub use self::find::{damaged, find, find_in};
pub use self::quarantined::Quarantined;
pub use self::tasks::{Publisher, task, tasks};
pub use crate::run::gone::Known;
use crate::run::redo::Redo;

/// Adds quarantined items whose inputs have changed. Workers are asked for one revision of a shard at a time: what was found
/// of such a shard already gives way, and what was decided of it before comes first.
pub fn merge(redo: &mut Vec<Redo>, changed: Vec<Redo>) {
    redo.retain(|found| {
        let mut changed = changed.iter();
        !(found.why.is_of_some_items() && changed.any(|changed| changed.shard == found.shard))
    });
    redo.extend(changed);
}

/// Returns how many items are made when shards are done again.
#[must_use]
pub fn num_items(redo: &[Redo]) -> usize {
    redo.iter().map(|redo| redo.num_items).sum()
}

//! What is shown: each page is a struct of plain data, made by a function, and a template.

pub(super) mod grid;
pub(super) mod losses;
mod parts;
pub(super) mod report;
pub(super) mod run;
mod run_line;
pub(super) mod runs;
pub(super) mod shard;
mod shard_items;
mod shard_table;
pub(super) mod states;
mod styles;
pub(super) mod workers;

use super::error::PageError;

/// What is asked for is not there.
pub(super) async fn missing() -> PageError {
    PageError::Missing("there is no such page".to_owned())
}

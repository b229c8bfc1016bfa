//! Pages: each is a struct of plain data, made by a function, and a template.
//!
//! - `runs`, `run`, `shard`, `failures`, `labels`, `doubtful`, `priors`, `workers`, `report`: a file or folder a page;
//!   `comparisons`: their list, and one of them
//! - `run_summary`, `grid`, `parts`, `states`: what several of them show

pub(super) mod comparisons;
pub(super) mod doubtful;
pub(super) mod failures;
pub(super) mod grid;
pub(super) mod labels;
mod parts;
pub(super) mod priors;
pub(super) mod report;
pub(super) mod run;
mod run_summary;
pub(super) mod runs;
pub(super) mod shard;
pub(super) mod states;
pub(super) mod workers;

use super::error::PageError;

/// Answers requests for an address that no route has.
pub(super) async fn missing() -> PageError {
    PageError::NotFound("there is no such page".to_owned())
}

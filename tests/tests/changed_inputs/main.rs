//! Inputs that change after a run was planned: compared file by file, and accepted only if nothing was made of them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod done;
mod fixture;
mod listed;
mod many;
mod mended;
mod swapped;

//! One object that cannot be read is its own trouble: everything else of its run, and every other run, is as it was. Only
//! storage that does not answer is an outage.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod collector;
mod fixture;
mod records;
mod shards;

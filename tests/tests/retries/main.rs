//! Quarantined items that are tried again: decided in storage, made as revisions of their shards, and counted once.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod counts;
mod deciding;
mod figures;
mod fixture;
mod made_again;
mod strays;
mod untouched;
mod workers;

//! What becomes of a shard: each class of failure, and each message that is no shard to be made.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod committed;
mod dead_letters;
mod decisions;
mod failures;
mod fixture;
mod given_up;
mod messages;
mod not_finite;
mod records;
mod root;
mod stopping;
mod unworkable;

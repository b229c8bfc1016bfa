//! Exit 0 means that everything that was planned is there; what was removed meanwhile is an error, and made again.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod damaged;
mod ended;
mod fixture;
mod records;
mod removed;

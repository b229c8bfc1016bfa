//! Exports: what is in them, how they go on where they stopped, and what is refused.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod bucket;
mod contents;
mod fixture;
mod refused;
mod resumed;

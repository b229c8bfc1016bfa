//! The power is cut: what was acknowledged is there, nothing is half there, and a run that goes on ends as any other.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests")]

mod fixture;
mod killed;
mod programs;
mod steps;

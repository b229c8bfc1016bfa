//! Inputs, models and networks that go away: they are waited for and cost nothing, and nothing of them is ever taken for a
//! bad input.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod datasets;
mod fixture;
mod gone;
mod inputs;
mod models;
mod storage;

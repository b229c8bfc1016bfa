//! The method against the numbers of `tests/fixtures/golden`, made by the authors' code in PyTorch.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod attention;
mod fixtures;
mod trajectory;

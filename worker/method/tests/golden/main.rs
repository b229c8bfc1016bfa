//! The method against the numbers of `tests/fixtures/golden` and `golden-ast`, made by the authors' code in PyTorch.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ast;
mod ast_steps;
mod attention;
mod fixtures;
mod trajectory;

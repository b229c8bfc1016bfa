//! The method against the numbers of `tests/fixtures/golden`, made by the authors' code in PyTorch.

mod attention;
mod fixtures;
mod images;
mod trajectory;

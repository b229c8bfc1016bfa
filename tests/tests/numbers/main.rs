//! Numbers that are not finite are never an image, and frames of one colour are done with a word.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod colours;
mod command;
mod refused;
mod weights;

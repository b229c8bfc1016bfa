//! The contract of an exported model, `model.json`: what the model is, and the digests of its files.
//!
//! onnx-export writes it; the engine and the coordinator read it. The networks that judge outputs have contracts of their
//! own, [`network`](crate::network), which describe graphs in the same way.
//!
//! - [`ModelContract`]: a folder with its contract, read and checked; [`ContractError`], [`OpenError`]: why one cannot be used
//! - [`Model`]: what `model.json` says; [`GraphFile`]: what it and others say of a graph; [`Precision`], [`PartPrecision`]: of
//!   which numbers
//! - `check`, `sizes`: what it must say for this program to use it
//! - `files`: the proof that files are those of a contract

mod check;
mod contract;
mod description;
mod error;
mod files;
mod graph;
mod precision;
pub(crate) mod sizes;

pub(crate) use check::check_graph_files;
pub use contract::{ImageSize, ModelContract};
pub use description::{
    CheckpointInfo, InjectedLayer, LatentShape, Model, PredictionType, Prompt, ScheduleContract,
    Segment,
};
pub use error::{ContractError, OpenError};
pub use files::{gone, verify_graph};
pub use graph::{DataFile, Dimension, GraphFile, TensorContract};
pub use precision::{PartPrecision, Precision};

/// The contract's version since which layers hand over their input.
const WITH_INPUTS: u32 = 2;
/// The contract's version since which the autoencoder may have a precision of its own.
const WITH_VAE_PRECISION: u32 = 3;
/// The contract's versions that this program reads.
const FORMAT_VERSIONS: std::ops::RangeInclusive<u32> = 1..=WITH_VAE_PRECISION;
/// Pixels of an image along each side of one element of its latent.
pub const PIXELS_PER_LATENT: usize = 8;
/// The contract's name in its folder.
pub const FILE: &str = "model.json";

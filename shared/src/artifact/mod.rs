//! Keys of stored objects: every kind of object, its path, and the way back from a path.
//!
//! - [`ArtifactKey`]: an object, and what holds of its kind; `parse`: the key of a path
//! - [`ArtifactPrefix`]: a group of objects

mod key;
mod parse;
mod prefix;

pub use key::{ArtifactKey, Writing};
pub use prefix::ArtifactPrefix;

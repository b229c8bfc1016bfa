//! Converts the items of a shard with the CACTI/CACTIF method.

pub mod dataset;
pub mod method;

//! Work: shards handed out, in this process or to workers, and watched until they end.
//!
//! - [`dispatch`], [`resume`]: shards handed to the queue, for the first time or again
//! - [`collector`]: watches all runs of a storage root
//! - [`embedded`]: a run in this process

pub mod collector;
pub mod dispatch;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod resume;

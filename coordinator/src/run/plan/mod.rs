//! Which contents meet which styles, in which shards. Pure: names in, positions out.
//!
//! - `pairing`, `rare_class`: contents for each style; `shards`: items in groups

mod pairing;
mod rare_class;
mod shards;

pub use pairing::{ClassPixels, pair, shortage};
pub use shards::group;
pub use shared::plan::{Plan, Shard};

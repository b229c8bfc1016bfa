//! Which contents meet which styles, in which shards. Pure: names in, positions out.
//!
//! - `pairing`, `rare_class`: contents for each style; `shards`: items in groups; `parts`: shards for several processes

mod pairing;
mod parts;
mod rare_class;
mod shards;

pub use pairing::{ClassPixels, pair, shortage};
pub use parts::{NumParts, Part, PartError, part_numbers};
pub use shards::group;
pub use shared::plan::{Plan, Shard};

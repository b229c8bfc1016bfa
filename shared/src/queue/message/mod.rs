//! Messages that are sent over a broker: a module for each port.

mod control;
mod event;
mod task;

pub use control::ControlRequest;
pub use event::{Event, EventKind, ShardInHand};
pub use task::ShardTask;

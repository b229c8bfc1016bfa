//! A run: what it is made of, how it is planned and frozen, and what storage says has become of it.
//!
//! - [`inventory`]: contents, styles, model and networks, listed and digested
//! - [`plan`]: which contents meet which styles, in which shards (pure)
//! - [`estimate`], [`cost`]: how long that takes, and what it costs
//! - [`freeze`], [`changes`]: `run.json` and the plan, made once; how inputs differ from them, file by file
//! - [`ledger`], [`tally`], [`stored_items`]: what storage says is done; [`gone`], [`unreadable`]: what of it is not there
//!   or cannot be read
//! - [`redo`]: shards that are to be done again
//! - [`policy`], [`decisions`]: whether a run goes on, is halted, failed too often, or has ended (pure), and what is decided
//!   about it

pub mod changes;
pub mod cost;
pub mod decisions;
pub mod estimate;
pub mod freeze;
pub mod gone;
pub mod inventory;
pub mod ledger;
pub mod plan;
pub mod policy;
pub mod redo;
pub mod stored_items;
pub mod tally;
pub mod unreadable;

//! Plans runs, drives workers, and tells people how it goes.
//!
//! - [`plan`]: which contents meet which styles, in which shards (pure)
//! - [`inventory`], [`networks`]: what there is, listed and digested
//! - [`freeze`], [`changes`]: `run.json` and the plan, made once; how inputs differ from them, file by file
//! - [`ledger`], [`tally`], [`stored_items`]: what storage says is done; [`gone`], [`unreadable`]: what of it is not there or
//!   cannot be read
//! - [`fate`], [`deciding`]: whether a run goes on, is halted, failed too often, or has ended (pure), and what is decided
//!   about it
//! - [`dispatch`], [`resume`]: shards handed to the queue, for the first time or again
//! - [`estimate`]: how long that takes
//! - [`embedded`]: the run in this process
//! - [`collector`]: the look-out over all runs of a storage root
//! - [`dashboard`]: what the look-out sees, in a browser
//! - [`metrics`]: what the collector sees, for Prometheus
//! - [`collect`], [`audit`], [`contact_sheet`]: what comes out
//! - [`quality`], [`report`]: what it is like
//! - [`cli`]: the command line

// They panic when what they print cannot be written: `shared::console` does not.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod audit;
pub mod changes;
pub mod cli;
pub mod collect;
pub mod collector;
pub mod contact_sheet;
pub mod dashboard;
pub mod deciding;
pub mod dispatch;
pub mod embedded;
pub mod estimate;
pub mod fate;
pub mod freeze;
pub mod gone;
pub mod inventory;
pub mod ledger;
pub mod metrics;
pub mod networks;
pub mod plan;
pub mod progress;
pub mod quality;
pub mod report;
pub mod resume;
pub mod stored_items;
pub mod tally;
pub mod unreadable;

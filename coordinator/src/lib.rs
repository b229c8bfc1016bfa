//! Plans runs, drives workers, and tells people how it goes.
//!
//! - [`inventory`]: what there is: contents, styles, model
//! - [`plan`]: which contents meet which styles, in which shards; pure
//! - [`freeze`]: `run.json`, made once and compared ever after
//! - [`ledger`]: what storage says is done
//! - [`embedded`]: the run in this process, shard by shard
//! - [`collect`], [`contact_sheet`]: what is made from the shards
//! - [`audit`]: the proof that nothing is lost
//! - [`cli`], [`progress`], [`telemetry`]: what a person sees

pub mod audit;
pub mod cli;
pub mod collect;
pub mod contact_sheet;
pub mod embedded;
pub mod freeze;
pub mod inventory;
pub mod ledger;
pub mod plan;
pub mod progress;
pub mod telemetry;

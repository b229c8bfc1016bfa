//! What an audit proves: that whatever is changed below the folder of a finished run is found.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod deep;
mod finished;
mod predictions;
mod records;
mod reports;
mod shards;
mod thousand;

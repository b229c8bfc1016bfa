//! What people and their monitoring see.
//!
//! - [`cli`]: the command line; [`progress`]: bars and lines while it works
//! - [`dashboard`]: the runs of a storage root in a browser
//! - [`metrics`]: the same for Prometheus

pub mod cli;
pub mod dashboard;
pub mod metrics;
pub mod progress;

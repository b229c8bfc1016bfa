//! Datasets as people have them on their disks: the published layouts, and everything that goes wrong.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cameras;
mod choosing;
mod damaged;
mod files;
mod jpegs;
mod labels;
mod listing;
mod losses;
mod preparing;

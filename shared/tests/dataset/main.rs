//! Datasets as people have them on their disks, listed: the published layouts, what is used of them and what is left out.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod choosing;
mod listing;
mod unpacked;

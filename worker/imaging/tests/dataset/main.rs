//! Pictures and labels as people have them on their disks, decoded: every kind of file, and everything that goes wrong.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod cameras;
mod damaged;
mod files;
mod jpegs;
mod labels;
mod losses;
mod preparing;

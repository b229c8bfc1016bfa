//! Small files, whole, odd and broken, with what must become of each.
//!
//! - [`files`]: code that makes them, byte by byte where no encoder would
//! - [`table`]: one row for each: the file, who reads it, what becomes of it, and words of the message
//! - [`read`]: the readers of the programs, as rows name them
//! - [`targets`]: the same readers for any bytes at all, which must neither panic nor hang nor take a gigabyte
//! - [`planned`]: runs that are planned without datasets or a model
//! - [`damage`]: seeded damage to files, and repairs of the checksums that would catch it

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "makers of test files end with a panic where a test would"
)]

pub mod damage;
pub mod files;
pub mod planned;
pub mod read;
pub mod table;
pub mod targets;

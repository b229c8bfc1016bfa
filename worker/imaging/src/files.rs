//! Files in memory, with the names that errors show.

use shared::dataset::LabelReading;

/// The bytes of a file.
#[derive(Clone, Copy, Debug)]
pub struct NamedBytes<'a> {
    /// The path that errors show.
    pub name: &'a str,
    /// What the file holds.
    pub bytes: &'a [u8],
}

/// A label file, and how it is to be read.
#[derive(Clone, Copy, Debug)]
pub struct LabelFile<'a> {
    /// The file.
    pub file: NamedBytes<'a>,
    /// What is known of it before it is opened.
    pub reading: LabelReading,
}

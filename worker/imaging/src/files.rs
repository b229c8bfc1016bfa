//! Files in memory, with the names that errors show.

use shared::dataset::{ClassTable, LabelReading};

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
    /// Which class each of its ids or colours is, where the settings say so.
    pub classes: Option<&'a ClassTable>,
}

impl<'a> LabelFile<'a> {
    /// Returns a label whose ids or colours are those of a layout.
    #[must_use]
    pub fn new(file: NamedBytes<'a>, reading: LabelReading) -> Self {
        Self {
            file,
            reading,
            classes: None,
        }
    }

    /// Returns the same label with what settings say of its classes.
    #[must_use]
    pub fn with_classes(self, classes: Option<&'a ClassTable>) -> Self {
        Self { classes, ..self }
    }
}

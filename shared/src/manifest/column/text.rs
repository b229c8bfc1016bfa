//! Values that are kept as text: names, digests, and what people are told.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;

use super::AsText;
use super::{Cell, Kind};
use crate::failure::FailureClass;
use crate::ids::RunId;
use crate::manifest::{ManifestError, Status};
use crate::wording::{MOST_STORED_BYTES, one_line, shortened};

impl<T: AsText> Kind for T {
    type Value = T::Value;
    type Array = StringArray;
    const REPEATS: bool = <T as AsText>::REPEATS;

    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a T::Value>>) -> ArrayRef {
        let texts = values.map(|value| value.map(T::as_text));
        Arc::new(texts.collect::<StringArray>())
    }

    fn read(cell: Cell<'_, StringArray>) -> Result<T::Value, ManifestError> {
        if cell.is_null() {
            return Err(cell.unexpected());
        }
        let text = cell.column.value(cell.row);
        check_text(text)?;
        T::from_text(text).ok_or_else(|| cell.unexpected())
    }
}

/// Refuses a text that is longer than any that is written: what reads it shows it.
pub(crate) fn check_text(text: &str) -> Result<(), ManifestError> {
    if text.len() <= MOST_STORED_BYTES {
        return Ok(());
    }
    Err(ManifestError::TooLarge {
        what: "bytes for a text",
        found: text.len(),
        most: MOST_STORED_BYTES,
    })
}

impl AsText for String {
    type Value = Self;

    fn as_text(text: &Self) -> &str {
        text
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// A text that people are told, read as a part of a line.
pub(crate) enum Told {}

impl AsText for Told {
    type Value = String;

    fn as_text(text: &String) -> &str {
        text
    }

    fn from_text(text: &str) -> Option<String> {
        Some(shortened(&one_line(text), MOST_STORED_BYTES))
    }
}

/// The digest of a file. They never repeat, so a dictionary only costs.
pub(crate) enum FileDigest {}

impl AsText for FileDigest {
    type Value = String;
    const REPEATS: bool = false;

    fn as_text(sha256: &String) -> &str {
        sha256
    }

    fn from_text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl AsText for RunId {
    type Value = Self;

    fn as_text(run: &Self) -> &str {
        run.as_str()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl AsText for Status {
    type Value = Self;

    fn as_text(status: &Self) -> &str {
        status.as_str()
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::from_name(text)
    }
}

impl AsText for FailureClass {
    type Value = Self;

    fn as_text(class: &Self) -> &str {
        class.as_str()
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::from_name(text)
    }
}

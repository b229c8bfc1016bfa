//! Columns of the manifest: conversion of row values to Arrow and back.
//!
//! - [`Column`], [`Cell`]: a column of all rows, and a value in one of them; [`Kind`]: how values of a type are kept
//! - `text`: what is kept as text; `number`: ids, counts and times; `mark`: what holds or does not
//! - `figure`: what means and sums are made of
//! - `list`: values of which a row has several

mod figure;
mod list;
mod mark;
mod number;
mod text;

use arrow::array::{Array, ArrayRef, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Field};

pub(super) use figure::{Amount, Figure, FigureOfPixels, Share};
pub(super) use list::Ious;
pub(super) use mark::Mark;
pub(super) use number::Attempt;
pub(super) use text::{FileDigest, Told, check_text};

use super::{ManifestError, ManifestRow};

type Write = dyn Fn(&[ManifestRow]) -> ArrayRef + Send + Sync;
type Read =
    dyn Fn(Option<&ArrayRef>, usize, &mut ManifestRow) -> Result<(), ManifestError> + Send + Sync;
type Check = dyn Fn(&ManifestRow) -> bool + Send + Sync;

/// Columns that only some manifests have: all of a group, or none. Those that earlier programs wrote have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    /// What a segmenter finds, in figures.
    LabelFigures,
    /// The pixels that these are computed from, in shards.
    Confusions,
}

/// A column of the manifest.
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Its name, type and nullability in Arrow, and so in Parquet.
    pub(super) field: Field,
    /// Whether values come more than once, so that a dictionary saves something.
    pub(super) repeats: bool,
    /// Of which group it is; none if every manifest has it.
    pub(super) extra: Option<Extra>,
    /// Whether it is always written and may be missing all the same, as in manifests of earlier programs: then nothing is
    /// known.
    pub(super) may_be_missing: bool,
    /// Whether counts are made of it.
    pub(super) is_counted: bool,
    write: Box<Write>,
    read: Box<Read>,
    check: Box<Check>,
}

impl Column {
    /// Returns the column of what is found in a row by `get` and `get_mut`, of which both find nothing in a row that does
    /// not have this part. [`schema`](super::schema) makes both from one place.
    pub(super) fn of<K: Kind>(
        name: &'static str,
        of_part: bool,
        get: impl Fn(&ManifestRow) -> Option<&K::Value> + Copy + Send + Sync + 'static,
        get_mut: impl Fn(&mut ManifestRow) -> Option<&mut K::Value> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            field: Field::new(name, K::data_type(), of_part || K::NULLABLE),
            repeats: K::REPEATS,
            extra: None,
            may_be_missing: false,
            is_counted: false,
            write: Box::new(move |rows| K::array(rows.iter().map(get))),
            read: reading::<K>(name, get_mut),
            check: Box::new(move |row| get(row).is_none_or(K::is_sound)),
        }
    }

    /// Returns the column of what `get` computes of a row, and nothing of some; what is read goes to where `get_mut` finds.
    pub(super) fn computed<K: Kind>(
        name: &'static str,
        get: impl Fn(&ManifestRow) -> Option<K::Value> + Copy + Send + Sync + 'static,
        get_mut: impl Fn(&mut ManifestRow) -> Option<&mut K::Value> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            field: Field::new(name, K::data_type(), true),
            repeats: K::REPEATS,
            extra: None,
            may_be_missing: false,
            is_counted: false,
            write: Box::new(move |rows| {
                let values: Vec<Option<K::Value>> = rows.iter().map(get).collect();
                K::array(values.iter().map(Option::as_ref))
            }),
            read: reading::<K>(name, get_mut),
            check: Box::new(|_| true),
        }
    }

    /// Returns the same column as one that only some manifests have.
    pub(super) fn only_with(self, extra: Extra) -> Self {
        Self {
            extra: Some(extra),
            ..self
        }
    }

    /// Returns the same column as one that manifests of earlier programs do not have.
    pub(super) fn missing_earlier(self) -> Self {
        Self {
            may_be_missing: true,
            ..self
        }
    }

    /// Returns the same column as one that counts are made of.
    pub(super) fn counted(self) -> Self {
        Self {
            is_counted: true,
            ..self
        }
    }

    /// Returns the values of rows.
    pub(super) fn array(&self, rows: &[ManifestRow]) -> ArrayRef {
        (self.write)(rows)
    }

    /// Reads its value in the row `at` of a batch into a row, if that has the part of which it is; `values` are those that
    /// the batch has of this column.
    pub(super) fn read_into(
        &self,
        row: &mut ManifestRow,
        values: Option<&ArrayRef>,
        at: usize,
    ) -> Result<(), ManifestError> {
        (self.read)(values, at, row)
    }

    /// Returns whether a row has what may be stored there: means, distances and sums over a run are made of it.
    pub(super) fn is_sound(&self, row: &ManifestRow) -> bool {
        (self.check)(row)
    }
}

fn reading<K: Kind>(
    name: &'static str,
    get_mut: impl Fn(&mut ManifestRow) -> Option<&mut K::Value> + Send + Sync + 'static,
) -> Box<Read> {
    Box::new(move |values, at, row| {
        if let Some(place) = get_mut(row) {
            *place = K::read(Cell::among(values, name, at)?)?;
        }
        Ok(())
    })
}

/// A value in a batch.
pub(super) struct Cell<'a, A> {
    /// The name of its column.
    name: &'static str,
    column: &'a A,
    row: usize,
}

impl<'a, A: Array + 'static> Cell<'a, A> {
    /// Returns the value in a row.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Column`] if there is no such column, or it is one of another type.
    pub(super) fn of(
        batch: &'a RecordBatch,
        name: &'static str,
        row: usize,
    ) -> Result<Self, ManifestError> {
        Self::among(batch.column_by_name(name), name, row)
    }

    /// Returns the value in a row of a column.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Column`] if there is no such column, or it is one of another type.
    fn among(
        values: Option<&'a ArrayRef>,
        name: &'static str,
        row: usize,
    ) -> Result<Self, ManifestError> {
        let missing = || ManifestError::Column(name);
        let values = values.ok_or_else(missing)?;
        let column = values.as_any().downcast_ref().ok_or_else(missing)?;
        Ok(Self { name, column, row })
    }

    /// Returns whether there is none.
    pub(super) fn is_null(&self) -> bool {
        self.column.is_null(self.row)
    }

    /// Returns nothing if there is a value.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Column`] if there is none.
    pub(super) fn must_be_there(&self) -> Result<(), ManifestError> {
        if self.is_null() {
            return Err(self.unexpected());
        }
        Ok(())
    }

    fn unexpected(&self) -> ManifestError {
        ManifestError::Column(self.name)
    }
}

impl Cell<'_, ListArray> {
    /// Returns the elements of a list; none of a list that is not there.
    pub(super) fn elements(&self) -> ArrayRef {
        self.column.value(self.row)
    }
}

/// How values of a type are kept in a column. Most kinds are the type itself.
pub(super) trait Kind: 'static {
    /// What a row has.
    type Value: 'static;
    /// What a batch that was read has.
    type Array: Array + 'static;
    /// Whether a value may be absent.
    const NULLABLE: bool = false;
    /// Whether values come more than once.
    const REPEATS: bool = true;

    fn data_type() -> DataType;

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self::Value>>) -> ArrayRef;

    /// Returns a value, or that it is none of ours.
    fn read(cell: Cell<'_, Self::Array>) -> Result<Self::Value, ManifestError>;

    /// Returns whether a value may be stored.
    fn is_sound(_value: &Self::Value) -> bool {
        true
    }
}

/// What may be absent.
impl<K: Kind> Kind for Option<K> {
    type Value = Option<K::Value>;
    type Array = K::Array;
    const NULLABLE: bool = true;
    const REPEATS: bool = K::REPEATS;

    fn data_type() -> DataType {
        K::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self::Value>>) -> ArrayRef {
        K::array(values.map(|value| value.and_then(Option::as_ref)))
    }

    fn read(cell: Cell<'_, K::Array>) -> Result<Self::Value, ManifestError> {
        if cell.is_null() {
            return Ok(None);
        }
        K::read(cell).map(Some)
    }

    fn is_sound(value: &Self::Value) -> bool {
        value.as_ref().is_none_or(K::is_sound)
    }
}

/// What is kept as text.
pub(super) trait AsText: 'static {
    /// What a row has.
    type Value: 'static;
    /// Whether values come more than once.
    const REPEATS: bool = true;

    fn as_text(value: &Self::Value) -> &str;

    /// Returns the value of a text; none if it is none of ours.
    fn from_text(text: &str) -> Option<Self::Value>;
}

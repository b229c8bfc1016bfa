//! Columns of the manifest: conversion of row values to Arrow and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, ListArray, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, TimeUnit, UInt8Type};
use jiff::Timestamp;

use super::{MAX_WORK, ManifestError, ManifestRow, Status};
use crate::failure::{FailureClass, MAX_ATTEMPT};
use crate::ids::{RunId, ShardId};
use crate::warning::WarningKind;
use crate::wording::{MOST_STORED_BYTES, one_line, shortened};

const UTC: &str = "UTC";

type Write = dyn Fn(&[ManifestRow]) -> ArrayRef + Send + Sync;
type Read =
    dyn Fn(&RecordBatch, usize, &mut ManifestRow) -> Result<(), ManifestError> + Send + Sync;
type Check = dyn Fn(&ManifestRow) -> bool + Send + Sync;

/// A column of the manifest.
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Its name, type and nullability in Arrow, and so in Parquet.
    pub(super) field: Field,
    /// Whether values come more than once, so that a dictionary saves something.
    pub(super) repeats: bool,
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
            write: Box::new(move |rows| K::array(rows.iter().map(get))),
            read: Box::new(move |batch, at, row| {
                if let Some(place) = get_mut(row) {
                    *place = K::read(Cell::of(batch, name, at)?)?;
                }
                Ok(())
            }),
            check: Box::new(move |row| get(row).is_none_or(K::is_sound)),
        }
    }

    /// Returns the values of rows.
    pub(super) fn array(&self, rows: &[ManifestRow]) -> ArrayRef {
        (self.write)(rows)
    }

    /// Reads its value in the row `at` of a batch into a row, if that has the part of which it is.
    pub(super) fn read_into(
        &self,
        row: &mut ManifestRow,
        batch: &RecordBatch,
        at: usize,
    ) -> Result<(), ManifestError> {
        (self.read)(batch, at, row)
    }

    /// Returns whether a row has what may be stored there: means, distances and sums over a run are made of it.
    pub(super) fn is_sound(&self, row: &ManifestRow) -> bool {
        (self.check)(row)
    }
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
        let missing = ManifestError::Column;
        let column = batch.column_by_name(name).ok_or(missing(name))?;
        let column = column.as_any().downcast_ref().ok_or(missing(name))?;
        Ok(Self { name, column, row })
    }

    /// Returns whether there is none.
    pub(super) fn is_null(&self) -> bool {
        self.column.is_null(self.row)
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
pub(super) fn check_text(text: &str) -> Result<(), ManifestError> {
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
pub(super) enum Told {}

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
pub(super) enum FileDigest {}

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

impl Kind for u32 {
    type Value = Self;
    type Array = UInt32Array;

    fn data_type() -> DataType {
        DataType::UInt32
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        Arc::new(values.map(Option::<&u32>::copied).collect::<UInt32Array>())
    }

    fn read(cell: Cell<'_, UInt32Array>) -> Result<Self, ManifestError> {
        if cell.is_null() {
            return Err(cell.unexpected());
        }
        Ok(cell.column.value(cell.row))
    }
}

impl Kind for ShardId {
    type Value = Self;
    type Array = UInt32Array;

    fn data_type() -> DataType {
        u32::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        u32::array(values.map(|shard| shard.map(|shard| &shard.0)))
    }

    fn read(cell: Cell<'_, UInt32Array>) -> Result<Self, ManifestError> {
        u32::read(cell).map(Self)
    }
}

/// The number of an attempt.
pub(super) enum Attempt {}

impl Kind for Attempt {
    type Value = u32;
    type Array = UInt32Array;

    fn data_type() -> DataType {
        u32::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a u32>>) -> ArrayRef {
        u32::array(values)
    }

    fn read(cell: Cell<'_, UInt32Array>) -> Result<u32, ManifestError> {
        let unexpected = cell.unexpected();
        let number = u32::read(cell)?;
        Some(number)
            .filter(|&number| number <= MAX_ATTEMPT)
            .ok_or(unexpected)
    }
}

impl Kind for u64 {
    type Value = Self;
    type Array = UInt64Array;

    fn data_type() -> DataType {
        DataType::UInt64
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        Arc::new(values.map(Option::<&u64>::copied).collect::<UInt64Array>())
    }

    fn read(cell: Cell<'_, UInt64Array>) -> Result<Self, ManifestError> {
        Ok(cell.column.value(cell.row))
    }
}

impl Kind for Timestamp {
    type Value = Self;
    type Array = TimestampMicrosecondArray;

    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        let micros = values.map(|time| time.map(|time| time.as_microsecond()));
        let times = micros.collect::<TimestampMicrosecondArray>();
        Arc::new(times.with_timezone(UTC))
    }

    fn read(cell: Cell<'_, TimestampMicrosecondArray>) -> Result<Self, ManifestError> {
        let micros = cell.column.value(cell.row);
        Self::from_microsecond(micros).map_err(|_| cell.unexpected())
    }
}

/// A figure of which means are made.
pub(super) enum Figure {}

impl Kind for Figure {
    type Value = f64;
    type Array = Float64Array;

    fn data_type() -> DataType {
        DataType::Float64
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a f64>>) -> ArrayRef {
        Arc::new(values.map(Option::<&f64>::copied).collect::<Float64Array>())
    }

    fn read(cell: Cell<'_, Float64Array>) -> Result<f64, ManifestError> {
        Ok(cell.column.value(cell.row))
    }

    fn is_sound(figure: &f64) -> bool {
        figure.is_finite()
    }
}

/// A figure that every output has: whether it is there tells whether its part is.
pub(super) enum FigureOfPixels {}

impl Kind for FigureOfPixels {
    type Value = Option<f64>;
    type Array = Float64Array;
    const NULLABLE: bool = true;

    fn data_type() -> DataType {
        Figure::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Option<f64>>>) -> ArrayRef {
        Option::<Figure>::array(values)
    }

    fn read(cell: Cell<'_, Float64Array>) -> Result<Option<f64>, ManifestError> {
        Option::<Figure>::read(cell)
    }

    fn is_sound(figure: &Option<f64>) -> bool {
        figure.is_some_and(f64::is_finite)
    }
}

/// Milliseconds or evaluations; none where nothing is said.
pub(super) enum Amount {}

impl Kind for Amount {
    type Value = f64;
    type Array = Float64Array;

    fn data_type() -> DataType {
        Figure::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a f64>>) -> ArrayRef {
        Figure::array(values)
    }

    fn read(cell: Cell<'_, Float64Array>) -> Result<f64, ManifestError> {
        Option::<Figure>::read(cell).map(Option::unwrap_or_default)
    }

    fn is_sound(amount: &f64) -> bool {
        (0.0..=MAX_WORK).contains(amount)
    }
}

impl Kind for Vec<WarningKind> {
    type Value = Self;
    type Array = ListArray;

    fn data_type() -> DataType {
        DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for kinds in values {
            for kind in kinds.into_iter().flatten() {
                lists.values().append_value(kind.as_str());
            }
            lists.append(kinds.is_some());
        }
        Arc::new(lists.finish())
    }

    fn read(cell: Cell<'_, ListArray>) -> Result<Self, ManifestError> {
        let names = cell.elements();
        let names: Option<&StringArray> = names.as_any().downcast_ref();
        let kind = |name: Option<&str>| WarningKind::from_name(name?);
        let kinds = names.and_then(|names| names.iter().map(kind).collect());
        kinds.ok_or_else(|| cell.unexpected())
    }
}

impl Kind for Vec<u8> {
    type Value = Self;
    type Array = ListArray;

    fn data_type() -> DataType {
        DataType::List(Arc::new(Field::new_list_field(DataType::UInt8, true)))
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        let lists = values.map(|ids| ids.map(|ids| ids.iter().copied().map(Some)));
        Arc::new(ListArray::from_iter_primitive::<UInt8Type, _, _>(lists))
    }

    fn read(cell: Cell<'_, ListArray>) -> Result<Self, ManifestError> {
        let ids = cell.elements();
        let ids: Option<&UInt8Array> = ids.as_any().downcast_ref();
        let ids = ids.ok_or_else(|| cell.unexpected())?;
        Ok(ids.values().to_vec())
    }
}

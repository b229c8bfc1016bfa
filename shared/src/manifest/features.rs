//! The column of features, which only manifests of shards have: lists as long as the run's network gives.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type};

use super::column::Cell;
use super::{ManifestError, ManifestRow};

/// The name of the column.
pub(super) const NAME: &str = "features";

/// Returns the column's name and type for so many features of an output.
pub(super) fn field(num_features: usize) -> Field {
    let element = Arc::new(Field::new_list_field(DataType::Float32, true));
    let list = DataType::FixedSizeList(element, length_of_list(num_features));
    Field::new(NAME, list, true)
}

/// Returns the features of a row, if it has any.
pub(super) fn of(row: &ManifestRow) -> Option<&[f32]> {
    row.quality.as_ref()?.features.as_deref()
}

/// Returns whether no feature of a row is anything but a finite number.
pub(super) fn are_sound(row: &ManifestRow) -> bool {
    let features = of(row).unwrap_or_default();
    features.iter().all(|value| value.is_finite())
}

/// Returns the features of rows, so many of each that has any.
pub(super) fn array(rows: &[ManifestRow], num_features: usize) -> ArrayRef {
    let lists = rows
        .iter()
        .map(|row| Some(of(row)?.iter().copied().map(Some)));
    let length = length_of_list(num_features);
    let lists = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(lists, length);
    Arc::new(lists)
}

/// Returns a number of features as the length of a list.
fn length_of_list(num_features: usize) -> i32 {
    i32::try_from(num_features).expect("a network gives few features")
}

/// Returns a row's features; none where the column was not written or not read.
pub(super) fn read(batch: &RecordBatch, at: usize) -> Result<Option<Vec<f32>>, ManifestError> {
    if batch.column_by_name(NAME).is_none() {
        return Ok(None);
    }
    // Parquet knows no lists of one length.
    let cell = Cell::<ListArray>::of(batch, NAME, at)?;
    if cell.is_null() {
        return Ok(None);
    }
    let list = cell.elements();
    let values: Option<&Float32Array> = list.as_any().downcast_ref();
    let values = values.ok_or(ManifestError::Column(NAME))?;
    Ok(Some(values.values().to_vec()))
}

//! What holds of an item, or does not.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;

use super::{Cell, Kind};
use crate::manifest::ManifestError;

/// Whether something holds; it does not where nothing is said.
pub(crate) enum Mark {}

impl Kind for Mark {
    type Value = bool;
    type Array = BooleanArray;

    fn data_type() -> DataType {
        DataType::Boolean
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a bool>>) -> ArrayRef {
        Arc::new(
            values
                .map(Option::<&bool>::copied)
                .collect::<BooleanArray>(),
        )
    }

    fn read(cell: Cell<'_, BooleanArray>) -> Result<bool, ManifestError> {
        Ok(!cell.is_null() && cell.column.value(cell.row))
    }
}

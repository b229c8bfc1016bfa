//! Values of which means and sums over a run are made, so that each must be a sound number.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;

use super::{Cell, Kind};
use crate::manifest::{MAX_WORK, ManifestError};

/// A figure of which means are made.
pub(crate) enum Figure {}

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

/// A share, 0 to 1.
pub(crate) enum Share {}

impl Share {
    pub(super) fn is_share(share: f64) -> bool {
        (0.0..=1.0).contains(&share)
    }
}

impl Kind for Share {
    type Value = f64;
    type Array = Float64Array;

    fn data_type() -> DataType {
        Figure::data_type()
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a f64>>) -> ArrayRef {
        Figure::array(values)
    }

    fn read(cell: Cell<'_, Float64Array>) -> Result<f64, ManifestError> {
        let share = cell.column.value(cell.row);
        if Self::is_share(share) {
            Ok(share)
        } else {
            Err(cell.unexpected())
        }
    }
}

/// A figure that every output has: whether it is there tells whether its part is.
pub(crate) enum FigureOfPixels {}

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
pub(crate) enum Amount {}

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

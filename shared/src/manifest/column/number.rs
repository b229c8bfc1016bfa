//! Values that are kept as whole numbers: ids, counts and times.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, TimeUnit};
use jiff::Timestamp;

use super::{Cell, Kind};
use crate::failure::MAX_ATTEMPT;
use crate::ids::ShardId;
use crate::manifest::ManifestError;

const UTC: &str = "UTC";

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
        cell.must_be_there()?;
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
pub(crate) enum Attempt {}

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
        cell.must_be_there()?;
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
        cell.must_be_there()?;
        let micros = cell.column.value(cell.row);
        Self::from_microsecond(micros).map_err(|_| cell.unexpected())
    }
}

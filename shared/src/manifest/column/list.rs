//! Values of which a row has several, kept as a list.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, ListArray, ListBuilder, StringArray, StringBuilder, UInt8Array,
    UInt32Array,
};
use arrow::datatypes::{DataType, Field, Float64Type, UInt8Type, UInt32Type};

use super::{Cell, Kind, Share};
use crate::confusion::Confusion;
use crate::dataset::classes::NUM_CLASSES;
use crate::manifest::ManifestError;
use crate::warning::WarningKind;

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

/// The IoU of each class, where it has one.
pub(crate) enum Ious {}

impl Kind for Ious {
    type Value = [Option<f64>; NUM_CLASSES];
    type Array = ListArray;

    fn data_type() -> DataType {
        DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self::Value>>) -> ArrayRef {
        let lists = values.map(|ious| ious.map(|ious| ious.iter().copied()));
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
    }

    fn read(cell: Cell<'_, ListArray>) -> Result<Self::Value, ManifestError> {
        cell.must_be_there()?;
        let ious = cell.elements();
        let ious: Option<&Float64Array> = ious.as_any().downcast_ref();
        let ious: Option<Vec<Option<f64>>> = ious.map(|ious| ious.iter().collect());
        let are_shares =
            |ious: &Self::Value| ious.iter().flatten().all(|&iou| Share::is_share(iou));
        ious.and_then(|ious| Self::Value::try_from(ious).ok())
            .filter(are_shares)
            .ok_or_else(|| cell.unexpected())
    }
}

/// Counted pixels: an image has far fewer than fit.
impl Kind for Confusion {
    type Value = Self;
    type Array = ListArray;

    fn data_type() -> DataType {
        DataType::List(Arc::new(Field::new_list_field(DataType::UInt32, true)))
    }

    fn array<'a>(values: impl Iterator<Item = Option<&'a Self>>) -> ArrayRef {
        let stored = |&count: &u64| Some(u32::try_from(count).unwrap_or(u32::MAX));
        let lists = values.map(|confusion| confusion.map(|of| of.counts().iter().map(stored)));
        Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>(lists))
    }

    fn read(cell: Cell<'_, ListArray>) -> Result<Self, ManifestError> {
        cell.must_be_there()?;
        let counts = cell.elements();
        let counts: Option<&UInt32Array> = counts.as_any().downcast_ref();
        let counts: Option<Vec<u64>> =
            counts.and_then(|counts| counts.iter().map(|count| count.map(u64::from)).collect());
        counts
            .and_then(|counts| Self::from_counts(&counts))
            .ok_or_else(|| cell.unexpected())
    }

    fn is_sound(confusion: &Self) -> bool {
        u32::try_from(confusion.pixels()).is_ok()
    }
}

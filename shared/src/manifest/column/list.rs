//! Values of which a row has several, kept as a list.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ListArray, ListBuilder, StringArray, StringBuilder, UInt8Array,
};
use arrow::datatypes::{DataType, Field, UInt8Type};

use super::{Cell, Kind};
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

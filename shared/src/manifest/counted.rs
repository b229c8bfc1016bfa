//! The columns that counts are made of, read without the others.

use std::mem::discriminant;

use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::Fields;

use super::schema::{COLUMNS, Extras, Placed, UNREAD, has, placed};
use super::{ManifestError, ManifestRow, Quality, Work, label_columns};

/// Returns whether counts are made of the column of a name.
pub(super) fn is_counted(name: &str) -> bool {
    let mut columns = COLUMNS.iter();
    columns.any(|column| column.is_counted && column.name == name)
}

/// Returns whether something has all columns that it must have, each of its type: what is not read of it would be found.
pub(super) fn are_whole(fields: &Fields) -> bool {
    let mut columns = Extras::of_fields(fields).columns();
    columns.all(|column| match fields.find(column.name) {
        Some((_, found)) => {
            discriminant(found.data_type()) == discriminant(column.field.data_type())
        }
        None => column.may_be_missing,
    })
}

/// Returns the rows of a batch as far as counts are made of them. Its other columns are passed over.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<ManifestRow>, ManifestError> {
    let extras = Extras::of_fields(batch.schema_ref().fields());
    let counted = extras.columns().filter(|column| column.is_counted);
    let columns = placed(counted, batch);
    let places = 0..batch.num_rows();
    places.map(|at| row(batch, at, &columns)).collect()
}

fn row(
    batch: &RecordBatch,
    at: usize,
    columns: &[Placed<'_>],
) -> Result<ManifestRow, ManifestError> {
    let mut row = ManifestRow {
        quality: label_columns::is_judged(batch, at)?.then(Quality::default),
        work: has::<Float64Array>(batch, "unet_evaluations", at)?.then(Work::default),
        ..UNREAD.clone()
    };
    for (column, values) in columns {
        column.read_into(&mut row, *values, at)?;
    }
    let wrong = columns.iter().find(|(column, _)| !column.is_sound(&row));
    let wrong = wrong.map(|(column, _)| column.name);
    match wrong {
        None => Ok(row),
        Some(column) => Err(ManifestError::NoFigure {
            column,
            item: row.item,
        }),
    }
}

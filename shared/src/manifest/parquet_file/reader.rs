//! Reads manifests, whose bytes may be anything: what they claim is bounded before it is believed.

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::{ManifestError, check_figures};
use crate::guarded;
use crate::manifest::claims::{self, Most};
use crate::manifest::{ManifestRow, features, schema, sealing};

/// The most rows of a shard: what is read is in memory at once.
pub const MAX_ROWS: usize = 1 << 14;
/// Rows that are read at once, each with texts that may be as long as a page.
const READ_ROWS: usize = 64;
/// The most memory that the columns of all rows of a file may take.
const MAX_COLUMN_BYTES: usize = 1 << 29;
/// What the columns of a file may unpack to beside what its rows may.
const BASE_BYTES: usize = 1 << 22;
/// What the columns of a row may unpack to: four thousand features, and texts longer than any that is told.
const ROW_BYTES: usize = 1 << 18;

/// Returns the rows of a Parquet file that [`write()`](super::write()) or a
/// [`ManifestWriter`](super::ManifestWriter) made, without features.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read(bytes: Bytes) -> Result<Vec<ManifestRow>, ManifestError> {
    read_at_most(bytes, MAX_ROWS)
}

/// Returns the rows of a Parquet file, as [`read`] does, that cannot have more than so many.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read_at_most(bytes: Bytes, max_rows: usize) -> Result<Vec<ManifestRow>, ManifestError> {
    let max_rows = max_rows.min(MAX_ROWS);
    let file = open(bytes, max_rows)?;
    let leaves = file.parquet_schema();
    let wanted = (0..leaves.num_columns())
        .filter(|&leaf| leaves.get_column_root(leaf).name() != features::NAME);
    let mask = ProjectionMask::leaves(leaves, wanted);
    rows(file.with_projection(mask), max_rows)
}

/// Returns the rows of a shard with the features of their outputs.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read_with_features(bytes: Bytes) -> Result<Vec<ManifestRow>, ManifestError> {
    read_with_features_at_most(bytes, MAX_ROWS)
}

/// Returns the rows of a shard that cannot have more than so many, with the features of their outputs.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read_with_features_at_most(
    bytes: Bytes,
    max_rows: usize,
) -> Result<Vec<ManifestRow>, ManifestError> {
    let max_rows = max_rows.min(MAX_ROWS);
    rows(open(bytes, max_rows)?, max_rows)
}

/// Gives each row of a run's manifest, which cannot have more than so many, to `each`: a few rows are in memory at once.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read_each(
    bytes: Bytes,
    max_rows: usize,
    mut each: impl FnMut(&ManifestRow),
) -> Result<(), ManifestError> {
    let mut reader = reader(open(bytes, max_rows)?)?;
    while let Some(batch) = next_batch(&mut reader)? {
        for row in schema::rows(&batch)? {
            check_figures(&row)?;
            each(&row);
        }
    }
    Ok(())
}

/// Returns whether a manifest carries a digest of itself, as those of earlier programs do not.
///
/// # Errors
///
/// [`ManifestError`] if it is not that of its bytes.
pub fn is_sealed(bytes: &[u8]) -> Result<bool, ManifestError> {
    sealing::check(bytes)
}

/// Opens a file that claims no more than so many rows and what they may unpack to, and whose digest is that of its bytes if
/// it carries one.
fn open(
    bytes: Bytes,
    max_rows: usize,
) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, ManifestError> {
    let most = Most {
        rows: max_rows,
        bytes: max_rows
            .saturating_mul(ROW_BYTES)
            .saturating_add(BASE_BYTES),
    };
    claims::check(&bytes, most)?;
    sealing::check(&bytes)?;
    // Arrow's own schema, which a file may bring along, is decoded with less care than Parquet's.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let open = || ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options);
    Ok(guarded::decode(open)??)
}

fn reader(
    file: ParquetRecordBatchReaderBuilder<Bytes>,
) -> Result<ParquetRecordBatchReader, ManifestError> {
    let build = || file.with_batch_size(READ_ROWS).build();
    Ok(guarded::decode(build)??)
}

fn rows(
    file: ParquetRecordBatchReaderBuilder<Bytes>,
    max_rows: usize,
) -> Result<Vec<ManifestRow>, ManifestError> {
    let mut rows = Vec::new();
    let mut column_bytes = 0_usize;
    let mut reader = reader(file)?;
    while let Some(batch) = next_batch(&mut reader)? {
        let columns = batch.columns().iter();
        column_bytes += columns
            .map(|column| column.get_array_memory_size())
            .sum::<usize>();
        within("bytes", column_bytes, MAX_COLUMN_BYTES)?;
        within("rows", rows.len() + batch.num_rows(), max_rows)?;
        rows.extend(schema::rows(&batch)?);
    }
    rows.iter().try_for_each(check_figures)?;
    Ok(rows)
}

/// Returns the next rows, if there are any. Files without a digest of themselves may be damaged anywhere.
fn next_batch(reader: &mut ParquetRecordBatchReader) -> Result<Option<RecordBatch>, ManifestError> {
    Ok(guarded::decode(|| reader.next())?.transpose()?)
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), ManifestError> {
    if found <= most {
        return Ok(());
    }
    Err(ManifestError::TooLarge { what, found, most })
}

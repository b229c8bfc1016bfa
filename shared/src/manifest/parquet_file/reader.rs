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
use crate::manifest::{ManifestRow, counted, features, schema, sealing};

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

/// Which columns are read of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Those that counts are made of; in the others rows are as if nothing was known. So it is where a file carries a digest
    /// of itself: its bytes are those that were checked when they were written. Of any other file all but features are read.
    Counted,
    /// All but the features of outputs.
    WithoutFeatures,
    /// All.
    All,
}

impl Columns {
    /// Returns whether the column of a name is one of them.
    fn have(self, name: &str) -> bool {
        match self {
            Self::Counted => counted::is_counted(name),
            Self::WithoutFeatures => name != features::NAME,
            Self::All => true,
        }
    }
}

/// The rows of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRows {
    /// The rows.
    pub rows: Vec<ManifestRow>,
    /// Whether their file carries a digest of itself.
    pub is_sealed: bool,
}

/// Returns the rows of a Parquet file that [`write()`](super::write()) or a
/// [`ManifestWriter`](super::ManifestWriter) made, without features.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read(bytes: Bytes) -> Result<Vec<ManifestRow>, ManifestError> {
    rows(open(bytes, MAX_ROWS)?, MAX_ROWS, Columns::WithoutFeatures)
}

/// Returns the rows of a shard with the features of their outputs.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read_with_features(bytes: Bytes) -> Result<Vec<ManifestRow>, ManifestError> {
    rows(open(bytes, MAX_ROWS)?, MAX_ROWS, Columns::All)
}

/// Returns some columns of the rows of a shard that cannot have more than so many.
///
/// # Errors
///
/// [`ManifestError`] if the bytes are no such file.
pub fn read_stored(
    bytes: Bytes,
    max_rows: usize,
    columns: Columns,
) -> Result<StoredRows, ManifestError> {
    let max_rows = max_rows.min(MAX_ROWS);
    let is_sealed = sealing::check(&bytes)?;
    check_claims(&bytes, max_rows)?;
    let file = decoded(bytes)?;
    let is_as_written = is_sealed && counted::are_whole(file.schema().fields());
    let columns = match columns {
        Columns::Counted if !is_as_written => Columns::WithoutFeatures,
        columns => columns,
    };
    Ok(StoredRows {
        rows: rows(file, max_rows, columns)?,
        is_sealed,
    })
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
    check_claims(&bytes, max_rows)?;
    sealing::check(&bytes)?;
    decoded(bytes)
}

fn check_claims(bytes: &[u8], max_rows: usize) -> Result<(), ManifestError> {
    let most = Most {
        rows: max_rows,
        bytes: max_rows
            .saturating_mul(ROW_BYTES)
            .saturating_add(BASE_BYTES),
    };
    claims::check(bytes, most)?;
    Ok(())
}

/// Decodes the footer of a file whose claims are checked.
fn decoded(bytes: Bytes) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, ManifestError> {
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
    columns: Columns,
) -> Result<Vec<ManifestRow>, ManifestError> {
    let mut rows = Vec::new();
    let mut column_bytes = 0_usize;
    let leaves = file.parquet_schema();
    let is_wanted = |&leaf: &usize| columns.have(leaves.get_column_root(leaf).name());
    let mask = ProjectionMask::leaves(leaves, (0..leaves.num_columns()).filter(is_wanted));
    let mut reader = reader(file.with_projection(mask))?;
    while let Some(batch) = next_batch(&mut reader)? {
        let sizes = batch.columns().iter();
        let sizes = sizes.map(|column| column.get_array_memory_size());
        column_bytes += sizes.sum::<usize>();
        within("bytes", column_bytes, MAX_COLUMN_BYTES)?;
        within("rows", rows.len() + batch.num_rows(), max_rows)?;
        rows.extend(match columns {
            Columns::Counted => counted::rows(&batch)?,
            Columns::WithoutFeatures | Columns::All => schema::rows(&batch)?,
        });
    }
    if columns != Columns::Counted {
        rows.iter().try_for_each(check_figures)?;
    }
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

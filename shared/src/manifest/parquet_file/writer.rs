//! Writes manifests: those of shards at once, that of a run a row group at a time.

use std::io::Write;

use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::{ManifestError, check_figures};
use crate::manifest::column::{Column, Extra};
use crate::manifest::schema::{COLUMNS, Extras};
use crate::manifest::sealing::{self, Sealing};
use crate::manifest::{ManifestRow, column, features, schema};

/// Rows in a row group.
const ROW_GROUP_ROWS: usize = 65_536;
/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 8_192;
/// Values of a column that are written before a page is looked at whether it is full.
const WRITE_VALUES: usize = 64;
/// Rows whose pages are so small that packing and unpacking them takes longer than all else.
const FEW_ROWS: usize = 256;

/// Returns the rows of a shard as a Parquet file, sorted by (style, content), with the outputs' features and what
/// a segmenter counted of them if they have any. Equal rows give equal bytes.
///
/// # Errors
///
/// [`ManifestError`] if Parquet refuses, which it does not for rows of ours.
pub fn write(mut rows: Vec<ManifestRow>) -> Result<Vec<u8>, ManifestError> {
    rows.sort_by(|a, b| a.item.cmp(&b.item));
    let options = ArrowWriterOptions::new()
        .with_properties(properties_of_shard(rows.len())?)
        // Readers know the columns, and it is a quarter of a small file.
        .with_skip_arrow_metadata(true);
    let mut writer = ManifestWriter::with_options(Vec::new(), Extras::of(&rows), options)?;
    writer.write(&rows)?;
    writer.finish()
}

/// Writes a run's manifest of any length, a row group at a time, without the features and counted pixels that its shards
/// keep.
pub struct ManifestWriter<W: Write + Send> {
    pub(super) writer: ArrowWriter<Sealing<W>>,
    extras: Extras,
}

impl<W: Write + Send> ManifestWriter<W> {
    /// Begins a manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] if Parquet refuses.
    pub fn new(to: W) -> Result<Self, ManifestError> {
        Self::with(to, Extras::default())
    }

    /// Begins the manifest of a run with a segmenter.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] if Parquet refuses.
    pub fn with_label_figures(to: W) -> Result<Self, ManifestError> {
        let extras = Extras {
            label_figures: true,
            ..Extras::default()
        };
        Self::with(to, extras)
    }

    pub(super) fn with(to: W, extras: Extras) -> Result<Self, ManifestError> {
        let options = ArrowWriterOptions::new().with_properties(properties()?.build());
        Self::with_options(to, extras, options)
    }

    fn with_options(
        to: W,
        extras: Extras,
        options: ArrowWriterOptions,
    ) -> Result<Self, ManifestError> {
        let (to, schema) = (Sealing::new(to), schema::schema(extras));
        Ok(Self {
            writer: ArrowWriter::try_new_with_options(to, schema, options)?,
            extras,
        })
    }

    /// Adds rows, which come sorted by (style, content) over all calls.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] if they cannot be written.
    pub fn write(&mut self, rows: &[ManifestRow]) -> Result<(), ManifestError> {
        rows.iter().try_for_each(check_figures)?;
        for row in rows {
            let texts = [row.error.as_deref(), row.warning.as_deref()];
            texts
                .into_iter()
                .flatten()
                .try_for_each(column::check_text)?;
        }
        for part in rows.chunks(BATCH_ROWS) {
            self.writer.write(&schema::batch(part, self.extras)?)?;
        }
        Ok(())
    }

    /// Ends the manifest with the digest of its bytes and returns what it was written to.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] if it cannot be written.
    pub fn finish(self) -> Result<W, ManifestError> {
        Ok(self.writer.into_inner()?.finish()?)
    }
}

/// Returns how the manifest of a shard is written: it has few rows, which are read whole, and often.
fn properties_of_shard(num_rows: usize) -> Result<WriterProperties, ManifestError> {
    let mut properties = properties()?
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true);
    if num_rows > FEW_ROWS {
        return Ok(properties.build());
    }
    for column in numbers() {
        properties = properties.set_column_dictionary_enabled(column.into(), false);
    }
    properties = properties.set_compression(Compression::UNCOMPRESSED);
    for column in of_many_values() {
        properties = properties.set_column_compression(elements(column), packed());
    }
    Ok(properties.build())
}

/// Returns the names of the columns that are numbers, which seldom repeat in a few rows.
fn numbers() -> impl Iterator<Item = &'static str> {
    let is_number = |column: &&Column| {
        let kind = column.field.data_type();
        matches!(kind, DataType::Float64 | DataType::Timestamp(..))
    };
    let columns = COLUMNS.iter().filter(is_number);
    columns.map(|column| column.name)
}

/// Returns the names of the columns whose values are so many that even those of a few rows are worth packing.
fn of_many_values() -> impl Iterator<Item = &'static str> {
    let columns = COLUMNS.iter();
    let pixels = columns.filter(|column| column.extra == Some(Extra::Confusions));
    pixels.map(|column| column.name).chain([features::NAME])
}

fn packed() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

/// Returns where the elements of a column of lists are.
fn elements(column: &str) -> ColumnPath {
    ColumnPath::new([column, "list", "item"].map(str::to_owned).into())
}

fn properties() -> Result<WriterPropertiesBuilder, ManifestError> {
    let schema = schema::schema(Extras::default());
    let sorted = ["style", "content"]
        .map(|name| schema.index_of(name))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let ascending = |column: usize| SortingColumn {
        column_idx: i32::try_from(column).expect("a manifest has few columns"),
        descending: false,
        nulls_first: false,
    };
    let mut properties = WriterProperties::builder()
        .set_compression(packed())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_write_batch_size(WRITE_VALUES)
        .set_created_by(sealing::CREATED_BY.to_owned())
        .set_key_value_metadata(Some(vec![sealing::blank()]))
        .set_sorting_columns(Some(sorted.into_iter().map(ascending).collect()));
    let columns = schema::without_repetition().map(ColumnPath::from);
    for column in columns.chain([elements(features::NAME)]) {
        properties = properties.set_column_dictionary_enabled(column, false);
    }
    Ok(properties)
}

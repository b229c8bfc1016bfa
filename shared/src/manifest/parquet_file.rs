//! Manifests as Parquet bytes: zstd, sorted by style and content.

use std::io::Write;

use arrow::array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;

use super::claims::{self, ClaimError, Most};
use super::sealing::{self, Sealing};
use super::{ManifestRow, column, schema};
use crate::guarded::{self, Panicked};
use crate::ids::ItemId;

/// Rows in a row group.
const ROW_GROUP_ROWS: usize = 65_536;
/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 8_192;
/// The most rows of a shard: what is read is in memory at once.
pub const MAX_ROWS: usize = 1 << 14;
/// Rows that are read at once, each with texts that may be as long as a page.
const READ_ROWS: usize = 64;
/// Values of a column that are written before a page is looked at whether it is full.
const WRITE_VALUES: usize = 64;
/// The most memory that the columns of all rows of a file may take.
const MAX_COLUMN_BYTES: usize = 1 << 29;
/// What the columns of a file may unpack to beside what its rows may.
const BASE_BYTES: usize = 1 << 22;
/// What the columns of a row may unpack to: four thousand features, and texts longer than any that is told.
const ROW_BYTES: usize = 1 << 18;

/// A manifest that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It claims what cannot be.
    #[error("the manifest is damaged or no Parquet file")]
    Claim(#[from] ClaimError),
    /// It has more rows, or larger ones, than are read.
    #[error("the manifest takes {found} {what}, more than {most}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// What it takes.
        found: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// It carries the digest of other bytes.
    #[error(
        "the manifest says that its SHA-256 is {stated}, expected {found}: something in it was altered"
    )]
    Altered {
        /// What it says.
        stated: String,
        /// What its bytes give.
        found: String,
    },
    /// It carries no digest, and was written with one.
    #[error("the manifest has lost its SHA-256: something in it was altered")]
    DigestLost,
    /// What it is written to fails.
    #[error("the manifest cannot be written")]
    Write(#[from] std::io::Error),
    /// Parquet refused.
    #[error("the manifest is damaged or no Parquet file")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The decoder panicked: over a page that claims no values and has some, it divides by zero.
    #[error("the manifest is damaged or no Parquet file")]
    Contradiction(#[from] Panicked),
    /// Arrow refused.
    #[error("the manifest's columns do not fit together")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A column is missing or holds what it should not.
    #[error(
        "the manifest's column {0} is missing or holds an unexpected value; was it written by another version?"
    )]
    Column(&'static str),
    /// A figure is NaN or infinite, or no amount of work.
    #[error(
        "column {column} of item {item} holds a number that is no figure: NaN, infinite or no amount of work"
    )]
    NoFigure {
        /// The column.
        column: &'static str,
        /// The item.
        item: ItemId,
    },
}

/// Returns the rows of a shard as a Parquet file, sorted by (style, content), with the outputs' features if they have
/// any. Equal rows give equal bytes.
///
/// # Errors
///
/// [`ManifestError`] if Parquet refuses, which it does not for rows of ours.
pub fn write(mut rows: Vec<ManifestRow>) -> Result<Vec<u8>, ManifestError> {
    rows.sort_by(|a, b| a.item.cmp(&b.item));
    let mut writer = ManifestWriter::with_features(Vec::new(), schema::num_features(&rows))?;
    writer.write(&rows)?;
    writer.finish()
}

/// Writes a run's manifest of any length, a row group at a time, without the features that its shards keep.
pub struct ManifestWriter<W: Write + Send> {
    writer: ArrowWriter<Sealing<W>>,
    num_features: Option<usize>,
}

impl<W: Write + Send> ManifestWriter<W> {
    /// Begins a manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] if Parquet refuses.
    pub fn new(to: W) -> Result<Self, ManifestError> {
        Self::with_features(to, None)
    }

    fn with_features(to: W, num_features: Option<usize>) -> Result<Self, ManifestError> {
        let schema = schema::schema(num_features);
        Ok(Self {
            writer: ArrowWriter::try_new(Sealing::new(to), schema, Some(properties()?))?,
            num_features,
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
            self.writer
                .write(&schema::batch(part, self.num_features)?)?;
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

fn properties() -> Result<WriterProperties, ManifestError> {
    let schema = schema::schema(None);
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
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_write_batch_size(WRITE_VALUES)
        .set_created_by(sealing::CREATED_BY.to_owned())
        .set_key_value_metadata(Some(vec![sealing::blank()]))
        .set_sorting_columns(Some(sorted.into_iter().map(ascending).collect()));
    let columns = schema::without_repetition().map(str::to_owned);
    for column in columns.chain([format!("{}.list.item", schema::FEATURES)]) {
        properties = properties.set_column_dictionary_enabled(column.into(), false);
    }
    Ok(properties.build())
}

/// Returns the rows of a Parquet file that [`write()`] or a [`ManifestWriter`] made, without features.
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
        .filter(|&leaf| leaves.get_column_root(leaf).name() != schema::FEATURES);
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

/// Refuses a row with a number that is no figure: means, distances and sums over a run would be none either.
fn check_figures(row: &ManifestRow) -> Result<(), ManifestError> {
    match schema::no_figure(row) {
        None => Ok(()),
        Some(column) => Err(ManifestError::NoFigure {
            column,
            item: row.item.clone(),
        }),
    }
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), ManifestError> {
    if found <= most {
        return Ok(());
    }
    Err(ManifestError::TooLarge { what, found, most })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;
    use crate::digest;
    use crate::failure::FailureClass;
    use crate::ids::ShardId;
    use crate::item_metric::{ItemMetric, PerMetric};
    use crate::manifest::{Output, Quality, Status, Work};
    use crate::warning::WarningKind;

    fn row(style: &str, content: &str, done: bool) -> ManifestRow {
        ManifestRow {
            run: "demo".parse().unwrap(),
            shard: ShardId(3),
            item: ItemId {
                style: style.into(),
                content: content.into(),
            },
            status: if done {
                Status::Done
            } else {
                Status::Quarantined
            },
            error_class: (!done).then_some(FailureClass::BadInput),
            error: (!done).then(|| "images/00001.png: is truncated".into()),
            warning: done.then(|| "a.png is greyscale".into()),
            warning_kinds: done.then_some(WarningKind::Greyscale).into_iter().collect(),
            attempt: 2,
            worker: "here".into(),
            device: "cpu".into(),
            seed: u64::MAX,
            config_hash: "c".into(),
            model_sha256: "m".into(),
            output: done.then(|| Output {
                image_key: "i".into(),
                label_key: "l".into(),
                width: 512,
                height: 256,
                image_sha256: "x".into(),
                label_sha256: "y".into(),
            }),
            quality: done.then(|| Quality {
                figures: PerMetric::from_fn(|metric| (metric == ItemMetric::Ssim).then_some(0.25)),
                train_ids: vec![0, 10],
                features: None,
            }),
            content_sha256: done.then(|| "z".into()),
            work: done.then(|| Work {
                unet_evaluations: 20.0 + 20.0 / 3.0,
                ..Work::default()
            }),
            started_at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
            finished_at: "2026-01-02T03:04:06Z".parse().unwrap(),
        }
    }

    #[test]
    fn rows_survive_the_file_and_come_back_sorted() {
        let rows = vec![
            row("snow", "1", true),
            row("night", "2", false),
            row("night", "1", true),
        ];
        let read = read(write(rows.clone()).unwrap().into()).unwrap();
        assert_eq!(
            read,
            vec![rows[2].clone(), rows[1].clone(), rows[0].clone()]
        );
    }

    #[test]
    fn features_stay_in_the_shard_and_are_read_where_they_are_asked_for() {
        let mut with = row("night", "1", true);
        let features = vec![0.5, -1.0, f32::MIN_POSITIVE];
        with.quality.as_mut().unwrap().features = Some(features);
        let rows = vec![with.clone(), row("night", "2", false)];
        let bytes = Bytes::from(write(rows.clone()).unwrap());
        assert_eq!(read_with_features(bytes.clone()).unwrap(), rows);
        let without = read(bytes).unwrap();
        assert_eq!(without[0].quality.as_ref().unwrap().features, None);

        let mut whole = ManifestWriter::new(Vec::new()).unwrap();
        whole.write(&rows).unwrap();
        let whole = Bytes::from(whole.finish().unwrap());
        assert_eq!(read_with_features(whole.clone()).unwrap(), without);
        let mut each = Vec::new();
        read_each(whole.clone(), 2, |row| each.push(row.clone())).unwrap();
        assert!(read_each(whole, 1, |_| ()).is_err());
        assert_eq!(each, without);
    }

    #[test]
    fn no_row_with_a_number_that_is_no_figure_is_written_or_read() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let rows = ["ssim", "lpips", "features", "store_ms"].map(|column| {
                let mut row = row("night", "1", true);
                let quality = row.quality.as_mut().unwrap();
                match column {
                    "ssim" => quality.figures[ItemMetric::Ssim] = Some(bad),
                    "lpips" => quality.figures[ItemMetric::Lpips] = Some(bad),
                    "features" => quality.features = Some(vec![1.0, bad as f32]),
                    _ => row.work.as_mut().unwrap().store_ms = bad,
                }
                (column, row)
            });
            for (column, row) in rows {
                let message = write(vec![row.clone()]).unwrap_err().to_string();
                assert!(message.contains(column), "{message}");
                assert!(message.contains("1 in the style of night"), "{message}");
                // As another program may have written it.
                let num_features = schema::num_features(std::slice::from_ref(&row));
                let mut writer = ManifestWriter::with_features(Vec::new(), num_features).unwrap();
                let batch = schema::batch(&[row], num_features).unwrap();
                writer.writer.write(&batch).unwrap();
                let file = Bytes::from(writer.finish().unwrap());
                let message = read_with_features(file).unwrap_err().to_string();
                assert!(message.contains(column), "{message}");
            }
        }
    }

    #[test]
    fn an_output_without_the_figure_that_every_output_has_is_not_written() {
        let mut row = row("night", "1", true);
        row.quality.as_mut().unwrap().figures[ItemMetric::Ssim] = None;
        let message = write(vec![row]).unwrap_err().to_string();
        assert!(message.contains("column ssim of item 1"), "{message}");
    }

    #[test]
    fn every_part_of_a_row_survives_the_file() {
        let mut whole = row("night", "1", true);
        whole.error_class = Some(FailureClass::Resources);
        whole.error = Some("no memory".into());
        whole.quality = Some(Quality {
            figures: PerMetric::from_fn(|metric| Some(0.125 + metric as usize as f64)),
            train_ids: vec![0, 18],
            features: None,
        });
        whole.work = Some(Work {
            unet_evaluations: 1.0,
            style_evaluations: 2.0,
            load_ms: 3.0,
            encode_ms: 4.0,
            denoise_ms: 5.0,
            decode_ms: 6.0,
            store_ms: 7.0,
            quality_ms: 8.0,
        });
        let bare = ManifestRow {
            content_sha256: None,
            warning_kinds: Vec::new(),
            ..row("night", "2", false)
        };
        let rows = vec![whole, bare];
        assert_eq!(read(write(rows.clone()).unwrap().into()).unwrap(), rows);
    }

    /// Returns the rows of a file without a column, or what is said of it.
    fn without(name: &str, rows: &[ManifestRow]) -> Result<Vec<ManifestRow>, String> {
        let mut batch = schema::batch(rows, None).unwrap();
        let at = batch.schema().index_of(name).unwrap();
        batch.remove_column(at);
        schema::rows(&batch).map_err(|error| error.to_string())
    }

    #[test]
    fn a_column_that_is_missing_is_named_unless_no_row_has_its_part() {
        let done = [row("night", "1", true)];
        let names = schema::schema(None);
        for name in names.fields().iter().map(|field| field.name()) {
            let told = without(name, &done).unwrap_err();
            assert!(
                told.contains(&format!("column {name} is missing")),
                "{told}"
            );
        }
        let quarantined = [row("night", "1", false)];
        for name in [
            "label_key",
            "image_sha256",
            "lpips",
            "train_ids",
            "store_ms",
        ] {
            assert_eq!(without(name, &quarantined).unwrap(), quarantined, "{name}");
        }
    }

    #[test]
    fn a_column_of_a_later_program_is_passed_over() {
        let rows = [row("night", "1", true)];
        let batch = schema::batch(&rows, None).unwrap();
        let (own, mut columns, _) = batch.into_parts();
        let mut fields = own.fields().to_vec();
        let later = fields[0].as_ref().clone().with_name("later");
        fields.insert(0, Arc::new(later));
        columns.insert(0, Arc::clone(&columns[0]));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        assert_eq!(schema::rows(&batch).unwrap(), rows);
    }

    fn with_features() -> Vec<ManifestRow> {
        let mut with = row("night", "1", true);
        with.quality.as_mut().unwrap().features = Some(vec![0.5, -1.0, 1e-3]);
        vec![with, row("night", "2", false)]
    }

    #[test]
    fn every_flipped_bit_of_a_file_and_every_byte_that_is_removed_is_noticed() {
        let file = write(with_features()).unwrap();
        assert!(is_sealed(&file).unwrap());
        for at in 0..file.len() {
            for bit in [0, 7] {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                let noticed = is_sealed(&changed).is_err();
                assert!(
                    noticed || read(changed.into()).is_err(),
                    "bit {bit} of byte {at}"
                );
            }
            let mut changed = file.clone();
            changed.remove(at);
            let noticed = is_sealed(&changed).is_err();
            assert!(
                noticed || read(changed.into()).is_err(),
                "without byte {at}"
            );
        }
    }

    #[test]
    fn a_file_of_an_earlier_program_carries_no_digest_and_is_read() {
        let rows = with_features();
        let num_features = schema::num_features(&rows);
        let properties = WriterProperties::builder().set_created_by("synth2real".to_owned());
        let schema_of_rows = schema::schema(num_features);
        let writer = ArrowWriter::try_new(Vec::new(), schema_of_rows, Some(properties.build()));
        let mut writer = writer.unwrap();
        writer
            .write(&schema::batch(&rows, num_features).unwrap())
            .unwrap();
        let file = writer.into_inner().unwrap();
        assert!(!is_sealed(&file).unwrap());
        assert_eq!(read_with_features(file.into()).unwrap(), rows);
    }

    #[test]
    fn a_file_of_any_length_is_sealed_as_it_is_written() {
        let mut writer = ManifestWriter::new(Vec::new()).unwrap();
        let text = |number: usize| -> String {
            let parts = (0..12).map(|part| digest::sha256(format!("{number} {part}").as_bytes()));
            parts.collect()
        };
        let long = |number: usize| ManifestRow {
            error: Some(text(number)),
            ..row("night", &number.to_string(), false)
        };
        let rows: Vec<ManifestRow> = (0..8000).map(long).collect();
        writer.write(&rows).unwrap();
        let file = writer.finish().unwrap();
        // More than is held back until the end.
        assert!(file.len() > 2 << 20, "{} bytes", file.len());
        assert!(is_sealed(&file).unwrap());
        let mut read = Vec::new();
        read_each(file.into(), 8000, |row| read.push(row.clone())).unwrap();
        assert_eq!(read, rows);
    }

    #[test]
    fn more_rows_than_were_planned_are_refused_before_any_is_read() {
        let file = Bytes::from(write(with_features()).unwrap());
        assert_eq!(read_at_most(file.clone(), 2).unwrap().len(), 2);
        for read in [read_at_most, read_with_features_at_most] {
            let error = read(file.clone(), 1).unwrap_err();
            assert!(matches!(error, ManifestError::Claim(_)), "{error}");
            let told = crate::failure::chain(&error);
            assert!(told.contains("2 rows, expected 0 to 1"), "{told}");
        }
    }

    /// Returns a number as Thrift writes it.
    fn zigzag(value: u64) -> Vec<u8> {
        let mut left = value << 1;
        let mut bytes = Vec::new();
        while left >= 0x80 {
            bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
        bytes
    }

    #[test]
    fn a_small_file_that_claims_a_thousand_million_rows_is_refused_by_its_claim() {
        // 1: version 2, 2: a schema of one element named "a", 3: the number of rows.
        let footer = [0x15, 4, 0x19, 0x1c, 0x48, 1, b'a', 0, 0x16];
        let footer = [&footer[..], &zigzag(1_000_000_000), &[0]].concat();
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let file = [&b"PAR1"[..], &footer, &length, b"PAR1"].concat();
        let told = crate::failure::chain(&read(file.into()).unwrap_err());
        assert!(told.contains("claims 1000000000 rows"), "{told}");
    }

    #[test]
    fn what_unpacks_to_more_than_its_rows_can_take_is_refused_by_its_claim() {
        let of_letter = |letter: &str| ManifestRow {
            error: Some(letter.repeat(2_000_000)),
            ..row("night", letter, false)
        };
        let rows = ["a", "b", "c", "d"].map(of_letter);
        let refused = write(rows.to_vec()).unwrap_err();
        assert!(
            matches!(refused, ManifestError::TooLarge { .. }),
            "{refused}"
        );
        let mut writer = ManifestWriter::new(Vec::new()).unwrap();
        let batch = schema::batch(&rows, None).unwrap();
        writer.writer.write(&batch).unwrap();
        let file = Bytes::from(writer.finish().unwrap());
        assert!(file.len() < 100_000, "{} bytes", file.len());
        let told = crate::failure::chain(&read_at_most(file.clone(), 4).unwrap_err());
        assert!(told.contains("bytes when unpacked"), "{told}");
        let told = crate::failure::chain(&read(file).unwrap_err());
        assert!(
            told.contains("2000000 bytes for a text, more than 16384"),
            "{told}"
        );
    }

    #[test]
    fn equal_rows_give_equal_bytes() {
        let rows = vec![row("snow", "1", true), row("night", "2", false)];
        let other = rows.iter().rev().cloned().collect();
        assert_eq!(write(rows).unwrap(), write(other).unwrap());
    }

    #[test]
    fn a_revision_holds_in_place_of_rows_that_are_not_done_and_of_no_others() {
        let committed = vec![row("night", "1", true), row("night", "2", false)];
        let again = |worker: &str, content: &str, done: bool| ManifestRow {
            worker: worker.to_owned(),
            ..row("night", content, done)
        };
        let first = vec![again("first", "1", false), again("first", "2", false)];
        let second = vec![again("second", "2", true)];
        let third = vec![again("third", "2", false), again("third", "3", true)];
        let effective = crate::manifest::effective(committed.clone(), [first, second, third]);
        let said: Vec<_> = effective
            .iter()
            .map(|row| (row.item.content.as_str(), row.worker.as_str(), row.status))
            .collect();
        let done = Status::Done;
        assert_eq!(
            said,
            [
                ("1", "here", done),
                ("2", "second", done),
                ("3", "third", done)
            ]
        );
        assert_eq!(crate::manifest::effective(committed.clone(), []), committed);
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let bytes = write(vec![row("snow", "1", true)]).unwrap();
        assert!(read(Bytes::copy_from_slice(&bytes[..bytes.len() / 2])).is_err());
    }
}

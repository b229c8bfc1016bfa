//! Manifests of shards, with columns and footers that no program of ours writes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, ListArray, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Int32Type, Schema, UInt32Type};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use shared::confusion::{Confusion, LabelAgreement};
use shared::failure::FailureClass;
use shared::ids::{ItemId, ShardId};
use shared::item_metric::PerMetric;
use shared::manifest::{self, ManifestRow, Output, Predictions, Quality, Status, Work};
use shared::platform::Platform;

/// Returns the row of an item that is done, or of one that is quarantined.
#[must_use]
pub fn manifest_row(style: &str, content: &str, done: bool) -> ManifestRow {
    let digest = |text: &str| shared::digest::sha256(text.as_bytes());
    ManifestRow {
        run: "small".parse().unwrap(),
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
        error: (!done).then(|| "images/00001.png is empty".into()),
        warning: None,
        warning_kinds: Vec::new(),
        attempt: 1,
        worker: "here".into(),
        device: "cpu".into(),
        platform: Platform::default(),
        seed: 42,
        config_hash: digest("config"),
        model_sha256: digest("model"),
        output: done.then(|| Output {
            image_key: "runs/small/images/fog/00001.png".into(),
            label_key: "runs/small/labels/00001.png".into(),
            width: 512,
            height: 256,
            image_sha256: digest("image"),
            label_sha256: digest("label"),
        }),
        quality: done.then(|| Quality {
            figures: PerMetric::from_fn(|metric| Some(0.25 * (1 + metric as usize) as f64)),
            train_ids: vec![0, 10],
            features: Some(vec![0.5, -1.0, 2.0]),
            ..Quality::default()
        }),
        content_sha256: Some(digest("content")),
        prior_sha256: None,
        work: done.then(Work::default),
        started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        finished_at: "2026-01-02T03:04:06Z".parse().unwrap(),
    }
}

/// Returns the row of a doubtful item, with what a segmenter finds in it.
#[must_use]
pub fn doubtful_row(style: &str, content: &str) -> ManifestRow {
    let digest = |text: &str| shared::digest::sha256(text.as_bytes());
    let mut row = manifest_row(style, content, true);
    row.quality = row.quality.map(|quality| Quality {
        agreement: Some(LabelAgreement {
            output: Confusion::of(&[0, 0, 10], &[0, 1, 8]),
            content: Confusion::of(&[0, 0, 10], &[0, 0, 10]),
        }),
        is_doubtful: true,
        predictions: Some(Predictions {
            output_sha256: digest("prediction"),
            content_sha256: digest("prediction of the content"),
        }),
        ..quality
    });
    row
}

/// Returns a manifest of one item as columns.
fn columns() -> RecordBatch {
    columns_of(manifest_row("fog", "00001", true))
}

fn columns_of(row: ManifestRow) -> RecordBatch {
    let file = manifest::write(vec![row]).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    reader.build().unwrap().next().unwrap().unwrap()
}

fn file(batch: &RecordBatch) -> Vec<u8> {
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// Returns a manifest of one item that has a single column.
#[must_use]
pub fn only(name: &str) -> Vec<u8> {
    let batch = columns();
    let column = batch.schema().index_of(name).unwrap();
    file(&batch.project(&[column]).unwrap())
}

/// Returns a manifest of one item with a column replaced.
#[must_use]
pub fn replaced(name: &str, column: ArrayRef) -> Vec<u8> {
    file(&with_column(&columns(), name, column))
}

/// Returns a manifest of one doubtful item with a column replaced.
#[must_use]
pub fn doubtful_with(name: &str, column: ArrayRef) -> Vec<u8> {
    let batch = columns_of(doubtful_row("fog", "00001"));
    file(&with_column(&batch, name, column))
}

/// Returns a manifest of one doubtful item without a column.
#[must_use]
pub fn doubtful_without(name: &str) -> Vec<u8> {
    let mut batch = columns_of(doubtful_row("fog", "00001"));
    let column = batch.schema().index_of(name).unwrap();
    batch.remove_column(column);
    file(&batch)
}

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let at = schema.index_of(name).unwrap();
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    fields[at] = Field::new(name, column.data_type().clone(), true);
    let mut all = batch.columns().to_vec();
    all[at] = column;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), all).unwrap()
}

/// Returns a column of one text.
#[must_use]
pub fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

/// Returns a column of one number.
#[must_use]
pub fn number(value: f64) -> ArrayRef {
    Arc::new(Float64Array::from(vec![value]))
}

/// Returns a column of one list of counts.
#[must_use]
pub fn counts(values: &[u32]) -> ArrayRef {
    let list = values.iter().copied().map(Some);
    Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>([Some(
        list,
    )]))
}

/// Returns a column of one time, in microseconds.
#[must_use]
pub fn times(value: i64) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC"))
}

/// Returns a manifest of a thousand items, each with the same error of a megabyte, which is stored once.
#[must_use]
pub fn long_texts() -> Vec<u8> {
    const ROWS: usize = 1000;
    let one = columns();
    let indices = arrow::array::UInt32Array::from(vec![0; ROWS]);
    let repeated = |column: &ArrayRef| arrow::compute::take(column, &indices, None).unwrap();
    let all = one.columns().iter().map(repeated).collect();
    let batch = RecordBatch::try_new(one.schema(), all).unwrap();
    let long = StringArray::from(vec!["e".repeat(1_000_000)]);
    let keys = Int32Array::from(vec![0; ROWS]);
    let errors = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(long)).unwrap();
    file(&with_column(&batch, "error", Arc::new(errors)))
}

/// Returns a manifest of one item in which the values of a column, which are stored once each, are counted as none.
#[must_use]
pub fn contradicting() -> Vec<u8> {
    let mut file = file(&columns());
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(&file)).unwrap();
    let column = reader.metadata().row_group(0).column(0);
    let page = usize::try_from(column.dictionary_page_offset().unwrap()).unwrap();
    // The head of the page: 7: what it says of the values, 1: that it is one.
    let one = [0x4c_u8, 0x15, 2];
    let head = file[page..].windows(one.len());
    let at = head.take(64).position(|window| window == one);
    file[page + at.unwrap() + 2] = 0;
    file
}

/// Returns a file of a footer and nothing else.
#[must_use]
pub fn with_footer(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap();
    [b"PAR1", footer, &length.to_le_bytes(), b"PAR1"].concat()
}

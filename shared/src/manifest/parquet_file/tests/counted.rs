//! Of files whose bytes are proved the columns that counts are made of are read alone; of others all are, and checked.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::item_metric::ItemMetric;
use crate::manifest::samples::{doubtful, row};
use crate::manifest::schema::{self, Extras};
use crate::manifest::{
    Columns, ManifestError, ManifestRow, ManifestWriter, Quality, StoredRows, counted, read_stored,
    write,
};
use crate::platform::Platform;

/// Returns rows of all kinds: doubtful, done, and quarantined.
fn rows() -> Vec<ManifestRow> {
    let mut with_features = row("night", "2", true);
    with_features.quality.as_mut().unwrap().features = Some(vec![0.5, -1.0]);
    vec![
        doubtful("night", "1"),
        with_features,
        row("night", "3", false),
    ]
}

/// Returns a row as it is read where only counts are made of it.
fn as_counted(row: ManifestRow) -> ManifestRow {
    let quality = row.quality.filter(|quality| quality.agreement.is_some());
    ManifestRow {
        error_class: None,
        device: String::new(),
        output: None,
        quality: quality.map(|quality| Quality {
            is_doubtful: quality.is_doubtful,
            ..Quality::default()
        }),
        content_sha256: None,
        prior_sha256: None,
        platform: Platform::default(),
        ..row
    }
}

/// Columns that earlier programs did not write.
const SINCE: [&str; 7] = [
    "prior_sha256",
    "gpu",
    "compute_capability",
    "driver",
    "cudnn",
    "onnxruntime",
    "injection",
];

fn read_counted(file: Bytes) -> Result<StoredRows, ManifestError> {
    read_stored(file, 64, Columns::Counted)
}

/// Returns a file of rows without a digest of itself.
fn unsealed(batch: &RecordBatch) -> Bytes {
    let properties = WriterProperties::builder().set_created_by("synth2real".to_owned());
    let writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()));
    let mut writer = writer.unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn what_counts_are_made_of_is_read_as_it_is_and_the_rest_is_not_read() {
    let file = Bytes::from(write(rows()).unwrap());
    let read = read_counted(file).unwrap();
    assert!(read.is_sealed);
    let expected: Vec<ManifestRow> = rows().into_iter().map(as_counted).collect();
    assert_eq!(read.rows, expected);
    // Without a segmenter, too.
    let plain = vec![row("night", "1", true), row("night", "2", false)];
    let read = read_counted(write(plain.clone()).unwrap().into()).unwrap();
    let expected: Vec<ManifestRow> = plain.into_iter().map(as_counted).collect();
    assert_eq!(read.rows, expected);
}

#[test]
fn a_file_without_a_digest_is_read_whole_and_every_figure_of_it_is_checked() {
    let rows = [row("night", "1", true)];
    let batch = schema::batch(&rows, Extras::default()).unwrap();
    let read = read_counted(unsealed(&batch)).unwrap();
    assert_eq!((&read.rows[..], read.is_sealed), (&rows[..], false));

    let mut wrong = rows;
    wrong[0].quality.as_mut().unwrap().figures[ItemMetric::Ssim] = Some(f64::NAN);
    let batch = schema::batch(&wrong, Extras::default()).unwrap();
    let told = read_counted(unsealed(&batch)).unwrap_err().to_string();
    assert!(told.contains("column ssim"), "{told}");
}

#[test]
fn a_number_that_is_counted_and_is_no_figure_is_refused_though_the_file_is_sealed() {
    let mut wrong = row("night", "1", true);
    wrong.work.as_mut().unwrap().store_ms = f64::INFINITY;
    let batch = schema::batch(&[wrong], Extras::default()).unwrap();
    let mut writer = ManifestWriter::new(Vec::new()).unwrap();
    writer.writer.write(&batch).unwrap();
    let file = writer.finish().unwrap();
    let told = read_counted(file.into()).unwrap_err().to_string();
    assert!(told.contains("column store_ms of item 1"), "{told}");
}

#[test]
fn what_is_not_counted_has_to_be_there_all_the_same() {
    let batch = schema::batch(&[row("night", "1", true)], Extras::default()).unwrap();
    let whole = batch.schema();
    assert!(counted::are_whole(whole.fields()));
    let others = whole.fields().iter().map(|field| field.name().as_str());
    for name in others.filter(|name| !counted::is_counted(name)) {
        let mut lacking = batch.clone();
        lacking.remove_column(whole.index_of(name).unwrap());
        let may_be_missing = SINCE.contains(&name);
        let is_whole = counted::are_whole(lacking.schema().fields());
        assert_eq!(is_whole, may_be_missing, "{name}");
        let is_refused = read_counted(unsealed(&lacking)).is_err();
        assert_eq!(is_refused, !may_be_missing, "{name}");
    }
}

#[test]
fn every_flipped_bit_is_noticed_where_counts_alone_are_read() {
    let file = write(rows()).unwrap();
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let read = read_counted(changed.into());
        assert!(read.is_err(), "byte {at}");
    }
}

#[test]
fn pages_of_a_few_rows_are_not_packed_but_those_of_many_values() {
    let packed = |rows: Vec<ManifestRow>| -> Vec<String> {
        let file = Bytes::from(write(rows).unwrap());
        let file = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let columns = file.metadata().row_group(0).columns().iter();
        let packed = columns.filter(|column| column.compression() != Compression::UNCOMPRESSED);
        packed.map(|column| column.column_path().string()).collect()
    };
    let of_many_values = ["output_confusion", "content_confusion", "features"];
    let of_many_values = of_many_values.map(|name| format!("{name}.list.item"));
    assert_eq!(packed(rows()), of_many_values);
    let many = (0..300).map(|number: usize| row("night", &number.to_string(), true));
    let columns = schema::schema(Extras::default()).fields().len();
    assert_eq!(packed(many.collect()).len(), columns);
}

//! Files of earlier and of later programs: without a digest, and with other columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::with_features;
use crate::manifest::samples::row;
use crate::manifest::schema::Extras;
use crate::manifest::{ManifestRow, Work, is_sealed, read_with_features, schema};
use crate::platform::Platform;

/// The columns that manifests of earlier programs do not have.
const MISSING_EARLIER: [&str; 9] = [
    "gpu",
    "compute_capability",
    "driver",
    "cudnn",
    "onnxruntime",
    "injection",
    "prior_sha256",
    "content_ms",
    "style_ms",
];

/// Returns the rows of a file without a column, or what is said of it.
fn without(name: &str, rows: &[ManifestRow]) -> Result<Vec<ManifestRow>, String> {
    let mut batch = schema::batch(rows, Extras::of(rows)).unwrap();
    let at = batch.schema().index_of(name).unwrap();
    batch.remove_column(at);
    schema::rows(&batch).map_err(|error| error.to_string())
}

#[test]
fn a_column_that_is_missing_is_named_unless_no_row_has_its_part() {
    let done = [row("night", "1", true)];
    let names = schema::schema(Extras::default());
    let names = names.fields().iter().map(|field| field.name().as_str());
    for name in names.filter(|name| !MISSING_EARLIER.contains(name)) {
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
fn what_an_earlier_program_did_not_measure_is_not_known_and_nothing_else_is_lost() {
    let measured = |content_ms, style_ms| {
        let mut row = row("night", "1", true);
        row.work = row.work.map(|work| Work {
            content_ms,
            style_ms,
            ..work
        });
        [row]
    };
    let whole = measured(Some(9.0), Some(10.0));
    assert_eq!(
        without("content_ms", &whole).unwrap(),
        measured(None, Some(10.0))
    );
    assert_eq!(
        without("style_ms", &whole).unwrap(),
        measured(Some(9.0), None)
    );
    let mut earlier = schema::batch(&whole, Extras::default()).unwrap();
    for name in MISSING_EARLIER {
        let at = earlier.schema().index_of(name).unwrap();
        earlier.remove_column(at);
    }
    let read = schema::rows(&earlier).unwrap();
    let unknown = measured(None, None).map(|row| ManifestRow {
        platform: Platform::default(),
        ..row
    });
    assert_eq!(read, unknown);
    // Collected together with what is measured they stay so.
    let together = [whole, measured(None, None)].concat();
    let batch = schema::batch(&together, Extras::default()).unwrap();
    assert_eq!(schema::rows(&batch).unwrap(), together);
}

#[test]
fn what_an_earlier_program_computed_with_is_not_known() {
    let known = row("night", "1", true);
    let of = |platform| ManifestRow {
        platform,
        ..known.clone()
    };
    let whole = known.platform.clone();
    assert!(whole.gpu.is_some() && whole.injection.is_some());
    let without_gpu = Platform {
        gpu: None,
        ..whole.clone()
    };
    let without_injection = Platform {
        injection: None,
        ..whole
    };
    let rows = [known.clone()];
    assert_eq!(without("gpu", &rows).unwrap(), [of(without_gpu)]);
    let found = without("injection", &rows).unwrap();
    assert_eq!(found, [of(without_injection)]);
}

#[test]
fn a_column_of_a_later_program_is_passed_over() {
    let rows = [row("night", "1", true)];
    let batch = schema::batch(&rows, Extras::default()).unwrap();
    let (own, mut columns, _) = batch.into_parts();
    let mut fields = own.fields().to_vec();
    let later = fields[0].as_ref().clone().with_name("later");
    fields.insert(0, Arc::new(later));
    columns.insert(0, Arc::clone(&columns[0]));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert_eq!(schema::rows(&batch).unwrap(), rows);
}

#[test]
fn a_file_of_an_earlier_program_carries_no_digest_and_is_read() {
    let rows = with_features();
    let extras = Extras::of(&rows);
    let properties = WriterProperties::builder().set_created_by("synth2real".to_owned());
    let schema_of_rows = schema::schema(extras);
    let writer = ArrowWriter::try_new(Vec::new(), schema_of_rows, Some(properties.build()));
    let mut writer = writer.unwrap();
    writer
        .write(&schema::batch(&rows, extras).unwrap())
        .unwrap();
    let file = writer.into_inner().unwrap();
    assert!(!is_sealed(&file).unwrap());
    assert_eq!(read_with_features(file.into()).unwrap(), rows);
}

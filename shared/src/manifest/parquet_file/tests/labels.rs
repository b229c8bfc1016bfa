//! What a segmenter finds: its pixels stay in shards, its figures are those of the pixels, and files without both are read.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::confusion::Confusion;
use crate::manifest::samples::{doubtful, row};
use crate::manifest::schema::{self, Extras};
use crate::manifest::{
    ManifestError, ManifestRow, ManifestWriter, read, read_with_features, without_features, write,
};

/// Returns rows of which one is doubtful, one is not, one was not looked at, and one is not done.
fn rows() -> Vec<ManifestRow> {
    let mut true_to_its_label = doubtful("night", "2");
    let quality = true_to_its_label.quality.as_mut().unwrap();
    quality.is_doubtful = false;
    quality.predictions = None;
    vec![
        doubtful("night", "1"),
        true_to_its_label,
        row("night", "3", true),
        row("night", "4", false),
    ]
}

/// Returns the names of the columns of a file.
fn columns(file: Vec<u8>) -> Vec<String> {
    let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let fields = file.schema().fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

#[test]
fn what_a_segmenter_finds_survives_the_file_of_a_shard_and_in_figures_that_of_a_run() {
    let rows = rows();
    let file = Bytes::from(write(rows.clone()).unwrap());
    assert_eq!(read(file.clone()).unwrap(), rows);
    assert_eq!(read_with_features(file).unwrap(), rows);

    let mut writer = ManifestWriter::with_label_figures(Vec::new()).unwrap();
    writer.write(&rows).unwrap();
    let of_run = writer.finish().unwrap();
    let names = columns(of_run.clone());
    assert!(names.contains(&"label_iou".to_owned()), "{names:?}");
    assert!(!names.contains(&"output_confusion".to_owned()), "{names:?}");
    let mut expected = rows.clone();
    without_features(&mut expected);
    assert_eq!(read(of_run.clone().into()).unwrap(), expected);

    // Rows of which only the figures are known are written to the same bytes.
    let mut writer = ManifestWriter::with_label_figures(Vec::new()).unwrap();
    writer.write(&expected).unwrap();
    assert_eq!(writer.finish().unwrap(), of_run);
}

#[test]
fn figures_are_those_of_the_pixels_in_shards_and_in_the_manifest() {
    let [counted, mut figures] = [doubtful("night", "1"), doubtful("night", "1")];
    without_features(std::slice::from_mut(&mut figures));
    let quality = figures.quality.as_ref().unwrap();
    assert_eq!(quality.agreement, None);
    let figures = quality.label_figures().unwrap();
    assert_eq!(counted.quality.unwrap().label_figures().unwrap(), figures);
    assert_eq!(figures.output.accuracy, Some(0.5));
    assert_eq!(figures.output.mean_iou, Some(0.5));
    assert_eq!(figures.output.ious[0], Some(0.5));
    assert_eq!(figures.output.ious[1], None);
    assert_eq!(figures.content.mean_iou, Some(1.0));
}

#[test]
fn a_file_without_a_segmenter_has_none_of_its_columns() {
    let rows = vec![row("night", "1", true), row("night", "2", false)];
    let names = columns(write(rows.clone()).unwrap());
    let plain = schema::schema(Extras::default());
    let plain = plain.fields().iter();
    let plain: Vec<String> = plain.map(|field| field.name().clone()).collect();
    assert_eq!(names, plain);
    let mut writer = ManifestWriter::new(Vec::new()).unwrap();
    writer.write(&rows).unwrap();
    let file = writer.finish().unwrap();
    assert_eq!(columns(file.clone()), plain);
    // It is what earlier programs wrote, and says nothing of labels.
    assert_eq!(read(file.into()).unwrap(), rows);
}

/// Returns what is said of rows of which a column is another one.
fn refusal(name: &str, column: ArrayRef) -> ManifestError {
    refusal_of(vec![(name, column)])
}

/// Returns what is said of rows of which some columns are others.
fn refusal_of(others: Vec<(&str, ArrayRef)>) -> ManifestError {
    let rows = [doubtful("night", "1")];
    let batch = schema::batch(&rows, Extras::of(&rows)).unwrap();
    let (schema, mut columns, _) = batch.into_parts();
    for (name, column) in others {
        columns[schema.index_of(name).unwrap()] = column;
    }
    let batch = RecordBatch::try_new(schema, columns).unwrap();
    schema::rows(&batch).unwrap_err()
}

#[test]
fn a_figure_that_the_pixels_do_not_give_is_damage_and_named() {
    let number = |value: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    for name in [
        "label_accuracy",
        "label_miou",
        "content_label_accuracy",
        "content_label_miou",
    ] {
        for value in [Some(0.75), None] {
            let error = refusal(name, number(value));
            assert!(
                matches!(&error, ManifestError::OtherFigure { column, .. } if *column == name),
                "{name}: {error}"
            );
        }
        for value in [f64::NAN, -0.1, 1.1] {
            let told = refusal(name, number(Some(value))).to_string();
            assert!(told.contains(&format!("column {name}")), "{told}");
        }
    }
    let of_others = |name: &str| -> ArrayRef {
        let mut other = doubtful("night", "1");
        let quality = other.quality.as_mut().unwrap();
        let agreement = quality.agreement.as_mut().unwrap();
        agreement.output = Confusion::of(&[0, 1], &[0, 0]);
        agreement.content = Confusion::of(&[0, 1], &[0, 0]);
        let batch = schema::batch(&[other.clone()], Extras::of(&[other])).unwrap();
        Arc::clone(batch.column_by_name(name).unwrap())
    };
    for (name, named) in [
        ("label_iou", "label_iou"),
        ("content_label_iou", "content_label_iou"),
        ("output_confusion", "label_miou"),
        ("content_confusion", "content_label_accuracy"),
    ] {
        let told = refusal(name, of_others(name)).to_string();
        assert!(told.contains(&format!("column {named} ")), "{told}");
    }
    let without: ArrayRef = Arc::new(BooleanArray::from(vec![None::<bool>]));
    let told = refusal("doubtful", without).to_string();
    assert!(told.contains("column doubtful"), "{told}");
}

#[test]
fn figures_whose_pixels_are_lost_are_damage_in_a_file_that_has_pixels() {
    let extras = Extras::of(&[doubtful("night", "1")]);
    let without = schema::batch(&[row("night", "1", true)], extras).unwrap();
    let lost = |name| (name, Arc::clone(without.column_by_name(name).unwrap()));
    for others in [
        vec![lost("output_confusion")],
        vec![lost("output_confusion"), lost("content_confusion")],
    ] {
        let error = refusal_of(others);
        assert!(
            matches!(error, ManifestError::Column("output_confusion")),
            "{error}"
        );
    }
}

#[test]
fn columns_of_a_segmenter_are_there_together_or_not_at_all() {
    let rows = [doubtful("night", "1")];
    let batch = schema::batch(&rows, Extras::of(&rows)).unwrap();
    let labels = schema::schema(Extras::default()).fields().len();
    for at in labels..batch.num_columns() {
        let mut lacking = batch.clone();
        let name = batch.schema().field(at).name().clone();
        lacking.remove_column(at);
        let told = schema::rows(&lacking).unwrap_err().to_string();
        assert!(told.contains(&name), "{name}: {told}");
    }
}

#[test]
fn more_pixels_than_any_image_has_are_not_written() {
    let mut row = doubtful("night", "1");
    let quality = row.quality.as_mut().unwrap();
    let mut counts = vec![0; 380];
    counts[0] = u64::from(u32::MAX) + 1;
    quality.agreement.as_mut().unwrap().output = Confusion::from_counts(&counts).unwrap();
    let message = write(vec![row]).unwrap_err().to_string();
    assert!(message.contains("output_confusion"), "{message}");
}

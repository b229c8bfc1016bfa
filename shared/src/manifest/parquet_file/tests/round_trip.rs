//! What is written is read again, whole and in one order.

use bytes::Bytes;

use crate::digest;
use crate::failure::FailureClass;
use crate::item_metric::PerMetric;
use crate::manifest::samples::row;
use crate::manifest::{
    ManifestRow, ManifestWriter, Quality, Work, is_sealed, read, read_each, read_with_features,
    write,
};

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
fn every_part_of_a_row_survives_the_file() {
    let mut whole = row("night", "1", true);
    whole.error_class = Some(FailureClass::Resources);
    whole.error = Some("no memory".into());
    whole.quality = Some(Quality {
        figures: PerMetric::from_fn(|metric| Some(0.125 + metric as usize as f64)),
        train_ids: vec![0, 18],
        ..Quality::default()
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
        content_ms: Some(9.0),
        style_ms: Some(10.0),
    });
    let bare = ManifestRow {
        content_sha256: None,
        warning_kinds: Vec::new(),
        ..row("night", "2", false)
    };
    let rows = vec![whole, bare];
    assert_eq!(read(write(rows.clone()).unwrap().into()).unwrap(), rows);
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
fn equal_rows_give_equal_bytes() {
    let rows = vec![row("snow", "1", true), row("night", "2", false)];
    let other = rows.iter().rev().cloned().collect();
    assert_eq!(write(rows).unwrap(), write(other).unwrap());
}

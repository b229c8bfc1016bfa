//! What is no manifest of ours is refused, before it takes much memory.

use bytes::Bytes;

use super::with_features;
use crate::item_metric::ItemMetric;
use crate::manifest::samples::row;
use crate::manifest::schema::Extras;
use crate::manifest::{
    Columns, ManifestError, ManifestRow, ManifestWriter, is_sealed, read, read_stored,
    read_with_features, schema, write,
};

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
            let extras = Extras::of(std::slice::from_ref(&row));
            let mut writer = ManifestWriter::with(Vec::new(), extras).unwrap();
            let batch = schema::batch(&[row], extras).unwrap();
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
fn more_rows_than_were_planned_are_refused_before_any_is_read() {
    let file = Bytes::from(write(with_features()).unwrap());
    for columns in [Columns::Counted, Columns::WithoutFeatures, Columns::All] {
        let read = read_stored(file.clone(), 2, columns).unwrap();
        assert_eq!((read.rows.len(), read.is_sealed), (2, true));
        let error = read_stored(file.clone(), 1, columns).unwrap_err();
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
    let batch = schema::batch(&rows, Extras::default()).unwrap();
    writer.writer.write(&batch).unwrap();
    let file = Bytes::from(writer.finish().unwrap());
    assert!(file.len() < 100_000, "{} bytes", file.len());
    let refused = read_stored(file.clone(), 4, Columns::Counted).unwrap_err();
    let told = crate::failure::chain(&refused);
    assert!(told.contains("bytes when unpacked"), "{told}");
    let told = crate::failure::chain(&read(file).unwrap_err());
    assert!(
        told.contains("2000000 bytes for a text, more than 16384"),
        "{told}"
    );
}

#[test]
fn a_truncated_file_is_an_error() {
    let bytes = write(vec![row("snow", "1", true)]).unwrap();
    assert!(read(Bytes::copy_from_slice(&bytes[..bytes.len() / 2])).is_err());
}

//! JPEGs whose scans were cut short, go on with zeros, or have something behind them.

use shared::dataset::LabelKind;

use super::scene::{road, scene};
use crate::files::{chain, prepare_bytes};
use crate::jpegs;

#[test]
fn a_jpeg_whose_scan_was_cut_short_is_refused_even_if_it_is_closed() {
    for (what, jpeg) in jpegs::kinds() {
        let label = road(jpegs::WIDTH, jpegs::HEIGHT);
        let whole = prepare_bytes(&jpeg, &label, LabelKind::LabelIds);
        whole.unwrap_or_else(|error| panic!("{what}: {}", chain(&error)));
        let scan = jpegs::start_of_scan(&jpeg);
        let step = ((jpeg.len() - scan) / 60).max(1);
        for cut in (scan..jpeg.len() - 4).step_by(step) {
            for end in [&[][..], &[0xff, 0xd9]] {
                let bytes = [&jpeg[..cut], end].concat();
                let error = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
                let error = error.err().unwrap_or_else(|| {
                    panic!("{what}: {cut} of {} bytes were taken", jpeg.len());
                });
                assert!(
                    error.to_string().contains("expected a complete JPEG file"),
                    "{what}: {}",
                    chain(&error)
                );
            }
        }
    }
}

#[test]
fn a_jpeg_whose_scan_goes_on_with_zeros_is_refused_and_one_that_zeros_follow_is_not() {
    let label = road(jpegs::WIDTH, jpegs::HEIGHT);
    let zeros = vec![0_u8; 1 << 16];
    for (what, jpeg) in jpegs::kinds() {
        let scan = jpegs::start_of_scan(&jpeg);
        let whole = jpeg.len() - 2;
        for end in [&[][..], &[0xff, 0xd9]] {
            for tenths in 0..10 {
                let cut = scan + (whole - scan) * tenths / 10;
                let bytes = [&jpeg[..cut], &zeros, end].concat();
                let error = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
                let error = error.err().unwrap_or_else(|| {
                    panic!("{what}: zeros from {tenths} tenths were taken");
                });
                let error = chain(&error);
                assert!(error.contains("cannot be decoded"), "{what}: {error}");
            }
            let bytes = [&jpeg[..whole], &zeros, end].concat();
            let found = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
            let found = found.unwrap_or_else(|error| panic!("{what}: {}", chain(&error)));
            let expected = prepare_bytes(&jpeg, &label, LabelKind::LabelIds).unwrap();
            assert_eq!(found.image, expected.image, "{what}");
        }
    }
}

#[test]
fn a_progressive_jpeg_without_its_last_scans_is_refused() {
    let jpeg = jpegs::progressive();
    let label = road(jpegs::WIDTH, jpegs::HEIGHT);
    let scans = jpegs::starts_of_scans(&jpeg);
    assert_eq!(scans.len(), 2);
    let without = [&jpeg[..scans[1]], &[0xff, 0xd9]].concat();
    let error = prepare_bytes(&without, &label, LabelKind::LabelIds).unwrap_err();
    assert!(chain(&error).contains("the file ends before the image does"));
}

#[test]
fn what_follows_the_first_image_of_a_jpeg_is_not_looked_at() {
    let label = road(jpegs::WIDTH, jpegs::HEIGHT);
    for (what, jpeg) in jpegs::kinds() {
        let expected = prepare_bytes(&jpeg, &label, LabelKind::LabelIds).unwrap();
        let video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\xff\xda\0\x08\xff\xd8moov";
        let preview = jpegs::baseline(&scene(64, 48));
        for (tail, bytes) in [
            ("a video", [&jpeg[..], video].concat()),
            ("a preview", [&jpeg[..], &preview].concat()),
            ("zeros", [&jpeg[..], &[0; 3000]].concat()),
            ("no end marker", jpeg[..jpeg.len() - 2].to_vec()),
        ] {
            let found = prepare_bytes(&bytes, &label, LabelKind::LabelIds);
            let found = found.unwrap_or_else(|error| panic!("{what}, {tail}: {}", chain(&error)));
            assert_eq!(found.image, expected.image, "{what}, {tail}");
        }
    }
}

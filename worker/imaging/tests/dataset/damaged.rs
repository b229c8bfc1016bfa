use imaging::{InputError, Prepared};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use shared::dataset::LabelKind;

use crate::files::{chain, input, png, prepare_bytes};

/// A pair of small files in every format that labels have.
fn pairs() -> Vec<(Vec<u8>, Vec<u8>, LabelKind)> {
    let night = input("night_000001_rgb_anon.png");
    vec![
        (
            input("00001.png"),
            input("00001_label.png"),
            LabelKind::PaletteIds,
        ),
        (
            night,
            input("night_000001_gt_labelColor.png"),
            LabelKind::Colour,
        ),
        (input("00001.png"), of_synthia(), LabelKind::SynthiaIds),
    ]
}

/// Returns a label of SYNTHIA: classes and instances in 16 bits.
fn of_synthia() -> Vec<u8> {
    let pixel = |at: u32| [0, (at % 23) as u8, (at % 251) as u8, 1, 0, 0];
    let pixels: Vec<u8> = (0..480 * 264).flat_map(pixel).collect();
    png(
        (480, 264),
        png::ColorType::Rgb,
        png::BitDepth::Sixteen,
        &pixels,
    )
}

/// Asserts that an error is one line for a person, naming the file.
fn assert_clear(error: &InputError, what: &str) {
    let text = error.to_string();
    assert!(text.contains("a.png"), "{what}: {text}");
    assert!(
        !text.contains('\n') && !text.ends_with('.'),
        "{what}: {text}"
    );
    assert!(
        text.contains("expected") || text.contains("again"),
        "{what}: {text}"
    );
}

fn assert_clear_or_fine(result: Result<Prepared, InputError>, what: &str) {
    if let Err(error) = result {
        assert_clear(&error, what);
    }
}

#[test]
fn an_empty_file_is_named() {
    let (image, label, kind) = pairs().remove(0);
    assert_eq!(
        prepare_bytes(&[], &label, kind).unwrap_err().to_string(),
        "images/a.png is empty (0 bytes): copy or download it again"
    );
    assert_eq!(
        prepare_bytes(&image, &[], kind).unwrap_err().to_string(),
        "labels/a.png is empty (0 bytes): copy or download it again"
    );
}

#[test]
fn a_file_that_is_no_image_is_named_with_the_cause() {
    let (image, label, kind) = pairs().remove(0);
    let html = b"<!DOCTYPE html><title>404</title>";
    let error = prepare_bytes(html, &label, kind).unwrap_err();
    assert_eq!(
        chain(&error),
        "images/a.png is no image: expected a complete PNG, JPEG, WebP, TIFF or BMP file, \
         copy or download it again"
    );
    let error = prepare_bytes(&image, html, kind).unwrap_err();
    assert!(chain(&error).contains("labels/a.png cannot be decoded: expected a complete PNG file"));
}

#[test]
fn every_truncated_file_is_an_error() {
    for (image, label, kind) in pairs() {
        // What follows the pixels may be missing: the twelve bytes of the last chunk.
        for cut in (0..40).chain((40..image.len() - 16).step_by(image.len() / 25)) {
            let error = prepare_bytes(&image[..cut], &label, kind).unwrap_err();
            assert_clear(&error, &format!("image of {cut} bytes"));
        }
        for cut in (0..40).chain((40..label.len() - 16).step_by(label.len() / 25)) {
            let error = prepare_bytes(&image, &label[..cut], kind).unwrap_err();
            assert_clear(&error, &format!("label of {cut} bytes"));
        }
    }
}

#[test]
fn files_with_flipped_bits_never_panic() {
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (image, label, kind) in pairs() {
            let mut damage = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                for _ in 0..1 + rng.next_u32() % 4 {
                    // Half of the flips hit the header and the palette.
                    let within = if rng.next_u32() % 2 == 0 {
                        900
                    } else {
                        bytes.len()
                    };
                    let position = rng.next_u32() as usize % within.min(bytes.len());
                    bytes[position] ^= 1 << (rng.next_u32() % 8);
                }
                bytes
            };
            let (bad_image, bad_label) = (damage(&image), damage(&label));
            let what = format!("seed {seed}");
            assert_clear_or_fine(prepare_bytes(&bad_image, &label, kind), &what);
            assert_clear_or_fine(prepare_bytes(&image, &bad_label, kind), &what);
        }
    }
}

/// Returns a PNG with a valid checksum over a header that says anything.
fn with_header(png: &[u8], edit: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = png.to_vec();
    edit(&mut bytes[16..29]);
    let crc = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn headers_that_lie_never_panic() {
    let (image, label, kind) = pairs().remove(0);
    for position in 0..13 {
        for value in [0, 1, 2, 3, 4, 6, 16, 127, 255] {
            let lie = |header: &mut [u8]| header[position] = value;
            let what = format!("header byte {position} = {value}");
            assert_clear_or_fine(
                prepare_bytes(&with_header(&image, lie), &label, kind),
                &what,
            );
            assert_clear_or_fine(
                prepare_bytes(&image, &with_header(&label, lie), kind),
                &what,
            );
        }
    }
}

#[test]
fn a_decompression_bomb_is_refused_before_it_is_decoded() {
    let (image, label, kind) = pairs().remove(0);
    let huge = |header: &mut [u8]| header[..8].copy_from_slice(&[0, 0, 0x80, 0, 0, 0, 0x80, 0]);
    let expected = "is 32768x32768, more than 33554432 pixels: expected a driving frame";
    for (error, name) in [
        (
            prepare_bytes(&with_header(&image, huge), &label, kind),
            "images/a.png",
        ),
        (
            prepare_bytes(&image, &with_header(&label, huge), kind),
            "labels/a.png",
        ),
    ] {
        assert_eq!(error.unwrap_err().to_string(), format!("{name} {expected}"));
    }
}

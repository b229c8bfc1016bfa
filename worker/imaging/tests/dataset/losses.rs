//! Pictures of which a part was lost in the middle, and how several kinds of TIFF show one picture.

use imaging::Prepared;
use png::{BitDepth, ColorType};
use shared::dataset::LabelKind;
use shared::warning::WarningKind;

use crate::files::{chain, png, prepare_bytes};
use crate::jpegs::{self, BLOCKS};

const WIDTH: u32 = 256;
const HEIGHT: u32 = 128;

/// Returns a label of road that is as large as the pictures.
fn road() -> Vec<u8> {
    road_of(HEIGHT)
}

fn road_of(height: u32) -> Vec<u8> {
    png(
        (WIDTH, height),
        ColorType::Grayscale,
        BitDepth::Eight,
        &vec![7; (WIDTH * height) as usize],
    )
}

fn prepared(file: &[u8]) -> Result<Prepared, String> {
    prepare_bytes(file, &road(), LabelKind::LabelIds).map_err(|error| chain(&error))
}

#[test]
fn a_jpeg_that_lost_its_middle_is_refused_and_one_of_a_flat_middle_is_not() {
    let (before, flat) = (100, 200);
    let whole = jpegs::with_flat_middle(before, flat, BLOCKS - before - flat);
    prepared(&whole).unwrap();
    // As many bytes of zeros as eight other blocks had.
    let lost = jpegs::with_flat_middle(before, flat, BLOCKS - before - 8);
    let error = prepared(&lost).unwrap_err();
    assert!(error.contains("images/a.png cannot be decoded"), "{error}");
    assert!(error.contains("a complete JPEG file"), "{error}");
}

#[test]
fn a_progressive_jpeg_of_a_black_picture_is_whole() {
    let jpeg = jpegs::refined();
    let label = road_of(jpegs::REFINED_HEIGHT);
    let prepared = prepare_bytes(&jpeg, &label, LabelKind::LabelIds);
    prepared.map_err(|error| chain(&error)).unwrap();
}

/// Returns a grey level or a colour of the picture.
fn level(x: u32, y: u32, channel: u32) -> u8 {
    ((x * 3 + y * 5 + channel * 70) % 251) as u8
}

/// Returns a TIFF of 8 bits a sample, not compressed, of some strips as high as the picture.
fn tiff(photometric: u16, samples: u16, planes: u16, strips: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    for strip in strips {
        offsets.extend((file.len() as u32).to_le_bytes());
        lengths.extend((strip.len() as u32).to_le_bytes());
        file.extend_from_slice(strip);
    }
    let mut place = |numbers: Vec<u8>| match <[u8; 4]>::try_from(&numbers[..]) {
        Ok(number) => u32::from_le_bytes(number),
        Err(_) => {
            let at = file.len() as u32;
            file.extend(numbers);
            at
        }
    };
    let count = strips.len() as u32;
    let entries = [
        (256_u16, 4_u16, 1, WIDTH),
        (257, 4, 1, HEIGHT),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, u32::from(photometric)),
        (273, 4, count, place(offsets)),
        (277, 3, 1, u32::from(samples)),
        (278, 4, 1, HEIGHT),
        (279, 4, count, place(lengths)),
        (284, 3, 1, u32::from(planes)),
    ];
    let directory_at = file.len() as u32;
    file[4..8].copy_from_slice(&directory_at.to_le_bytes());
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(u32::to_le_bytes(count));
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file
}

/// Returns something for each place, row by row.
fn each(of: impl Fn(u32, u32) -> Vec<u8>) -> Vec<u8> {
    let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    places.flat_map(|(x, y)| of(x, y)).collect()
}

#[test]
fn a_tiff_of_planes_and_one_in_which_white_is_zero_show_the_same_picture() {
    let side_by_side = each(|x, y| (0..3).map(|channel| level(x, y, channel)).collect());
    let planes = (0..3).map(|channel| each(|x, y| vec![level(x, y, channel)]));
    let planes: Vec<Vec<u8>> = planes.collect();
    let plain = prepared(&tiff(2, 3, 1, &[side_by_side])).unwrap();
    let planar = prepared(&tiff(2, 3, 2, &planes)).unwrap();
    assert_eq!(planar.image, plain.image);
    assert_eq!(planar.warnings, []);

    let reversed = planes[0].iter().map(|level| 255 - level).collect();
    let black_is_zero = prepared(&tiff(1, 1, 1, &planes[..1])).unwrap();
    let white_is_zero = prepared(&tiff(0, 1, 1, &[reversed])).unwrap();
    assert_eq!(white_is_zero.image, black_is_zero.image);
    let kinds: Vec<WarningKind> = white_is_zero.warnings.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [WarningKind::Greyscale]);
}

#[test]
fn a_tiff_whose_last_plane_is_zeros_is_done_with_a_warning() {
    let planes = (0..3).map(|channel| {
        let lost = channel == 2;
        each(|x, y| vec![if lost { 0 } else { level(x, y, channel) }])
    });
    let found = prepared(&tiff(2, 3, 2, &planes.collect::<Vec<_>>())).unwrap();
    let [warning] = &found.warnings[..] else {
        panic!("one warning: {:?}", found.warnings);
    };
    assert_eq!(warning.kind, WarningKind::TrailingZeros);
    let words = "images/a.png is not compressed and has zeros alone in the last 33 % of its pixels";
    assert!(warning.text.starts_with(words), "{warning}");
}

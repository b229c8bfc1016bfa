//! Labels that are refused, since it cannot be told what they show.

use image::{DynamicImage, ImageFormat, RgbImage};
use imaging::{LabelFile, NamedBytes, count_classes};
use png::{BitDepth, ColorType};
use shared::dataset::classes::train_id_of_label_id;
use shared::dataset::{LabelKind, LabelReading};

use super::scene::{
    SIDES, colour, encoded_by, file, grey, indexed, label_ids, palette_of, prepared, rgb,
};
use crate::files::chain;

/// A label under what it is, and words of its refusal.
type Refused = (&'static str, Vec<u8>, [&'static str; 2]);

fn of_ids() -> Vec<Refused> {
    let ids = label_ids();
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    let without_255: Vec<u8> = train_ids.iter().map(|&id| id.min(18)).collect();
    let odd: Vec<u8> = (0..=255_u8)
        .flat_map(|index| [index.wrapping_mul(37), index.wrapping_mul(91), 3])
        .collect();
    let luminances: Vec<u8> = ids
        .iter()
        .map(|&id| (colour(id).map(u32::from).iter().sum::<u32>() / 3) as u8)
        .collect();
    let instances: Vec<u8> = ids
        .iter()
        .flat_map(|&id| (u16::from(id) * 1000 + 1).to_be_bytes())
        .collect();
    let black = vec![0; 3 * 256];
    let label_palette = palette_of(Some);
    vec![
        (
            "label ids with odd colours",
            indexed(&ids, &odd),
            ["index 7 has the colour", "labels = \"label-ids\""],
        ),
        (
            "label ids in black",
            indexed(&ids, &black),
            ["has the colour 0,0,0", "not that of road"],
        ),
        (
            "train ids with the palette of label ids",
            indexed(&train_ids, &label_palette),
            ["255 is none", "\"train-ids\""],
        ),
        (
            "train ids without 255",
            grey(&without_255),
            ["label ids as well as train ids", "--content-labels"],
        ),
        (
            "luminances",
            grey(&luminances),
            ["level", "no class colour"],
        ),
        (
            "instance ids",
            file(ColorType::Grayscale, BitDepth::Sixteen, None, &instances),
            ["16-bit greyscale", "8 bits do not hold"],
        ),
    ]
}

fn of_colours() -> Vec<Refused> {
    let ids = label_ids();
    let image = RgbImage::from_raw(SIDES.0, SIDES.1, rgb(&ids)).unwrap();
    let image = DynamicImage::ImageRgb8(image);
    let jpeg = encoded_by(ImageFormat::Jpeg, &image);
    let once_a_jpeg = image::load_from_memory(&jpeg).unwrap();
    let once_a_jpeg = encoded_by(ImageFormat::Png, &once_a_jpeg);
    let bgr: Vec<u8> = rgb(&ids)
        .chunks_exact(3)
        .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]])
        .collect();
    vec![
        (
            "colours that were a JPEG",
            once_a_jpeg,
            ["% of its pixels", "not those of Cityscapes"],
        ),
        (
            "red and blue exchanged",
            file(ColorType::Rgb, BitDepth::Eight, None, &bgr),
            ["red and blue exchanged", "\"colour\""],
        ),
        ("a JPEG", jpeg, ["is a JPEG file", "expected a PNG"]),
        (
            "a TIFF",
            encoded_by(ImageFormat::Tiff, &image),
            ["is a TIFF file", "expected a PNG"],
        ),
    ]
}

#[test]
fn a_label_of_which_it_cannot_be_told_what_it_shows_is_refused_with_what_decides() {
    for (what, bytes, words) in of_ids().into_iter().chain(of_colours()) {
        let kind = LabelKind::PaletteIds;
        let error = match prepared(&bytes, kind) {
            Ok(found) => panic!("{what} was read: {:?}", found.warnings),
            Err(error) => chain(&error),
        };
        assert!(error.starts_with("labels/a.png is "), "{what}: {error}");
        for word in words {
            assert!(error.contains(word), "{what}: no {word:?} in: {error}");
        }
        // Rare-class sampling counts no classes of it either.
        let file = NamedBytes {
            name: "labels/a.png",
            bytes: &bytes,
        };
        let reading = LabelReading::promised(kind);
        assert!(
            count_classes(LabelFile::new(file, reading)).is_err(),
            "{what}"
        );
    }
}

#[test]
fn indices_without_a_palette_are_refused_as_damage() {
    let whole = indexed(&label_ids(), &palette_of(Some));
    let at = whole.windows(4).position(|kind| kind == b"PLTE").unwrap() - 4;
    let length = u32::from_be_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let without = [&whole[..at], &whole[at + 12 + length..]].concat();
    let error = chain(&prepared(&without, LabelKind::PaletteIds).unwrap_err());
    assert!(error.contains("no palette"), "{error}");
}

//! One scene as label files, and what readers make of them.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use imaging::{InputError, Prepared};
use png::{BitDepth, ColorType};
use shared::dataset::LabelKind;
use shared::dataset::classes::{CLASSES, UNKNOWN, train_id_of_label_id};

use crate::files::{input, prepare_bytes};

pub(super) const SIDES: (u32, u32) = (480, 264);

/// Returns label ids of a scene, some of them unlabelled.
pub(super) fn label_ids() -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(input("00001_label.png")))
        .read_info()
        .unwrap();
    let mut ids = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.next_frame(&mut ids).unwrap();
    ids[..40 * 480].fill(0);
    ids
}

pub(super) fn colour(label_id: u8) -> [u8; 3] {
    let class = CLASSES.iter().find(|class| class.label_id == label_id);
    class.map_or([0; 3], |class| class.colour)
}

pub(super) fn grey(levels: &[u8]) -> Vec<u8> {
    file(ColorType::Grayscale, BitDepth::Eight, None, levels)
}

pub(super) fn rgb(label_ids: &[u8]) -> Vec<u8> {
    label_ids.iter().flat_map(|&id| colour(id)).collect()
}

pub(super) fn file(
    colour: ColorType,
    depth: BitDepth,
    palette: Option<&[u8]>,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDES.0, SIDES.1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

pub(super) fn indexed(indices: &[u8], palette: &[u8]) -> Vec<u8> {
    file(ColorType::Indexed, BitDepth::Eight, Some(palette), indices)
}

/// Returns the palette of an index for each label id.
pub(super) fn palette_of(index_of: impl Fn(u8) -> Option<u8>) -> Vec<u8> {
    let mut palette = vec![0; 3 * 256];
    for label_id in 0..=33 {
        if let Some(index) = index_of(label_id) {
            let at = 3 * usize::from(index);
            palette[at..at + 3].copy_from_slice(&colour(label_id));
        }
    }
    palette
}

pub(super) fn encoded_by(format: ImageFormat, image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn prepared(bytes: &[u8], kind: LabelKind) -> Result<Prepared, InputError> {
    prepare_bytes(&input("00001.png"), bytes, kind)
}

/// Returns the classes that a reader of `kind` finds in a stored label.
pub(super) fn classes_as(kind: LabelKind, stored: &[u8]) -> Vec<u8> {
    let mut decoder = png::Decoder::new(Cursor::new(stored)).read_info().unwrap();
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.next_frame(&mut pixels).unwrap();
    let colour_type = decoder.info().color_type;
    match kind {
        LabelKind::PaletteIds | LabelKind::LabelIds => {
            assert!(matches!(
                colour_type,
                ColorType::Indexed | ColorType::Grayscale
            ));
            pixels.into_iter().map(train_id_of_label_id).collect()
        }
        LabelKind::TrainIds => {
            assert!(matches!(
                colour_type,
                ColorType::Indexed | ColorType::Grayscale
            ));
            pixels
        }
        LabelKind::Colour => {
            assert_eq!(colour_type, ColorType::Rgb);
            let class = |pixel: &[u8]| CLASSES.iter().position(|class| class.colour == *pixel);
            let classes = pixels.chunks_exact(3).map(class);
            classes
                .map(|id| id.map_or(UNKNOWN, |id| id as u8))
                .collect()
        }
        other => panic!("{other} is no kind of Cityscapes"),
    }
}

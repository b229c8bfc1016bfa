pub(crate) use shared::failure::chain;
use std::fs;
use std::path::{Path, PathBuf};

use imaging::{InputError, LabelFile, NamedBytes, Prepared, prepare};
use shared::dataset::{ClassTable, LabelKind, LabelReading};
use shared::model::ImageSize;

/// The size of the golden model.
pub(crate) const SIZE: ImageSize = ImageSize {
    width: 256,
    height: 128,
    latent_width: 32,
    latent_height: 16,
};

pub(crate) fn golden(relative: &str) -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder
        .join("../../tests/fixtures/golden")
        .join(relative)
}

pub(crate) fn input(name: &str) -> Vec<u8> {
    fs::read(golden("inputs").join(name)).unwrap()
}

/// Prepares a pair under made-up names, of a dataset whose layout promises `kind`.
pub(crate) fn prepare_bytes(
    image: &[u8],
    label: &[u8],
    kind: LabelKind,
) -> Result<Prepared, InputError> {
    prepare_as(image, label, LabelReading::promised(kind))
}

/// Prepares a pair under made-up names.
pub(crate) fn prepare_as(
    image: &[u8],
    label: &[u8],
    reading: LabelReading,
) -> Result<Prepared, InputError> {
    prepare_by(image, label, reading, None)
}

/// Prepares a pair under made-up names, with what settings say of its classes.
pub(crate) fn prepare_by(
    image: &[u8],
    label: &[u8],
    reading: LabelReading,
    classes: Option<&ClassTable>,
) -> Result<Prepared, InputError> {
    let image = NamedBytes {
        name: "images/a.png",
        bytes: image,
    };
    let file = NamedBytes {
        name: "labels/a.png",
        bytes: label,
    };
    let label = LabelFile::new(file, reading).with_classes(classes);
    prepare(image, Some(label), SIZE)
}

/// Prepares an image without a label under a made-up name.
pub(crate) fn prepare_alone(image: &[u8]) -> Result<Prepared, InputError> {
    let image = NamedBytes {
        name: "images/a.png",
        bytes: image,
    };
    prepare(image, None, SIZE)
}

/// Returns a PNG of `channels` bytes a pixel.
pub(crate) fn png(
    (width, height): (u32, u32),
    colour: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == png::ColorType::Indexed {
        encoder.set_palette((0..=255).flat_map(|i| [i; 3]).collect::<Vec<u8>>());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

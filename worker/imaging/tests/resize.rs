//! Crop and resize against what Pillow makes of the goldens' images.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::File;
use std::path::{Path, PathBuf};

use image::ImageReader;
use imaging::resize::{Size, crop_centre, resize_bicubic};
use ndarray::Array3;
use ndarray_npy::NpzReader;

const SIZE: Size = Size {
    width: 256,
    height: 128,
};

/// Returns the path of a file below the goldens.
fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/golden")
        .join(relative)
}

fn read(name: &str) -> Array3<u8> {
    let decoded = ImageReader::open(path("inputs").join(name))
        .unwrap()
        .decode()
        .unwrap()
        .to_rgb8();
    let shape = (decoded.height() as usize, decoded.width() as usize, 3);
    Array3::from_shape_vec(shape, decoded.into_raw()).unwrap()
}

#[test]
fn resized_images_are_pillows_to_the_last_bit() {
    for (file, folder, array) in [
        ("00001.png", "cacti-night", "image_content"),
        ("night_000001_rgb_anon.png", "cacti-night", "image_style"),
        ("snow_000002_leftImg8bit.png", "adain-snow", "image_style"),
    ] {
        let image = read(file);
        let found = resize_bicubic(crop_centre(image.view(), SIZE), SIZE).unwrap();
        let golden = File::open(path(folder).join("golden.npz")).unwrap();
        let expected: Array3<u8> = NpzReader::new(golden).unwrap().by_name(array).unwrap();
        assert!(found == expected, "{file}");
    }
}

//! The images that the fake engine makes of contents and styles, and the figures that it gives them.

use imaging::encode_png;
use ndarray::Array3;
use shared::confusion::{Confusion, LabelAgreement};
use shared::digest;
use shared::item_metric::{ItemMetric, PerMetric};
use shared::manifest::Quality;
use shared::model::ImageSize;

/// Sizes of what it makes.
pub(super) const SIZE: ImageSize = ImageSize {
    width: 8,
    height: 4,
    latent_width: 1,
    latent_height: 1,
};

/// Returns the image that it makes of a content and a style.
///
/// # Panics
///
/// Never: the image has its size.
#[must_use]
pub fn image(content: &str, style: &str) -> Vec<u8> {
    let bytes = digest::sha256(format!("{content}/{style}").as_bytes()).into_bytes();
    let pixels = bytes
        .iter()
        .cycle()
        .copied()
        .take(SIZE.width * SIZE.height * 3);
    let image = Array3::from_shape_vec((SIZE.height, SIZE.width, 3), pixels.collect());
    encode_png(image.expect("as many pixels as the image has").view()).expect("a small image")
}

/// Returns the figures that the fake engine gives an image: a function of its bytes.
#[must_use]
pub fn quality(png: &[u8]) -> Quality {
    let digest = digest::sha256(png).into_bytes();
    let mut figures = PerMetric::default();
    figures[ItemMetric::Ssim] = Some(f64::from(digest[0]) / 256.0);
    Quality {
        figures,
        train_ids: vec![digest[1] % 4],
        features: Some(digest[..3].iter().map(|&byte| f32::from(byte)).collect()),
        ..Quality::default()
    }
}

/// Returns what a segmenter finds in an output, an eighth of which it takes for another class, and in its content.
pub(super) fn agreement() -> LabelAgreement {
    let label = [0; 8];
    LabelAgreement {
        output: Confusion::of(&label, &[0, 0, 0, 0, 0, 0, 0, 1]),
        content: Confusion::of(&label, &label),
    }
}

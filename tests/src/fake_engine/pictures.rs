//! The images that the fake engine makes of contents and styles, and the figures that it gives them.

use imaging::{LabelIds, encode_png};
use ndarray::{Array2, Array3};
use shared::confusion::{Confusion, LabelAgreement};
use shared::dataset::classes::train_id_of_label_id;
use shared::digest;
use shared::item_metric::PerMetric;
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

/// Returns the label of a content, which shows some of Cityscapes' classes.
///
/// # Panics
///
/// Never: the label has its size.
#[must_use]
pub fn label(content: &str) -> Vec<u8> {
    let bytes = digest::sha256(content.as_bytes()).into_bytes();
    let ids = bytes.iter().cycle().map(|byte| 7 + byte % 20);
    let ids = ids.take(SIZE.width * SIZE.height).collect();
    let label_ids = Array2::from_shape_vec((SIZE.height, SIZE.width), ids);
    let label_ids = label_ids.expect("as many pixels as the label has");
    let train_ids = label_ids.mapv(train_id_of_label_id);
    let label = LabelIds {
        label_ids,
        train_ids,
    };
    label.label_id_png().expect("a small label")
}

/// Returns the figures that the fake engine gives an image: a function of its bytes.
#[must_use]
pub fn quality(png: &[u8]) -> Quality {
    let digest = digest::sha256(png).into_bytes();
    let figure = f64::from(digest[0]) / 256.0;
    Quality {
        figures: PerMetric::from_fn(|metric| metric.network().is_none().then_some(figure)),
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

//! What a translator takes and gives, as numbers: images in a range, labels as one-hot planes, and noise of an item.
//!
//! **Source:** none, each network has its own.
//! **Differs:** nothing; a network's contract says of its numbers what the program that trained it did.

use ndarray::{Array3, ArrayView2, ArrayView3};
use shared::dataset::classes::NUM_CLASSES;
use shared::network::{UnknownPixels, ValueRange};

use super::finite::{NotFinite, Quantity};
use super::noise::standard_normal;

/// Returns an image `(height, width, 3)` in a range, as `(3, height, width)` in that order in memory.
pub fn to_range(image: ArrayView3<'_, u8>, range: ValueRange) -> Array3<f32> {
    let ValueRange { black, white } = range;
    // A map keeps the order of its input in memory, so the order is changed first.
    let planes = image.permuted_axes([2, 0, 1]);
    let planes = planes.as_standard_layout();
    planes.mapv(|value| f32::from(value) / 255.0 * (white - black) + black)
}

/// Returns the image `(height, width, 3)` of a translator's output `(3, height, width)` in a range.
///
/// Values are clamped to the range and rounded half to even.
///
/// # Errors
///
/// [`NotFinite`] if a value is NaN or infinite: no pixel is made of it.
pub fn from_range(planes: ArrayView3<'_, f32>, range: ValueRange) -> Result<Array3<u8>, NotFinite> {
    Quantity::TranslatedImage.check(planes)?;
    let ValueRange { black, white } = range;
    let pixels = planes.permuted_axes([1, 2, 0]);
    let pixels = pixels.as_standard_layout();
    // Clamped and finite, so that it is a byte.
    let byte = |value: f32| {
        let share = ((value - black) / (white - black)).clamp(0.0, 1.0);
        (share * 255.0).round_ties_even() as u8
    };
    Ok(pixels.mapv(byte))
}

/// Returns train ids `(height, width)` as planes `(channels, height, width)`: 1 in that of a pixel's class, 0 in all others.
pub fn one_hot(train_ids: ArrayView2<'_, u8>, unknown: UnknownPixels) -> Array3<f32> {
    let (height, width) = train_ids.dim();
    let mut planes = Array3::zeros((unknown.num_channels(), height, width));
    for ((y, x), &train_id) in train_ids.indexed_iter() {
        // What is no class is beyond the last one's channel, if there is a channel.
        let channel = usize::from(train_id).min(NUM_CLASSES);
        if let Some(value) = planes.get_mut((channel, y, x)) {
            *value = 1.0;
        }
    }
    planes
}

/// Returns the noise of an item, independent normal draws that depend on the seed and on its names alone.
///
/// `shape` is one length or three, of which the draws are `(1, 1, length)` or `(channels, height, width)`.
#[must_use]
pub fn item_noise(seed: u64, (content, style): (&str, &str), shape: &[usize]) -> Array3<f32> {
    let shape = match *shape {
        [channels, height, width] => (channels, height, width),
        _ => (1, 1, shape.iter().product()),
    };
    // No name has a slash in it.
    standard_normal(seed, &format!("item/{style}/{content}"), 0, shape)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use shared::dataset::classes::UNKNOWN;

    use super::*;

    const UNIT: ValueRange = ValueRange {
        black: -1.0,
        white: 1.0,
    };

    #[test]
    fn every_byte_survives_every_range() {
        let bytes: Vec<u8> = (0..=255).flat_map(|byte| [byte; 3]).collect();
        let image = Array3::from_shape_vec((16, 16, 3), bytes).unwrap();
        for (black, white) in [
            (-1.0, 1.0),
            (0.0, 1.0),
            (0.0, 255.0),
            (-127.5, 127.5),
            (-65_535.0, 0.001),
            (0.0, 0.001),
        ] {
            let range = ValueRange { black, white };
            let planes = to_range(image.view(), range);
            assert!(planes.is_standard_layout());
            let bytes = from_range(planes.view(), range).unwrap();
            assert!(bytes.is_standard_layout());
            assert_eq!(bytes, image, "{range:?}");
        }
        let planes = to_range(array![[[0, 255, 0]]].view(), UNIT);
        assert_eq!(planes, array![[[-1.0]], [[1.0]], [[-1.0]]]);
    }

    #[test]
    fn values_outside_the_range_are_black_and_white_and_what_is_no_number_is_no_pixel() {
        let planes = array![[[-3.0]], [[2.0]], [[0.0]]];
        let image = from_range(planes.view(), UNIT).unwrap();
        assert_eq!(image, array![[[0, 255, 128]]]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let planes = array![[[-3.0]], [[bad]], [[0.0]]];
            let error = from_range(planes.view(), UNIT).unwrap_err();
            assert_eq!((error.num_bad, error.num_values), (1, 3));
        }
    }

    #[test]
    fn a_pixel_has_one_channel_and_one_of_no_class_the_last_or_none() {
        let train_ids = array![[0, 18, 19, UNKNOWN]];
        for (unknown, channels) in [
            (UnknownPixels::Zeros, [Some(0), Some(18), None, None]),
            (
                UnknownPixels::Channel,
                [Some(0), Some(18), Some(19), Some(19)],
            ),
        ] {
            let planes = one_hot(train_ids.view(), unknown);
            assert_eq!(planes.dim(), (unknown.num_channels(), 1, 4));
            for (x, channel) in channels.into_iter().enumerate() {
                for (at, &value) in planes.slice(ndarray::s![.., 0, x]).iter().enumerate() {
                    assert_eq!(value == 1.0, channel == Some(at), "{unknown:?}: {x}, {at}");
                    assert!(value == 0.0 || value == 1.0);
                }
            }
        }
    }

    #[test]
    fn noise_is_another_one_for_each_seed_content_and_style() {
        let draws = [
            item_noise(1, ("a", "b"), &[4, 8, 8]),
            item_noise(2, ("a", "b"), &[4, 8, 8]),
            item_noise(1, ("b", "a"), &[4, 8, 8]),
            item_noise(1, ("a", "a"), &[4, 8, 8]),
        ];
        for (i, draw) in draws.iter().enumerate() {
            assert!(draws[..i].iter().all(|other| other != draw), "{i}");
        }
        assert_eq!(draws[0], item_noise(1, ("a", "b"), &[4, 8, 8]));
        let vector = item_noise(1, ("a", "b"), &[256]);
        assert_eq!(vector.dim(), (1, 1, 256));
        assert!(vector.iter().eq(draws[0].iter()), "the draws are in order");
    }
}

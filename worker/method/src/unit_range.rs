//! Pixels to the range of the model and back.
//!
//! **Source:** diffusers' `VaeImageProcessor`.
//! **Differs:** nothing.

use ndarray::{Array3, ArrayView3};

use super::finite::{NotFinite, Quantity};

/// Returns `x / 127.5 - 1` of an image `(height, width, 3)`, as `(3, height, width)` in that order in memory.
pub fn to_unit_range(image: ArrayView3<u8>) -> Array3<f32> {
    // A map keeps the order of its input in memory, so the order is changed first.
    let planes = image.permuted_axes([2, 0, 1]);
    let planes = planes.as_standard_layout();
    planes.mapv(|value| f32::from(value) / 127.5 - 1.0)
}

/// Returns the image `(height, width, 3)` of a decoder's output `(3, height, width)`.
///
/// Values are clamped to -1..=1 and rounded half to even.
///
/// # Errors
///
/// [`NotFinite`] if a value is NaN or infinite: no pixel is made of it.
pub fn from_unit_range(planes: ArrayView3<f32>) -> Result<Array3<u8>, NotFinite> {
    Quantity::DecodedImage.check(planes)?;
    let pixels = planes.permuted_axes([1, 2, 0]);
    let pixels = pixels.as_standard_layout();
    // Clamped and finite, so that it is a byte.
    let byte = |value: f32| ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    Ok(pixels.mapv(byte))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn every_byte_survives_the_range_of_the_model() {
        let bytes: Vec<u8> = (0..=255).flat_map(|byte| [byte; 3]).collect();
        let image = Array3::from_shape_vec((16, 16, 3), bytes).unwrap();
        let planes = to_unit_range(image.view());
        assert!(planes.is_standard_layout());
        let bytes = from_unit_range(planes.view()).unwrap();
        assert!(bytes.is_standard_layout());
        assert_eq!(bytes, image);
    }

    #[test]
    fn values_outside_the_range_are_clamped() {
        let planes = array![[[-3.0]], [[2.0]], [[0.0]]];
        assert_eq!(
            from_unit_range(planes.view()).unwrap(),
            array![[[0, 255, 128]]]
        );
    }

    #[test]
    fn no_pixel_is_made_of_what_is_no_number() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let planes = array![[[-3.0]], [[bad]], [[0.0]]];
            let error = from_unit_range(planes.view()).unwrap_err();
            assert_eq!((error.num_bad, error.num_values), (1, 3));
        }
    }
}

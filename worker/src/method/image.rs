//! Images on their way into and out of the model: crop, resize, and the range of the VAE.
//!
//! **Source:** Pillow's `Image.crop` and `Image.resize`; diffusers' `VaeImageProcessor`.
//! **Differs:** nothing.

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView, ArrayView2, ArrayView3, Axis, Dimension, Slice};
use thiserror::Error;

use super::finite::{NotFinite, Quantity};
use super::resample::bicubic;

/// A width and a height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
}

/// An image that has no pixels, or is to have none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "cannot resize {}x{} to {}x{}: a side is zero",
    from.width, from.height, to.width, to.height
)]
pub struct ResizeError {
    from: Size,
    to: Size,
}

/// The columns and rows that a crop keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CropBox {
    /// The columns.
    pub columns: Range<usize>,
    /// The rows.
    pub rows: Range<usize>,
}

impl CropBox {
    /// Returns the centre of an image of size `from` in the proportions of `to`.
    ///
    /// The side that is cropped is first cut down to a whole number; the box around the centre may then
    /// begin at half a pixel, and each of its edges is rounded half to even.
    pub fn centred(from: Size, to: Size) -> Self {
        let is_wider = from.width * to.height > from.height * to.width;
        if is_wider {
            Self {
                columns: centred(from.width, from.height * to.width / to.height),
                rows: 0..from.height,
            }
        } else {
            Self {
                columns: 0..from.width,
                rows: centred(from.height, from.width * to.height / to.width),
            }
        }
    }

    /// Returns the size of what is kept.
    pub fn size(&self) -> Size {
        Size {
            width: self.columns.len(),
            height: self.rows.len(),
        }
    }
}

/// Returns the middle `kept` of `full`, each edge rounded half to even.
fn centred(full: usize, kept: usize) -> Range<usize> {
    let half_to_even = |doubled: usize| {
        let below = doubled / 2;
        below + (doubled % 2) * (below % 2)
    };
    half_to_even(full - kept)..half_to_even(full + kept)
}

/// Returns the centre of `image` in the proportions of `to`; the first axes are rows and columns.
pub fn crop_centre<D: Dimension>(image: ArrayView<'_, u8, D>, to: Size) -> ArrayView<'_, u8, D> {
    let from = Size {
        width: image.len_of(Axis(1)),
        height: image.len_of(Axis(0)),
    };
    let kept = CropBox::centred(from, to);
    let mut image = image;
    image.slice_axis_inplace(Axis(0), Slice::from(kept.rows));
    image.slice_axis_inplace(Axis(1), Slice::from(kept.columns));
    image
}

/// Returns an image `(height, width, channels)` at another size, by antialiased bicubic convolution.
///
/// # Errors
///
/// [`ResizeError`] if either size is empty.
pub fn resize_bicubic(image: ArrayView3<u8>, to: Size) -> Result<Array3<u8>, ResizeError> {
    let (height, width, _) = image.dim();
    let from = Size { width, height };
    if [width, height, to.width, to.height].contains(&0) {
        return Err(ResizeError { from, to });
    }
    Ok(bicubic(image, to.height, to.width))
}

/// Returns an image of one channel `(height, width)` at another size; each pixel takes the nearest.
pub fn resize_nearest(image: ArrayView2<u8>, to: Size) -> Array2<u8> {
    let (height, width) = image.dim();
    let rows = nearest(height, to.height);
    let columns = nearest(width, to.width);
    Array2::from_shape_fn((to.height, to.width), |(y, x)| image[(rows[y], columns[x])])
}

/// Returns an RGB image `(height, width, 3)` at another size; each pixel takes the nearest.
pub fn resize_nearest_rgb(image: ArrayView3<u8>, to: Size) -> Array3<u8> {
    let (height, width, channels) = image.dim();
    let rows = nearest(height, to.height);
    let columns = nearest(width, to.width);
    Array3::from_shape_fn((to.height, to.width, channels), |(y, x, channel)| {
        image[(rows[y], columns[x], channel)]
    })
}

/// Returns for each of `to` positions the nearest of `from`, summing up steps exactly as Pillow does.
fn nearest(from: usize, to: usize) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let mut position = step * 0.5;
    let mut indices = Vec::with_capacity(to);
    for _ in 0..to {
        indices.push((position as usize).min(from.saturating_sub(1)));
        position += step;
    }
    indices
}

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
    let byte = |value: f32| ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    Ok(pixels.mapv(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    const fn size(width: usize, height: usize) -> Size {
        Size { width, height }
    }

    // top = (1052 - 1914 / 2) / 2 = 47.5; tuple(map(round, (47.5, 1052 - 47.5))) == (48, 1004)
    #[test]
    fn a_crop_at_half_pixels_rounds_half_to_even() {
        let kept = CropBox::centred(size(1914, 1052), size(1024, 512));
        assert_eq!(kept.columns, 0..1914);
        assert_eq!(kept.rows, 48..1004);
        let kept = CropBox::centred(size(1001, 250), size(2, 1));
        assert_eq!((kept.columns, kept.rows), (250..750, 0..250));
        let kept = CropBox::centred(size(2048, 1024), size(2, 1));
        assert_eq!((kept.columns, kept.rows), (0..2048, 0..1024));
    }

    #[test]
    fn the_nearest_pixel_is_that_under_the_centre() {
        let image = array![[0, 1, 2, 3, 4]];
        assert_eq!(resize_nearest(image.view(), size(2, 1)), array![[1, 3]]);
        assert_eq!(
            resize_nearest(image.view(), size(10, 1)),
            array![[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]]
        );
    }

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

    #[test]
    fn an_empty_image_is_an_error_and_not_a_panic() {
        let image = Array3::zeros((0, 4, 3));
        let error = resize_bicubic(image.view(), size(4, 2)).unwrap_err();
        assert!(error.to_string().contains("a side is zero"));
    }
}

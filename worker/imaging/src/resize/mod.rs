//! Images at the size of the model: crop and resize.
//!
//! **Source:** Pillow's `Image.crop` and `Image.resize`.
//! **Differs:** nothing.

mod bicubic;

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView, ArrayView2, ArrayView3, Axis, Dimension, Slice};
use thiserror::Error;

use bicubic::bicubic;

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
pub(crate) fn resize_nearest(image: ArrayView2<u8>, to: Size) -> Array2<u8> {
    let (height, width) = image.dim();
    let rows = nearest(height, to.height);
    let columns = nearest(width, to.width);
    Array2::from_shape_fn((to.height, to.width), |(y, x)| image[(rows[y], columns[x])])
}

/// Returns pixels `(height, width, bytes of a pixel)` at another size; each takes the nearest.
pub(crate) fn resize_nearest_pixels(image: ArrayView3<u8>, to: Size) -> Array3<u8> {
    let (height, width, bytes) = image.dim();
    let rows = nearest(height, to.height);
    let columns = nearest(width, to.width);
    Array3::from_shape_fn((to.height, to.width, bytes), |(y, x, byte)| {
        image[(rows[y], columns[x], byte)]
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
    fn an_empty_image_is_an_error_and_not_a_panic() {
        let image = Array3::zeros((0, 4, 3));
        let error = resize_bicubic(image.view(), size(4, 2)).unwrap_err();
        assert!(error.to_string().contains("a side is zero"));
    }
}

//! Antialiased bicubic resampling of 8-bit images, equal to Pillow's to the last bit.
//!
//! Equal and not merely close: a label of colours is matched exactly after it was resampled, and a
//! colour that is off by one matches no class.
//!
//! **Source:** Pillow's `src/libImaging/Resample.c`.
//! **Differs:** nothing for images without transparency.

use ndarray::{Array3, ArrayView3};

/// The bits of a weight behind the binary point.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// How far the bicubic kernel reaches, in pixels of the coarser image.
const SUPPORT: f64 = 2.0;

/// The source pixels of one target pixel along one axis, and their weights in fixed point.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// Returns an image `(height, width, channels)` with `width` columns and then `height` rows.
///
/// No side may be zero.
pub(super) fn bicubic(image: ArrayView3<u8>, height: usize, width: usize) -> Array3<u8> {
    let (from_height, from_width, channels) = image.dim();
    let mut pixels: Vec<u8> = image.iter().copied().collect();
    if width != from_width {
        pixels = columns(
            &pixels,
            from_width * channels,
            channels,
            &windows(from_width, width),
        );
    }
    if height != from_height {
        pixels = rows(&pixels, width * channels, &windows(from_height, height));
    }
    Array3::from_shape_vec((height, width, channels), pixels).expect("each pixel was made once")
}

/// Returns rows of new columns; `stride` is the length of a row of `pixels`.
fn columns(pixels: &[u8], stride: usize, channels: usize, windows: &[Window]) -> Vec<u8> {
    let mut resampled = Vec::with_capacity(pixels.len() / stride * windows.len() * channels);
    for row in pixels.chunks_exact(stride) {
        for Window { first, weights } in windows {
            let source = &row[first * channels..(first + weights.len()) * channels];
            for channel in 0..channels {
                let values = source[channel..].iter().step_by(channels);
                let products = values
                    .zip(weights)
                    .map(|(&value, weight)| i32::from(value) * weight);
                resampled.push(rounded(HALF + products.sum::<i32>()));
            }
        }
    }
    resampled
}

/// Returns new rows; `stride` is the length of a row of `pixels`.
fn rows(pixels: &[u8], stride: usize, windows: &[Window]) -> Vec<u8> {
    let mut resampled = Vec::with_capacity(windows.len() * stride);
    let mut sums = vec![0; stride];
    for Window { first, weights } in windows {
        sums.fill(HALF);
        let source = pixels[first * stride..].chunks_exact(stride);
        for (row, weight) in source.zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        resampled.extend(sums.iter().map(|&sum| rounded(sum)));
    }
    resampled
}

/// One half, in fixed point.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn rounded(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Returns the window of each of `to` pixels over `from` pixels.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = SUPPORT * stretch;
    let window = |target: usize| {
        let centre = (target as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let weight = |source: usize| kernel((source as f64 - centre + 0.5) * (1.0 / stretch));
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: &f64| {
            let scaled = weight / sum * f64::from(1 << PRECISION_BITS);
            (scaled + 0.5_f64.copysign(scaled)) as i32
        };
        Window {
            first,
            weights: weights.iter().map(fixed).collect(),
        }
    };
    (0..to).map(window).collect()
}

/// The cubic convolution kernel with `a = -1/2`.
fn kernel(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Image.fromarray(np.array([[0, 10, 200, 255, 30, 60, 90]], np.uint8)).resize((3, 1), BICUBIC)
    // and .resize((10, 1), BICUBIC)
    #[test]
    fn a_row_is_resampled_as_in_pillow() {
        let row = Array3::from_shape_vec((1, 7, 1), vec![0, 10, 200, 255, 30, 60, 90]).unwrap();
        let smaller: Vec<u8> = bicubic(row.view(), 1, 3).into_iter().collect();
        let larger: Vec<u8> = bicubic(row.view(), 1, 10).into_iter().collect();
        assert_eq!(smaller, [46, 171, 61]);
        assert_eq!(larger, [0, 0, 48, 193, 255, 187, 26, 47, 76, 92]);
    }

    #[test]
    fn a_flat_image_stays_flat_at_any_size() {
        let image = Array3::from_elem((37, 53, 3), 142);
        for (height, width) in [(1, 1), (5, 8), (37, 20), (64, 128)] {
            let resampled = bicubic(image.view(), height, width);
            assert_eq!(resampled, Array3::from_elem((height, width, 3), 142));
        }
    }
}

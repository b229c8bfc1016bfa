//! Cells of an image, as a network divides it, and the pixels between their centres.
//!
//! A pixel is a blend of the four cells whose centres are around it, by its distances from them; beyond the outermost
//! centres it is as at them.
//!
//! **Source:** bilinear upsampling with half-pixel centres, as in PyTorch (`align_corners = False`).
//! **Differs:** nothing.

/// The two cells of an axis that a pixel is between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Between {
    /// The cell before it.
    pub(super) low: usize,
    /// The cell after it, which is the same at the end.
    pub(super) high: usize,
    /// The share of the cell after it, 0 to 1.
    pub(super) share: f32,
}

/// Returns where each pixel of an axis lies among its cells.
pub(super) fn between(num_pixels: usize, num_cells: usize) -> Vec<Between> {
    let cells_of_pixel = num_cells as f64 / num_pixels as f64;
    let place = |pixel| {
        let place = ((pixel as f64 + 0.5) * cells_of_pixel - 0.5).max(0.0);
        let low = (place.floor() as usize).min(num_cells - 1);
        Between {
            low,
            high: (low + 1).min(num_cells - 1),
            share: (place - low as f64) as f32,
        }
    };
    (0..num_pixels).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // torch.nn.functional.interpolate(torch.tensor([[[0., 1., 2.]]]), size=6, mode="linear")
    #[test]
    fn pixels_blend_the_cells_around_them_and_are_as_the_last_one_at_the_edge() {
        let at = |place: Between| place.low as f32 + place.share * (place.high - place.low) as f32;
        let found: Vec<f32> = between(6, 3).into_iter().map(at).collect();
        assert_eq!(found, [0.0, 0.25, 0.75, 1.25, 1.75, 2.0]);
        // More cells than pixels: none is blended in that is not beside a pixel.
        let found: Vec<f32> = between(2, 5).into_iter().map(at).collect();
        assert_eq!(found, [0.75, 3.25]);
        assert_eq!(between(1, 1)[0].high, 0);
    }
}

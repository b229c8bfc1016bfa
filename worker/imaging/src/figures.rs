//! The metrics that are computed from the pixels of two images alone.

use ndarray::ArrayView3;
use shared::item_metric::{ItemMetric, PerMetric};

use crate::ssim::{SsimError, ssim};

/// Why two images have no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FigureError {
    /// Their structural similarity cannot be computed.
    #[error(transparent)]
    Ssim(#[from] SsimError),
}

/// Computes a figure of an image compared with another, both `(height, width, channels)`.
type Compute = fn(ArrayView3<'_, u8>, ArrayView3<'_, u8>) -> Result<f64, FigureError>;

/// What computes each metric that no network gives.
const COMPUTED: [(ItemMetric, Compute); 1] = [(ItemMetric::Ssim, similarity)];

/// Returns the figures of two images `(height, width, channels)`; none of the metrics that networks give.
///
/// # Errors
///
/// [`FigureError`] if they cannot be compared, such as two of different sizes.
pub fn figures_of_pixels(
    first: ArrayView3<'_, u8>,
    second: ArrayView3<'_, u8>,
) -> Result<PerMetric<Option<f64>>, FigureError> {
    let mut figures = PerMetric::default();
    for (metric, compute) in COMPUTED {
        figures[metric] = Some(compute(first, second)?);
    }
    Ok(figures)
}

fn similarity(first: ArrayView3<'_, u8>, second: ArrayView3<'_, u8>) -> Result<f64, FigureError> {
    Ok(ssim(first, second)?)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn every_metric_without_a_network_is_computed_and_can_be_what_it_is() {
        let image = Array3::from_shape_fn((16, 16, 3), |(y, x, _)| u8::try_from(y * x).unwrap());
        let figures = figures_of_pixels(image.view(), image.view()).unwrap();
        for (metric, figure) in figures.iter() {
            assert_eq!(figure.is_some(), metric.network().is_none(), "{metric:?}");
            assert!(figure.is_none_or(|figure| metric.range().contains(&figure)));
        }
    }

    #[test]
    fn images_of_different_sizes_have_no_figures() {
        let (small, large) = (
            Array3::<u8>::zeros((16, 16, 3)),
            Array3::<u8>::zeros((16, 17, 3)),
        );
        let error = figures_of_pixels(small.view(), large.view()).unwrap_err();
        assert!(error.to_string().contains("their sizes differ"), "{error}");
    }
}

//! Methods without a model, for the others to be compared with: what is measured of a style's pixels is lent to a content.
//!
//! - `reinhard`: mean and spread in the colour space of `lab`; `histogram`: distributions of levels; `fda`: amplitudes of
//!   low frequencies
//!
//! Images are `(height, width, 3)` in sRGB.

mod fda;
mod histogram;
mod lab;
mod reinhard;

use ndarray::{Array3, ArrayView3};
use shared::settings::{Baseline, BaselineConfig, defaults};

use self::fda::Amplitudes;
use self::histogram::Histograms;
use self::reinhard::Moments;

/// What a baseline takes of a style.
#[derive(Debug, Clone)]
pub struct StyleStatistics(Statistics);

#[derive(Debug, Clone)]
enum Statistics {
    /// Of `identity`: contents stay as they are.
    Nothing,
    /// Of `reinhard`.
    Moments(Moments),
    /// Of `histogram`.
    Histograms(Box<Histograms>),
    /// Of `fda`.
    Amplitudes(Amplitudes),
}

impl StyleStatistics {
    /// Returns what a baseline takes of a style.
    #[must_use]
    pub fn of(style: ArrayView3<u8>, config: &BaselineConfig) -> Self {
        Self(match config.method {
            Baseline::Identity => Statistics::Nothing,
            Baseline::Reinhard => Statistics::Moments(Moments::of(style)),
            Baseline::Histogram => Statistics::Histograms(Box::new(Histograms::of(style))),
            Baseline::Fda => {
                let beta = config.beta.unwrap_or(defaults::BETA);
                Statistics::Amplitudes(Amplitudes::of(style, beta))
            }
        })
    }

    /// Returns a content with them.
    #[must_use]
    pub fn lent_to(&self, content: ArrayView3<u8>) -> Array3<u8> {
        match &self.0 {
            Statistics::Nothing => content.as_standard_layout().into_owned(),
            Statistics::Moments(moments) => moments.lent_to(content),
            Statistics::Histograms(histograms) => histograms.lent_to(content),
            Statistics::Amplitudes(amplitudes) => amplitudes.lent_to(content),
        }
    }
}

/// Returns the level that a value is nearest to; a half is rounded up.
fn level(value: f64) -> u8 {
    // Clamped, so that it is a byte.
    value.clamp(0.0, 255.0).round() as u8
}

//! Noise of an image: drawn from the run's seed, or given by the caller.

use ndarray::{Array3, Array4, Axis};

use method::denoise::NoiseSource;
use method::noise::standard_normal;
use shared::model::ImageSize;

/// Independent normal draws that depend on seed, image and schedule index alone.
#[derive(Debug, Clone)]
pub struct DrawnNoise {
    seed: u64,
    image_id: String,
    shape: (usize, usize, usize),
}

impl DrawnNoise {
    /// Returns the noise of an image whose latent has the given size.
    #[must_use]
    pub fn new(seed: u64, image_id: String, size: ImageSize, channels: usize) -> Self {
        Self {
            seed,
            image_id,
            shape: (channels, size.latent_height, size.latent_width),
        }
    }
}

impl NoiseSource for DrawnNoise {
    fn noise(&self, index: usize) -> Array3<f32> {
        standard_normal(self.seed, &self.image_id, index, self.shape)
    }
}

/// Noise from a file, `(steps, channels, height, width)`.
#[derive(Debug, Clone)]
pub struct GivenNoise(pub Array4<f32>);

impl NoiseSource for GivenNoise {
    fn noise(&self, index: usize) -> Array3<f32> {
        self.0.index_axis(Axis(0), index).to_owned()
    }
}

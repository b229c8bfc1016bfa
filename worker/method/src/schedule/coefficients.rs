//! The formulas at one index of a schedule, as factors.

use shared::model::PredictionType;

/// The coefficients of one index: every formula is a weighted sum of latents.
#[derive(Clone, Debug)]
pub(super) struct Coefficients {
    pub(super) timestep: usize,
    /// `noised = signal * latent + noise * draw`
    pub(super) signal: f32,
    pub(super) noise: f32,
    /// `mean = mean_x * x + mean_prediction * prediction`
    pub(super) mean_x: f32,
    pub(super) mean_prediction: f32,
}

impl Coefficients {
    pub(super) fn new(
        timestep: usize,
        abar: f64,
        abar_prev: f64,
        predicted: PredictionType,
    ) -> Self {
        let variance = (1.0 - abar_prev) / (1.0 - abar) * (1.0 - abar / abar_prev);
        let (signal, noise) = (abar.sqrt(), (1.0 - abar).sqrt());
        let mean_x = (abar_prev / abar).sqrt();
        let direction = (1.0 - abar_prev - variance).max(0.0).sqrt();
        let mean_noise = direction - mean_x * noise;
        let (mean_x, mean_prediction) = match predicted {
            PredictionType::Epsilon => (mean_x, mean_noise),
            // The noise is `signal * velocity + noise * x`.
            PredictionType::VPrediction => (mean_x + mean_noise * noise, mean_noise * signal),
        };
        Self {
            timestep,
            signal: signal as f32,
            noise: noise as f32,
            mean_x: mean_x as f32,
            mean_prediction: mean_prediction as f32,
        }
    }

    /// Returns whether every formula gives numbers, and a signal and noise are left to divide by.
    pub(super) fn are_finite(&self) -> bool {
        let all = [self.signal, self.noise, self.mean_x, self.mean_prediction];
        self.signal > 0.0 && self.noise > 0.0 && all.iter().all(|factor| factor.is_finite())
    }
}

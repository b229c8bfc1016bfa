//! What a trained model says of its schedule, and how much of a signal that leaves at each timestep.

use serde::{Deserialize, Serialize};
use shared::model::PredictionType;

use super::ScheduleError;

/// The constants of a trained model's schedule, named as in diffusers' `scheduler_config.json`.
///
/// `beta_schedule` is `scaled_linear`, `timestep_spacing` is `leading`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleConstants {
    /// The number of timesteps that the model was trained on.
    pub num_train_timesteps: usize,
    /// The variance of the first timestep.
    pub beta_start: f64,
    /// The variance of the last timestep.
    pub beta_end: f64,
    /// What is added to every timestep.
    pub steps_offset: usize,
    /// Whether the timestep before the first has no noise at all; else it has as much as the first.
    pub set_alpha_to_one: bool,
    /// What the model predicts.
    pub prediction_type: PredictionType,
}

/// Returns the products of `1 - beta`, with `sqrt(beta)` evenly spaced.
pub(super) fn alphas_cumprod(constants: &ScheduleConstants) -> Result<Vec<f64>, ScheduleError> {
    let &ScheduleConstants {
        num_train_timesteps,
        beta_start,
        beta_end,
        ..
    } = constants;
    let is_variance = |beta: f64| beta > 0.0 && beta < 1.0;
    if !is_variance(beta_start) || !is_variance(beta_end) {
        return Err(ScheduleError::Betas {
            beta_start,
            beta_end,
        });
    }
    let (first, last) = (beta_start.sqrt(), beta_end.sqrt());
    let intervals = (num_train_timesteps - 1).max(1) as f64;
    let mut product = 1.0;
    Ok((0..num_train_timesteps)
        .map(|timestep| {
            let root = first + (last - first) * (timestep as f64 / intervals);
            product *= 1.0 - root * root;
            product
        })
        .collect())
}

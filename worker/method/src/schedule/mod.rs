//! The noise schedule: DDIM with eta = 1, and its edit-friendly inversion.
//!
//! A schedule index counts the `steps` timesteps from the noisiest to the cleanest; the first
//! `skip` of them are never executed. With `t` the timestep of an index,
//! `mean(x, e) = sqrt(abar_prev) * (x - sqrt(1 - abar) * e) / sqrt(abar) + sqrt(1 - abar_prev - variance) * e`,
//! where `abar` is `alphas_cumprod[t]` and `e` the noise in `x`. A model predicts that, or the velocity `v`, of which it is
//! `sqrt(abar) * v + sqrt(1 - abar) * x`: the mean is a weighted sum of `x` and the prediction all the same.
//!
//! - `constants`: what the model says; `coefficients`: the formulas at an index
//! - `error`: why a schedule cannot be made
//!
//! **Source:** Song et al. 2021, eq. 12 and 16 (arXiv:2010.02502); Salimans and Ho 2022, section 4 (arXiv:2202.00512);
//! Huberman-Spiegelglas et al. 2024, eq. 5 and 6 (arXiv:2304.06140).
//! **Differs:** the last noise map is zero, as in the released CACTIF code; the coefficients are made
//! in double precision.

mod coefficients;
mod constants;
mod error;
#[cfg(test)]
mod tests;

use ndarray::{Array3, ArrayView3, Zip};

use self::coefficients::Coefficients;
pub use self::constants::ScheduleConstants;
use self::constants::alphas_cumprod;
pub use self::error::ScheduleError;

/// The least of a signal, and of noise, at a timestep: the method divides by their roots. Stable Diffusion's are
/// 0.0047 and 0.00085.
const MIN_SHARE: f64 = 1e-6;

/// The timesteps of a run and the formulas at each of them.
#[derive(Clone, Debug)]
pub struct Schedule {
    skip: usize,
    coefficients: Vec<Coefficients>,
}

impl Schedule {
    /// Returns the schedule of `steps` timesteps, of which the first `skip` are not executed.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`] if no index would be executed or the constants do not fit `steps`.
    pub fn new(
        constants: &ScheduleConstants,
        steps: usize,
        skip: usize,
    ) -> Result<Self, ScheduleError> {
        let &ScheduleConstants {
            num_train_timesteps,
            beta_start,
            beta_end,
            steps_offset,
            set_alpha_to_one,
            prediction_type,
        } = constants;
        if steps == 0 || steps > num_train_timesteps {
            return Err(ScheduleError::Steps {
                steps,
                num_train_timesteps,
            });
        }
        if skip >= steps {
            return Err(ScheduleError::Skip { skip, steps });
        }
        let stride = num_train_timesteps / steps;
        // However large the offset is, it is refused below.
        let first = ((steps - 1) * stride).saturating_add(steps_offset);
        if first >= num_train_timesteps {
            return Err(ScheduleError::Offset {
                steps,
                steps_offset,
                first,
                num_train_timesteps,
            });
        }
        let alphas_cumprod = alphas_cumprod(constants)?;
        let before_first = if set_alpha_to_one {
            1.0
        } else {
            alphas_cumprod[0]
        };

        let coefficients = (0..steps)
            .rev()
            .map(|multiple| {
                let timestep = multiple * stride + steps_offset;
                let abar = alphas_cumprod[timestep];
                let abar_prev = timestep
                    .checked_sub(stride)
                    .map_or(before_first, |previous| alphas_cumprod[previous]);
                let at = Coefficients::new(timestep, abar, abar_prev, prediction_type);
                let degenerate = || ScheduleError::Degenerate {
                    beta_start,
                    beta_end,
                    num_train_timesteps,
                    signal: abar,
                    timestep,
                };
                let leaves_enough = (MIN_SHARE..=1.0 - MIN_SHARE).contains(&abar);
                let is_usable = leaves_enough && at.are_finite();
                is_usable.then_some(at).ok_or_else(degenerate)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { skip, coefficients })
    }

    /// Returns the number of indices, executed or not.
    pub fn steps(&self) -> usize {
        self.coefficients.len()
    }

    /// Returns the number of indices that are not executed.
    pub fn skip(&self) -> usize {
        self.skip
    }

    /// Returns the number of executed steps.
    pub fn num_executed(&self) -> usize {
        self.steps() - self.skip
    }

    /// Returns the schedule index of an executed step.
    pub fn index(&self, step: usize) -> usize {
        self.skip + step
    }

    /// Returns the timestep that the model is given at `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not less than [`Schedule::steps`]; so do the methods below.
    pub fn timestep(&self, index: usize) -> usize {
        self.coefficients[index].timestep
    }

    /// Returns `latent` with as much of `noise` as belongs to `index`; at index `steps`, `latent` itself.
    pub fn noised(
        &self,
        latent: ArrayView3<f32>,
        noise: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        if index == self.steps() {
            return latent.to_owned();
        }
        let at = &self.coefficients[index];
        weighted_sum(at.signal, latent, at.noise, noise)
    }

    /// Returns the mean of the next latent, given the latent `x` and what the model predicts of it.
    pub fn mean(
        &self,
        x: ArrayView3<f32>,
        prediction: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        let at = &self.coefficients[index];
        weighted_sum(at.mean_x, x, at.mean_prediction, prediction)
    }

    /// Returns the noise map `x_next - mean`, which is `sigma * z`; at the last index, zero.
    pub fn noise_map(
        &self,
        x: ArrayView3<f32>,
        x_next: ArrayView3<f32>,
        prediction: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        if index + 1 == self.steps() {
            return Array3::zeros(x.raw_dim());
        }
        &x_next - &self.mean(x, prediction, index)
    }

    /// Returns the next latent: the mean plus a noise map of [`Schedule::noise_map`].
    pub fn ddpm_step(
        &self,
        x: ArrayView3<f32>,
        prediction: ArrayView3<f32>,
        noise_map: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        self.mean(x, prediction, index) + noise_map
    }
}

fn weighted_sum(a: f32, x: ArrayView3<f32>, b: f32, y: ArrayView3<f32>) -> Array3<f32> {
    Zip::from(x).and(y).map_collect(|x, y| a * x + b * y)
}

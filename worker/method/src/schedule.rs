//! The noise schedule: DDIM with eta = 1, and its edit-friendly inversion.
//!
//! A schedule index counts the `steps` timesteps from the noisiest to the cleanest; the first
//! `skip` of them are never executed. With `t` the timestep of an index,
//! `mean(x, e) = sqrt(abar_prev) * (x - sqrt(1 - abar) * e) / sqrt(abar) + sqrt(1 - abar_prev - variance) * e`,
//! where `abar` is `alphas_cumprod[t]` and `e` a noise prediction.
//!
//! **Source:** Song et al. 2021, eq. 12 and 16 (arXiv:2010.02502); Huberman-Spiegelglas et al. 2024,
//! eq. 5 and 6 (arXiv:2304.06140).
//! **Differs:** the last noise map is zero, as in the released CACTIF code; the coefficients are made
//! in double precision.

use ndarray::{Array3, ArrayView3, Zip};
use serde::{Deserialize, Serialize};
use thiserror::Error;

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
}

/// A schedule that cannot be made.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ScheduleError {
    /// More steps than timesteps, or none.
    #[error("steps ({steps}) must be between 1 and num_train_timesteps ({num_train_timesteps})")]
    Steps {
        /// The steps asked for.
        steps: usize,
        /// The timesteps of the model, the most there can be.
        num_train_timesteps: usize,
    },
    /// Nothing would be executed.
    #[error("skip ({skip}) must be less than steps ({steps})")]
    Skip {
        /// The indices to skip.
        skip: usize,
        /// The steps asked for.
        steps: usize,
    },
    /// The noisiest timestep does not exist.
    #[error(
        "steps ({steps}) with steps_offset ({steps_offset}) begin at timestep {first}, \
         which num_train_timesteps ({num_train_timesteps}) does not reach"
    )]
    Offset {
        /// The steps asked for.
        steps: usize,
        /// The offset of the constants.
        steps_offset: usize,
        /// The noisiest timestep.
        first: usize,
        /// The number of timesteps.
        num_train_timesteps: usize,
    },
    /// A timestep has no formula that is worth anything: next to no signal is left of an image, or next to no noise.
    #[error(
        "beta_start ({beta_start}) and beta_end ({beta_end}) over {num_train_timesteps} timesteps leave {signal} of a \
         signal at timestep {timestep}, and the method divides by it and by what it lacks to 1"
    )]
    Degenerate {
        /// The first beta.
        beta_start: f64,
        /// The last beta.
        beta_end: f64,
        /// The number of timesteps.
        num_train_timesteps: usize,
        /// `alphas_cumprod` at the timestep.
        signal: f64,
        /// The timestep.
        timestep: usize,
    },
    /// The betas are no variances.
    #[error("beta_start ({beta_start}) and beta_end ({beta_end}) must lie between 0 and 1")]
    Betas {
        /// The first beta.
        beta_start: f64,
        /// The last beta.
        beta_end: f64,
    },
}

/// The least of a signal, and of noise, at a timestep: the method divides by their roots. Stable Diffusion's are
/// 0.0047 and 0.00085.
const MIN_SHARE: f64 = 1e-6;

/// The coefficients of one index: every formula is a weighted sum of latents.
#[derive(Clone, Debug)]
struct Coefficients {
    timestep: usize,
    /// `noised = signal * latent + noise * draw`
    signal: f32,
    noise: f32,
    /// `mean = mean_x * x + mean_noise * noise_pred`
    mean_x: f32,
    mean_noise: f32,
}

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
                let at = Coefficients::new(timestep, abar, abar_prev);
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

    /// Returns the mean of the next latent, given the latent `x` and its noise prediction.
    pub fn mean(
        &self,
        x: ArrayView3<f32>,
        noise_pred: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        let at = &self.coefficients[index];
        weighted_sum(at.mean_x, x, at.mean_noise, noise_pred)
    }

    /// Returns the noise map `x_next - mean`, which is `sigma * z`; at the last index, zero.
    pub fn noise_map(
        &self,
        x: ArrayView3<f32>,
        x_next: ArrayView3<f32>,
        noise_pred: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        if index + 1 == self.steps() {
            return Array3::zeros(x.raw_dim());
        }
        &x_next - &self.mean(x, noise_pred, index)
    }

    /// Returns the next latent: the mean plus a noise map of [`Schedule::noise_map`].
    pub fn ddpm_step(
        &self,
        x: ArrayView3<f32>,
        noise_pred: ArrayView3<f32>,
        noise_map: ArrayView3<f32>,
        index: usize,
    ) -> Array3<f32> {
        self.mean(x, noise_pred, index) + noise_map
    }
}

impl Coefficients {
    fn new(timestep: usize, abar: f64, abar_prev: f64) -> Self {
        let variance = (1.0 - abar_prev) / (1.0 - abar) * (1.0 - abar / abar_prev);
        let mean_x = (abar_prev / abar).sqrt();
        let direction = (1.0 - abar_prev - variance).max(0.0).sqrt();
        Self {
            timestep,
            signal: abar.sqrt() as f32,
            noise: (1.0 - abar).sqrt() as f32,
            mean_x: mean_x as f32,
            mean_noise: (direction - mean_x * (1.0 - abar).sqrt()) as f32,
        }
    }
}

impl Coefficients {
    fn are_finite(&self) -> bool {
        let all = [self.signal, self.noise, self.mean_x, self.mean_noise];
        self.signal > 0.0 && self.noise > 0.0 && all.iter().all(|factor| factor.is_finite())
    }
}

/// Returns the products of `1 - beta`, with `sqrt(beta)` evenly spaced.
fn alphas_cumprod(constants: &ScheduleConstants) -> Result<Vec<f64>, ScheduleError> {
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

fn weighted_sum(a: f32, x: ArrayView3<f32>, b: f32, y: ArrayView3<f32>) -> Array3<f32> {
    Zip::from(x).and(y).map_collect(|x, y| a * x + b * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stable_diffusion() -> ScheduleConstants {
        ScheduleConstants {
            num_train_timesteps: 1000,
            beta_start: 0.00085,
            beta_end: 0.012,
            steps_offset: 1,
            set_alpha_to_one: false,
        }
    }

    // betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    // torch.cumprod(1 - betas, 0)[[0, 1, 500, 999]]
    #[test]
    fn cumulative_alphas_are_torchs() {
        let alphas = alphas_cumprod(&stable_diffusion()).unwrap();
        for (timestep, expected) in [
            (0, 0.99915),
            (1, 0.998_296_027_838),
            (500, 0.276_332_683_823),
            (999, 0.004_660_098_513),
        ] {
            let alpha: f64 = alphas[timestep];
            assert!((alpha - expected).abs() < 1e-11, "{timestep}: {alpha}");
        }
    }

    #[test]
    fn fifty_steps_end_at_timestep_one() {
        let schedule = Schedule::new(&stable_diffusion(), 50, 30).unwrap();
        assert_eq!(schedule.timestep(0), 981);
        assert_eq!(schedule.timestep(1), 961);
        assert_eq!(schedule.timestep(49), 1);
        assert_eq!(schedule.num_executed(), 20);
        assert_eq!(schedule.index(0), 30);
    }

    #[test]
    fn refused_settings_name_both_values() {
        let refused = |steps, skip| {
            let error = Schedule::new(&stable_diffusion(), steps, skip).unwrap_err();
            error.to_string()
        };
        assert_eq!(refused(10, 10), "skip (10) must be less than steps (10)");
        assert_eq!(
            refused(0, 0),
            "steps (0) must be between 1 and num_train_timesteps (1000)"
        );
        assert!(refused(1000, 0).contains("begin at timestep 1000"));
    }

    #[test]
    fn a_schedule_whose_formulas_are_not_finite_is_refused() {
        for (beta_start, beta_end, steps_offset, words) in [
            (0.9, 0.99, 1, "of a signal at timestep"),
            (0.00085, 0.99, 1, "of a signal at timestep"),
            (1e-18, 1e-18, 1, "leave 1 of a signal at timestep"),
            (f64::NAN, 0.012, 1, "must lie between 0 and 1"),
            (0.00085, 1.0, 1, "must lie between 0 and 1"),
            (0.00085, 0.012, usize::MAX, "does not reach"),
        ] {
            let constants = ScheduleConstants {
                beta_start,
                beta_end,
                steps_offset,
                ..stable_diffusion()
            };
            let error = Schedule::new(&constants, 50, 30).unwrap_err().to_string();
            assert!(error.contains(words), "{beta_start}, {beta_end}: {error}");
        }
    }
}

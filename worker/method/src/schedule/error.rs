//! Why a schedule cannot be made.

use thiserror::Error;

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

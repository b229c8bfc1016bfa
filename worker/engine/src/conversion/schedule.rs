//! The noise schedule that a model was trained with.

use method::schedule::ScheduleConstants;
use shared::model::ModelContract;

/// Returns the constants of a model's noise schedule.
#[must_use]
pub fn schedule_constants(contract: &ModelContract) -> ScheduleConstants {
    let schedule = &contract.model.schedule;
    ScheduleConstants {
        num_train_timesteps: schedule.num_train_timesteps,
        beta_start: schedule.beta_start,
        beta_end: schedule.beta_end,
        steps_offset: schedule.steps_offset,
        set_alpha_to_one: schedule.set_alpha_to_one,
        prediction_type: schedule.prediction_type,
    }
}

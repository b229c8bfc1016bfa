//! Schedules of Stable Diffusion, and constants that make none.

use ndarray::array;
use shared::model::PredictionType;

use super::*;

fn stable_diffusion() -> ScheduleConstants {
    ScheduleConstants {
        num_train_timesteps: 1000,
        beta_start: 0.00085,
        beta_end: 0.012,
        steps_offset: 1,
        set_alpha_to_one: false,
        prediction_type: PredictionType::Epsilon,
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

// scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
//                           set_alpha_to_one=False, steps_offset=1, prediction_type="v_prediction")
// scheduler.alphas_cumprod = ...  # those above, in float64
// scheduler.set_timesteps(50)
// scheduler.step(v, scheduler.timesteps[index], x, eta=1.0, variance_noise=torch.zeros(2)).prev_sample
#[test]
fn the_mean_of_a_predicted_velocity_is_diffusers() {
    let constants = ScheduleConstants {
        prediction_type: PredictionType::VPrediction,
        ..stable_diffusion()
    };
    let schedule = Schedule::new(&constants, 50, 30).unwrap();
    let (x, velocity) = (array![[[0.5, -1.25]]], array![[[0.75, 0.3]]]);
    for (index, expected) in [
        (0, [0.432_018_014, -1.118_547_653]),
        (30, [0.434_927_235, -1.226_252_900]),
        (49, [0.484_263_897, -1.255_674_652]),
    ] {
        let mean = schedule.mean(x.view(), velocity.view(), index);
        for (found, expected) in mean.iter().zip(expected) {
            let apart: f64 = f64::from(*found) - expected;
            assert!(apart.abs() < 2e-6, "{index}: {found}");
        }
    }
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

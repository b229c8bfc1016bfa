//! What of a GPU's memory is taken, and what becomes of a run that finds too little of it.

use tests::project::Project;

use crate::{ENVIRONMENT, Machine, STEPS, converted, counted};

#[test]
fn further_images_take_neither_memory_nor_another_stream() {
    let (few, many) = (converted(1, 2, &[]), converted(4, 2, &[]));
    assert!(many.launches > few.launches, "{many:?} {few:?}");
    assert_eq!(many.allocations, few.allocations);
    assert_eq!(many.peak_bytes, few.peak_bytes);
    // Weights come by streams that end with it; everything else is on the default stream.
    assert_eq!(many.on_other_streams, few.on_other_streams);
    assert_eq!(many.streams, few.streams);
}

#[test]
fn keys_and_values_of_styles_leave_the_gpu_only_beyond_their_limit() {
    let there = converted(1, 1, &[]);
    let here = converted(1, 1, &[("engine.style_bank_device_max_bytes", 0)]);
    // Six layers of the golden model: keys and values of a step that injects.
    let (tokens, width) = ([512, 128], [16, 32]);
    let of_a_step: u64 = (0..2)
        .map(|size| 3 * 2 * 4 * tokens[size] * width[size])
        .sum();
    assert_eq!(here.to_host_bytes - there.to_host_bytes, of_a_step);
    assert_eq!(here.to_device_bytes - there.to_device_bytes, of_a_step);
    assert_eq!(here.streams, there.streams);
}

#[test]
fn styles_leave_a_gpu_that_runs_out_of_memory_and_the_run_goes_on() {
    let (contents, styles, all_steps) = (1, 3, ("method.skip", 0));
    let steps = ("method.steps", 20);
    let outside = ("engine.style_bank_device_max_bytes", 0);
    let least = converted(contents, styles, &[steps, all_steps, outside]).peak_bytes;
    let mut project = Project::new(contents, styles);
    for (key, value) in [steps, all_steps] {
        project.set(key, value);
    }
    let machine = Machine {
        memory_bytes: Some(least),
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(0);
    let said = "keys and values of styles leave it";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert_eq!(project.rows().len(), contents * styles);
}

/// Outputs are evaluated one after the other, so as many as there are need what one needs.
#[test]
fn three_outputs_share_a_pass_on_a_gpu_that_holds_one() {
    let outside = ("engine.style_bank_device_max_bytes", 0);
    let of_one = converted(1, 1, &[outside]).peak_bytes;
    let mut project = Project::new(1, 3);
    let machine = Machine {
        memory_bytes: Some(of_one + of_one / 20),
        ..Machine::new()
    };
    let _ = machine.run(&mut project).exits(0);
    assert_eq!(project.rows().len(), 3);
    let work = project.rows().into_iter().filter_map(|row| row.work);
    let evaluations: f64 = work.map(|work| work.unet_evaluations).sum();
    let of_one_pass = (STEPS + 3 * (STEPS - 1)) as f64;
    assert!((evaluations - of_one_pass).abs() < 1e-9, "{evaluations}");
}

#[test]
fn a_library_that_runs_out_of_memory_costs_styles_their_place_and_no_image() {
    let (contents, styles) = (1, 2);
    let whole = converted(contents, styles, &[]);
    for (library, calls, status) in [
        // CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, and on the host
        ("cudnnBackendExecute", whole.executions, 4004),
        ("cudnnBackendExecute", whole.executions, 4003),
        // CUBLAS_STATUS_ALLOC_FAILED
        ("cublas", whole.products, 3),
    ] {
        let mut project = Project::new(contents, styles);
        let machine = Machine::on_which_fails(library, calls, status);
        let outcome = machine.run(&mut project).exits(0);
        let said = "the device is out of memory";
        assert!(
            outcome.stderr.contains(said),
            "{library} {status}: {outcome}"
        );
        assert_eq!(project.rows().len(), contents * styles);
    }
}

#[test]
fn what_cudnn_asks_for_beside_its_tensors_is_bounded_by_the_settings() {
    let mut project = Project::new(1, 1);
    let limit = 256 << 20;
    project.set("engine.device_max_bytes", limit);
    let workspace = |bytes: u64| Machine {
        workspace_bytes: Some(bytes),
        ..Machine::new()
    };
    let outcome = workspace(1 << 30).run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:0 cannot be used", "memory to spare"]);
    assert!(project.stored_nothing());
    assert!(counted(&project).peak_bytes < limit as u64);
    let _ = workspace(64 << 20).run(&mut project).exits(0);
    let peak = counted(&project).peak_bytes;
    assert!(peak > 64 << 20 && peak < limit as u64, "{peak}");
}

#[test]
fn memory_that_the_settings_forbid_is_not_taken() {
    let mut project = Project::new(1, 1);
    let limit = 8 << 20;
    project.set("engine.device_max_bytes", limit);
    let outcome = Machine::new().run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:0 cannot be used", "memory to spare"]);
    assert!(project.stored_nothing());
    assert!(counted(&project).peak_bytes < 2 * limit as u64);
}

#[test]
fn a_gpu_whose_memory_is_taken_is_refused_before_anything_is_stored() {
    let mut project = Project::new(1, 1);
    let machine = Machine {
        memory_bytes: Some(8 << 20),
        ..Machine::new()
    };
    let outcome = machine.run(&mut project).exits(ENVIRONMENT);
    outcome.complains_about(&["device cuda:0 cannot be used", "memory to spare"]);
    assert!(project.stored_nothing());
}

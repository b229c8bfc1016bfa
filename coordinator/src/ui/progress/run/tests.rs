//! Time and steps that are left, as items and steps come.

use shared::failure::FailureClass;
use shared::ids::{ItemId, ShardId};
use shared::manifest::RowOrigin;
use shared::platform::Platform;

use super::*;

const STEPS: usize = 20;
/// Outputs are their content at the first step.
const EACH: Evaluations = Evaluations {
    style: 15,
    content: STEPS,
    output: STEPS - 1,
};

/// Returns the row of an item whose content had so many outputs.
fn row(style: &str, outputs: f64) -> ManifestRow {
    let origin = RowOrigin {
        run: "demo".parse().unwrap(),
        shard: ShardId(0),
        attempt: 1,
        worker: "worker".to_owned(),
        device: "cpu".to_owned(),
        platform: Platform::default(),
        seed: 0,
        config_hash: String::new(),
        model_sha256: String::new(),
    };
    let item = ItemId {
        style: style.to_owned(),
        content: "00001".to_owned(),
    };
    let then = jiff::Timestamp::UNIX_EPOCH;
    let work = Work {
        unet_evaluations: EACH.output as f64 + EACH.content as f64 / outputs,
        denoise_ms: 3_000.0 + 10_000.0 / outputs,
        content_ms: Some(10_000.0 / outputs),
        style_ms: Some(0.0),
        ..Work::default()
    };
    ManifestRow {
        work: Some(work),
        ..ManifestRow::new(origin, item, (then, then))
    }
}

/// Returns the row of an item that cannot be made.
fn lost(class: FailureClass) -> ManifestRow {
    ManifestRow {
        work: None,
        ..row("lost", 1.0).not_done(Status::Quarantined, class, "no picture".to_owned())
    }
}

fn progress(contents: f64, outputs: f64) -> RunProgress {
    RunProgress::new(Beginning {
        num_items: outputs as usize,
        already: 0,
        found: 0,
        left: Workload {
            styles: 0.0,
            contents,
            outputs,
        },
        evaluations: EACH,
        steps_per_item: STEPS,
    })
}

#[test]
fn what_is_left_takes_what_contents_and_outputs_took_each() {
    // Two contents with two outputs, and then four with one.
    let progress = progress(6.0, 8.0);
    assert_eq!(known_left(&progress.left), None);
    for style in ["a", "b", "c", "d"] {
        progress.item(&row(style, 2.0));
    }
    let left = Duration::from_secs(4 * (10 + 3));
    assert_eq!(known_left(&progress.left), Some(left));
    // Half an output, with its part of a content.
    (0..STEPS / 2).for_each(|_| progress.output_step());
    assert!(known_left(&progress.left).unwrap() < left);
    for _ in 0..STEPS / 2 {
        progress.output_step();
    }
    progress.item(&row("a", 1.0));
    let left = Duration::from_secs(3 * (10 + 3));
    assert_eq!(known_left(&progress.left), Some(left));
}

#[test]
fn what_will_not_be_made_is_not_waited_for() {
    let progress = progress(2.0, 2.0);
    progress.item(&row("a", 1.0));
    assert_eq!(
        known_left(&progress.left),
        Some(Duration::from_secs(10 + 3))
    );
    progress.item(&lost(FailureClass::BadInput));
    assert_eq!(known_left(&progress.left), Some(Duration::ZERO));
}

#[test]
fn a_rate_is_told_from_the_first_image_on_that_was_made() {
    let progress = progress(3.0, 3.0);
    progress.item(&lost(FailureClass::BadInput));
    assert_eq!(progress.bar.message(), "1 of 3 images, 1 not convertible");
    progress.item(&row("a", 1.0));
    let told = progress.bar.message();
    assert!(
        told.starts_with("2 of 3 images, 1 not convertible  "),
        "{told}"
    );
    assert!(told.ends_with(" images/min"), "{told}");
}

#[test]
fn an_item_that_is_lost_after_its_steps_leaves_none_of_them_to_the_others() {
    let progress = progress(3.0, 3.0);
    progress.item(&row("a", 1.0));
    let position = progress.bar.position();
    for _ in 0..STEPS {
        progress.output_step();
    }
    progress.item(&lost(FailureClass::BadOutput));
    let left = Duration::from_secs(10 + 3);
    assert_eq!(known_left(&progress.left), Some(left));
    assert_eq!(progress.bar.position() - position, STEPS as u64);
}

#[test]
fn steps_of_a_pass_that_is_made_again_count_once() {
    let progress = progress(3.0, 3.0);
    progress.item(&row("a", 1.0));
    let position = progress.bar.position();
    for steps in [STEPS / 2, STEPS] {
        progress.begin(Stage::OutputStep);
        for _ in 0..steps {
            progress.output_step();
        }
    }
    progress.item(&row("b", 1.0));
    let left = Duration::from_secs(10 + 3);
    assert_eq!(known_left(&progress.left), Some(left));
    assert_eq!(progress.bar.position() - position, STEPS as u64);
}

#[test]
fn steps_of_a_style_that_is_recorded_again_count_once() {
    let progress = progress(1.0, 1.0);
    let steps = |steps: usize| {
        progress.begin(Stage::StyleStep);
        (0..steps).for_each(|_| progress.style_step());
        progress.bar.position()
    };
    assert_eq!(steps(EACH.style - 5), (EACH.style - 5) as u64);
    assert_eq!(steps(EACH.style), EACH.style as u64);
    assert_eq!(steps(EACH.style), 2 * EACH.style as u64, "the next style");
    // What was not recorded to its end is left out, and outputs of others are made.
    let position = steps(5);
    progress.begin(Stage::OutputStep);
    assert_eq!(steps(EACH.style), position + EACH.style as u64);
}

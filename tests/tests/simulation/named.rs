//! Histories that matter, each under the name of what it shows.

use crate::history::{Step, play, play_until};
use crate::storage::Fault;

#[test]
fn a_run_that_nobody_disturbs_ends() {
    play(&[Step::Join(0)]);
}

#[test]
fn a_worker_that_dies_over_every_step_of_a_shard_loses_nothing() {
    for milliseconds in (0..400).step_by(3) {
        play(&[Step::Join(0), Step::Pass(milliseconds), Step::Crash(0)]);
    }
}

#[test]
fn a_shard_delivered_twice_is_committed_once() {
    play(&[
        Step::ResumeMissing,
        Step::Join(0),
        Step::Join(1),
        Step::Pass(1_000),
        Step::RestartBroker,
        Step::Join(2),
    ]);
}

#[test]
fn a_write_that_took_effect_and_was_reported_as_failed_is_found_done() {
    let mut history = vec![Step::Join(0)];
    for _ in 0..12 {
        history.extend([Step::FailWrite(Fault::After), Step::Pass(60)]);
    }
    play(&history);
}

#[test]
fn an_outage_of_storage_costs_a_shard_no_more_than_one_attempt() {
    play(&[
        Step::Join(0),
        Step::Outage(200),
        Step::Pass(3_600_000),
        Step::Join(1),
    ]);
}

#[test]
fn a_cancelled_run_is_taken_up_again() {
    play(&[
        Step::Join(0),
        Step::Pass(200),
        Step::Cancel,
        Step::Pass(60_000),
        Step::ResumeMissing,
        Step::Pass(500),
        Step::Cancel,
    ]);
}

#[test]
fn a_failure_whose_record_took_effect_and_was_reported_as_not_stored_counts_once() {
    let history = [
        Step::Join(0),
        Step::FailWrite(Fault::Before),
        Step::Pass(21),
        Step::FailWrite(Fault::Before),
        Step::FailWrite(Fault::After),
        Step::Pass(991),
    ];
    play(&history);
    let counted = play_until(&history, |ledger| ledger.num_failed_attempts());
    assert!(counted <= 2, "{counted} attempts counted");
}

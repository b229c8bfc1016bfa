//! Histories that matter, each under the name of what it shows.

use crate::history::{Step, play, play_until};
use crate::storage::Fault;
use crate::world::MAX_WORKERS;

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
    let history = [
        Step::Join(0),
        Step::Outage(60),
        Step::Pass(7_200_000),
        Step::Join(1),
        Step::Pass(60_000),
    ];
    play(&history);
    let counted = play_until(&history, |ledger| {
        let attempts = ledger.failed_attempts.iter();
        // The cursed content is in the second shard of each group of styles.
        let others = attempts.filter(|(shard, _)| shard.0 % 3 != 1);
        others
            .map(|(_, attempts)| attempts.len())
            .collect::<Vec<_>>()
    });
    assert_eq!(counted, [1], "the shard in hand, and no other");
}

#[test]
fn a_worker_told_to_stop_before_it_could_record_the_last_failure_gives_the_shard_back() {
    // At some of these moments the cursed shard fails for the last time, and its record meets the outage.
    for milliseconds in (0..1500).step_by(10) {
        play(&[
            Step::Join(0),
            Step::Pass(milliseconds),
            Step::Outage(200),
            Step::Pass(300),
            Step::Drain(0),
        ]);
    }
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

#[test]
fn quarantined_items_that_are_mended_are_made_whatever_happens_meanwhile() {
    for milliseconds in (0..600).step_by(20) {
        play(&[
            Step::Join(0),
            Step::Join(1),
            Step::Pass(2_000),
            Step::Mend,
            Step::ResumeQuarantined,
            Step::Pass(milliseconds),
            Step::FailWrite(Fault::After),
            Step::ResumeQuarantined,
            Step::RestartBroker,
            Step::Crash(0),
        ]);
    }
}

#[test]
fn a_retry_whose_message_was_lost_is_found_in_storage() {
    play(&[
        Step::Join(0),
        Step::Pass(60_000),
        Step::ResumeQuarantined,
        Step::LoseBroker,
        Step::Mend,
    ]);
}

#[test]
fn a_shard_that_is_made_before_and_after_its_inputs_were_mended_has_one_row_for_each_item() {
    for milliseconds in (0..400).step_by(10) {
        play(&[
            Step::Join(0),
            Step::Pass(milliseconds),
            Step::Mend,
            Step::RestartBroker,
            Step::Join(1),
            Step::Pass(1_000),
        ]);
    }
}

#[test]
fn a_clock_that_is_set_in_the_middle_of_a_shard_changes_nothing() {
    let (hour, day) = (3600, 24 * 3600);
    for ahead in [-hour, day, -day] {
        play(&[
            Step::Collect,
            Step::Join(0),
            Step::Join(1),
            Step::Pass(60),
            Step::SetClock(0, ahead),
            Step::Pass(60),
            Step::SetClock(MAX_WORKERS, -ahead),
            Step::Pass(60),
            Step::SetClock(0, 0),
        ]);
    }
}

//! What workers say of themselves and their shards.

use std::collections::{BTreeMap, BTreeSet};

use shared::ids::{ItemId, RunId, ShardId};
use shared::queue::message::EventKind;

use super::{at, event, heartbeat, in_hand, now};
use crate::work::collector::fleet::{Fleet, FleetChange, WorkerState};

fn state(fleet: &mut Fleet, second: u64) -> Option<WorkerState> {
    fleet.states(at(second)).first().copied()
}

#[test]
fn a_worker_works_waits_falls_silent_and_is_forgotten() {
    let mut fleet = Fleet::default();
    fleet.apply_event(&heartbeat(Some(in_hand())), at(100));
    assert_eq!(state(&mut fleet, 101), Some(WorkerState::Working));
    fleet.apply_event(&heartbeat(None), at(105));
    assert_eq!(state(&mut fleet, 125), Some(WorkerState::Waiting));
    assert_eq!(state(&mut fleet, 126), Some(WorkerState::Silent));
    assert_eq!(state(&mut fleet, 105 + 3601), None);
}

#[test]
fn items_count_until_their_shard_is_committed() {
    let mut fleet = Fleet::default();
    let run = in_hand().run;
    fleet.apply_event(&heartbeat(Some(in_hand())), at(0));
    let ended = EventKind::ItemEnded {
        run: run.clone(),
        shard: ShardId(7),
        item: ItemId {
            style: "night".to_owned(),
            content: "1".to_owned(),
        },
    };
    fleet.apply_event(&event(ended), at(1));
    let work = &fleet.in_hand(&run, now(1))[&ShardId(7)];
    assert_eq!(work.items_ended, 2);
    let committed = EventKind::ShardCommitted {
        run: run.clone(),
        shard: ShardId(7),
        done: 2,
        not_done: 0,
    };
    fleet.apply_event(&event(committed), at(2));
    assert_eq!(fleet.in_hand(&run, now(2)), BTreeMap::new());
}

#[test]
fn being_alive_is_no_news_and_what_else_is_heard_is() {
    let mut fleet = Fleet::default();
    let work = heartbeat(Some(in_hand()));
    let runs: BTreeSet<RunId> = [in_hand().run].into();
    let heard = |is_news| FleetChange {
        runs: runs.clone(),
        is_news,
    };
    assert_eq!(fleet.apply_event(&work, at(0)), heard(true));
    assert_eq!(fleet.apply_event(&work, at(5)), heard(false));
    assert_eq!(
        fleet.apply_event(&work, at(60)),
        heard(true),
        "it was silent"
    );
    let idle = heartbeat(None);
    assert_eq!(
        fleet.apply_event(&idle, at(65)),
        heard(true),
        "it let its shard go"
    );
    assert_eq!(fleet.apply_event(&idle, at(70)), FleetChange::default());
}

#[test]
fn a_drain_that_nobody_took_can_be_asked_for_again() {
    let mut fleet = Fleet::default();
    fleet.apply_event(&heartbeat(None), at(0));
    fleet.drain("a", at(0));
    for second in [600, 601] {
        fleet.apply_event(&heartbeat(None), at(second));
        fleet.states(at(second));
        let drained_at = fleet.workers(now(second))[0].drained_at;
        assert_eq!(drained_at.is_some(), second == 600);
    }
}

#[test]
fn a_worker_that_speaks_after_its_end_was_started_anew() {
    let mut fleet = Fleet::default();
    fleet.apply_event(&heartbeat(None), at(0));
    fleet.drain("a", at(1));
    let reason = "it was told to".to_owned();
    fleet.apply_event(&event(EventKind::WorkerStopped { reason }), at(2));
    assert_eq!(state(&mut fleet, 3), Some(WorkerState::Stopped));
    fleet.apply_event(&heartbeat(None), at(4));
    assert_eq!(state(&mut fleet, 5), Some(WorkerState::Waiting));
    assert_eq!(fleet.workers(now(5))[0].drained_at, None);
}

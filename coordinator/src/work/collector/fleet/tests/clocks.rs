//! Clocks that are set to anything, of workers and of this machine.

use std::time::Duration;

use jiff::Timestamp;
use shared::clock::passed;
use shared::ids::{ItemId, ShardId};
use shared::queue::message::{Event, EventKind, ShardInHand};

use super::{at, heartbeat, in_hand, now, wall};
use crate::work::collector::fleet::{Fleet, Now, WorkerState};

const DAY: i64 = 24 * 3600;

#[test]
fn a_clock_that_is_set_back_or_forward_makes_no_worker_silent_and_keeps_none_alive() {
    let mut fleet = Fleet::default();
    fleet.apply_event(&heartbeat(Some(in_hand())), at(100));
    for set_to in [
        wall(100 - 3600),
        wall(100 + DAY),
        Timestamp::MIN,
        Timestamp::MAX,
    ] {
        let moment = |second| Now {
            going: at(second),
            wall: set_to,
        };
        let worker = &fleet.workers(moment(105))[0];
        assert_eq!(worker.state, WorkerState::Working);
        let ago = passed(worker.heard_at, set_to);
        assert!(ago <= Duration::from_secs(5), "{ago:?}");
        assert_eq!(fleet.workers(moment(121))[0].state, WorkerState::Silent);
    }
    assert_eq!(fleet.states(at(100 + 3600)).len(), 1);
    assert_eq!(fleet.states(at(100 + 3601)), []);
}

#[test]
fn a_worker_whose_clock_differs_by_a_day_has_its_shard_for_as_long_as_it_does() {
    for ahead in [-DAY, 0, DAY] {
        let mut fleet = Fleet::default();
        // It took the shard up 30 seconds before it was heard first.
        let told = |second: i64| Event {
            at: wall(second + ahead),
            ..heartbeat(Some(ShardInHand {
                since: wall(70 + ahead),
                ..in_hand()
            }))
        };
        assert!(fleet.apply_event(&told(100), at(100)).is_news);
        assert!(!fleet.apply_event(&told(105), at(105)).is_news);
        let worker = &fleet.workers(now(110))[0];
        assert_eq!(worker.state, WorkerState::Working);
        assert_eq!(worker.heard_at, wall(105));
        assert_eq!(worker.work.as_ref().unwrap().since, wall(70), "{ahead}");
        let held = &fleet.in_hand(&in_hand().run, now(110))[&ShardId(7)];
        assert_eq!(held.since, wall(70), "{ahead}");
    }
}

#[test]
fn a_shard_that_is_told_of_before_it_was_taken_up_was_taken_up_when_it_is_heard_of() {
    let mut fleet = Fleet::default();
    let event = Event {
        at: Timestamp::MIN,
        ..heartbeat(Some(ShardInHand {
            since: Timestamp::MAX,
            items_ended: u32::MAX,
            ..in_hand()
        }))
    };
    fleet.apply_event(&event, at(100));
    let ended = EventKind::ItemEnded {
        run: in_hand().run,
        shard: ShardId(7),
        item: ItemId {
            style: "night".to_owned(),
            content: "1".to_owned(),
        },
    };
    fleet.apply_event(&super::event(ended), at(101));
    let held = &fleet.in_hand(&in_hand().run, now(102))[&ShardId(7)];
    assert_eq!((held.since, held.items_ended), (wall(100), u32::MAX));
}

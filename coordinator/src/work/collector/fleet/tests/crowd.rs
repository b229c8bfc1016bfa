//! Invented names, which hide none that works.

use shared::ids::ShardId;
use shared::platform::Platform;
use shared::queue::message::{Event, EventKind, ShardInHand};
use shared::wording::MOST_TEXT_BYTES;

use super::{at, event, heartbeat, in_hand, now};
use crate::work::collector::fleet::room::MOST;
use crate::work::collector::fleet::{Fleet, FleetChange};

/// Returns an event of another worker.
fn of(name: &str, event: Event) -> Event {
    Event {
        worker: name.to_owned(),
        ..event
    }
}

/// Returns a fleet that is full of invented workers, each heard in a second of its own, without a shard in hand.
fn crowded() -> (Fleet, u64) {
    let mut fleet = Fleet::default();
    let end = 1000 + MOST as u64;
    for second in 1000..end {
        let name = format!("fake{second}");
        fleet.apply_event(&of(&name, heartbeat(None)), at(1000 + second % 7));
    }
    assert_eq!(fleet.workers.len(), MOST);
    (fleet, 1010)
}

#[test]
fn a_crowd_of_invented_workers_hides_none_that_works() {
    let (mut fleet, mut second) = crowded();
    let real = of("real", heartbeat(Some(in_hand())));
    assert!(fleet.apply_event(&real, at(second)).is_news);
    let waiting = of("waiting", heartbeat(None));
    assert!(fleet.apply_event(&waiting, at(second)).is_news);
    for number in 0..500 {
        if number % 100 == 0 {
            second += 1;
            fleet.apply_event(&real, at(second));
        }
        let name = format!("more{number}");
        fleet.apply_event(&of(&name, heartbeat(None)), at(second));
    }
    assert_eq!(fleet.workers.len(), MOST);
    assert!(fleet.workers.contains_key("real"));
    let held = fleet.in_hand(&in_hand().run, now(second));
    assert!(held.contains_key(&ShardId(7)));
    // One that has let its shard go is known for a worker.
    fleet.apply_event(&of("real", heartbeat(None)), at(second));
    for number in 0..500 {
        let name = format!("again{number}");
        fleet.apply_event(&of(&name, heartbeat(None)), at(second));
    }
    assert!(fleet.workers.contains_key("real"));
}

#[test]
fn those_that_are_gone_give_way_first_and_the_longest_silent_of_them() {
    let (mut fleet, second) = crowded();
    let stopped = event(EventKind::WorkerStopped {
        reason: "it was told to".to_owned(),
    });
    fleet.apply_event(&of("fake1003", stopped), at(second));
    fleet.apply_event(&of("a", heartbeat(None)), at(second));
    assert!(!fleet.workers.contains_key("fake1003"), "it has stopped");
    assert!(fleet.workers.contains_key("a"));
    // All but this one are silent by then, and those of the first second for longest.
    let later = second + 60;
    fleet.apply_event(&of("fake1002", heartbeat(None)), at(later));
    fleet.apply_event(&of("b", heartbeat(None)), at(later));
    let heard = fleet.workers.values().map(|worker| worker.heard);
    let first = heard.filter(|&heard| heard == at(1000)).count();
    let (crowd, _) = crowded();
    let heard = crowd.workers.values().map(|worker| worker.heard);
    assert_eq!(first + 1, heard.filter(|&heard| heard == at(1000)).count());
    assert!(fleet.workers.contains_key("fake1002"));
}

#[test]
fn no_worker_takes_the_place_of_one_that_works() {
    let mut fleet = Fleet::default();
    for number in 0..MOST {
        let name = format!("real{number}");
        fleet.apply_event(&of(&name, heartbeat(Some(in_hand()))), at(100));
    }
    for (work, second) in [(None, 101), (Some(in_hand()), 101), (None, 160)] {
        let told = of("a", heartbeat(work));
        assert_eq!(
            fleet.apply_event(&told, at(second)),
            FleetChange::default(),
            "{second}"
        );
    }
    // One that is silent gives way to one that works.
    let told = of("a", heartbeat(Some(in_hand())));
    assert!(fleet.apply_event(&told, at(160)).is_news);
    assert_eq!(fleet.workers.len(), MOST);
}

#[test]
fn a_name_that_no_worker_has_is_refused_and_texts_are_parts_of_a_line() {
    let mut fleet = Fleet::default();
    for name in ["", "..", "a\nb", "\u{1b}[31m", "a/b"] {
        let told = of(name, heartbeat(None));
        assert_eq!(
            fleet.apply_event(&told, at(0)),
            FleetChange::default(),
            "{name:?}"
        );
    }
    let work = ShardInHand {
        step: "denoise\n\u{202e}".to_owned(),
        ..in_hand()
    };
    let told = EventKind::Heartbeat {
        device: "cpu\u{7}".to_owned(),
        platform: Platform {
            gpu: Some("L4\u{7}".to_owned()),
            ..Platform::default()
        },
        work: Some(work),
    };
    fleet.apply_event(&event(told), at(0));
    let worker = &fleet.workers(now(0))[0];
    assert_eq!(worker.device.as_deref(), Some("cpu\\u{7}"));
    assert_eq!(worker.platform.gpu.as_deref(), Some("L4\\u{7}"));
    let work = worker.work.as_ref().unwrap();
    assert_eq!(work.step, "denoise\\n\\u{202e}");
}

#[test]
fn what_is_kept_of_an_event_is_short() {
    let mut fleet = Fleet::default();
    let long = "x".repeat(100_000);
    let mut nameless = heartbeat(None);
    nameless.worker.clone_from(&long);
    assert_eq!(fleet.apply_event(&nameless, at(0)), FleetChange::default());
    assert!(fleet.workers(now(0)).is_empty());
    fleet.apply_event(&event(EventKind::WorkerStopped { reason: long }), at(0));
    let stopped = fleet.workers(now(0))[0].stopped.clone().unwrap();
    assert!(stopped.len() <= MOST_TEXT_BYTES, "{} bytes", stopped.len());
}

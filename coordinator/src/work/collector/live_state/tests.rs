//! What is shown after each event, and when.

use std::sync::Mutex;
use std::time::Duration;

use jiff::SignedDuration;
use shared::ids::ShardId;
use shared::platform::Platform;
use shared::queue::Depth;
use shared::queue::message::{Event, EventKind, ShardInHand};

use super::*;

fn run() -> RunId {
    "demo".parse().unwrap()
}

fn heartbeat(step: &str) -> Event {
    Event {
        at: Timestamp::now(),
        worker: "a".to_owned(),
        kind: EventKind::Heartbeat {
            device: "cpu".to_owned(),
            platform: Platform::default(),
            work: Some(ShardInHand {
                run: run(),
                shard: ShardId(0),
                step: step.to_owned(),
                items_ended: 0,
                since: Timestamp::UNIX_EPOCH,
            }),
        },
    }
}

#[test]
fn pages_are_told_at_once_what_many_events_changed_and_seldom_that_nothing_did() {
    let live = LiveState::default();
    let now = Instant::now();
    let told = |seconds| {
        let before = *live.watch().borrow();
        live.flush(now + Duration::from_secs(seconds));
        live.changes_since(before)
    };
    for step in ["load", "encode", "denoise"] {
        live.apply_event(&heartbeat(step));
    }
    assert_eq!(live.changes_since(0).version, 0);
    let changes = told(0);
    assert_eq!((changes.version, changes.fleet), (1, true));
    assert_eq!(changes.runs, [run()]);
    live.apply_event(&heartbeat("denoise"));
    assert!(!told(2).fleet);
    assert!(told(11).fleet);
    assert!(!told(13).fleet);
    let silent = told(60);
    assert!(silent.fleet, "no event tells that a worker fell silent");
    assert_eq!(silent.runs, [run()]);
    assert!(!told(62).fleet);
}

#[test]
fn a_run_is_unreadable_since_its_first_trouble_until_it_can_be_read() {
    let live = LiveState::default();
    live.set_unreadable(&run(), "no plan".to_owned());
    let since = live.unreadable()[&run()].since;
    let version = *live.watch().borrow();
    live.set_unreadable(&run(), "no plan".to_owned());
    assert_eq!(*live.watch().borrow(), version);
    live.set_unreadable(&run(), "no record".to_owned());
    let trouble = live.unreadable()[&run()].clone();
    assert_eq!(
        (trouble.reason.as_str(), trouble.since),
        ("no record", since)
    );
    live.set_readable(&run());
    assert!(live.unreadable().is_empty());
    live.set_unreadable(&run(), "no plan".to_owned());
    live.set_runs(Ok(&[]));
    assert!(live.unreadable().is_empty(), "it is gone");
}

/// A clock that people set.
#[derive(Debug)]
struct SetTo(Mutex<Timestamp>);

impl SetTo {
    fn new(at: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(at)))
    }

    fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap() = at;
    }
}

impl Clock for SetTo {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[test]
fn a_clock_that_is_set_loses_no_worker_and_shows_nothing_of_another_day() {
    let noon: Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
    let clock = SetTo::new(noon);
    let live = LiveState::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    live.apply_event(&heartbeat("denoise"));
    live.flush(Instant::now());
    let version = *live.watch().borrow();
    let hour_back = noon - SignedDuration::from_hours(1);
    let day_on = noon + SignedDuration::from_hours(24);
    for now in [hour_back, day_on, Timestamp::MIN, Timestamp::MAX] {
        clock.set(now);
        live.flush(Instant::now());
        assert_eq!(*live.watch().borrow(), version, "nothing happened");
        let workers = live.workers();
        assert_eq!(workers[0].state, WorkerState::Working);
        let heard = now.duration_since(workers[0].heard_at);
        assert!(heard < SignedDuration::from_mins(1), "heard {heard} ago");
        assert_eq!(live.in_hand(&run()).len(), 1);
    }
}

#[test]
fn an_alarm_of_the_broker_is_shown_since_it_began_until_it_ends() {
    let live = LiveState::default();
    let show = |alarm: Option<&str>| {
        let before = *live.watch().borrow();
        let alarm = alarm.map(str::to_owned);
        live.set_broker("amqp://broker".to_owned(), Ok(Depth::default()), alarm);
        let alarm = live.broker().and_then(|broker| broker.alarm);
        (live.changes_since(before).health, alarm)
    };
    let (_, none) = show(None);
    assert_eq!(none, None);
    let (is_news, alarm) = show(Some("low on memory"));
    let began = alarm.unwrap();
    assert!(is_news);
    assert_eq!(began.reason, "low on memory");
    let (_, alarm) = show(Some("low on memory"));
    assert_eq!(alarm, Some(began));
    assert_eq!(show(None), (true, None));
    assert!(!show(None).0);
}

//! The workers, as their events tell: who is there, with which shard in hand, and who fell silent.
//!
//! Since when is measured here, from event to event: the clocks of workers may be set to anything, and so may this machine's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{Clock, earlier, passed};
use shared::ids::{MAX_NAME_BYTES, RunId, ShardId, check_name};
use shared::queue::message::{Event, EventKind, ShardInHand};
use shared::wording::{MOST_TEXT_BYTES, one_line, shortened};
use tokio::time::Instant;

/// A worker that was not heard for longer is taken for gone: it tells every five seconds that it is alive.
const SILENT_AFTER: Duration = Duration::from_secs(20);
/// A request to drain that a worker did not follow for longer has been lost: it can be made again.
const DRAIN_EXPIRES_AFTER: Duration = Duration::from_mins(10);
/// A worker that is gone for longer is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
/// Workers that are remembered at most, so that names do not fill the memory. Any client of the broker may invent some: they
/// give way to those that work.
const MOST: usize = 4096;

/// Every worker that was heard of.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    workers: BTreeMap<String, Known>,
}

/// What is known of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    device: Option<String>,
    held: Option<Held>,
    /// Whether it was ever heard to have a shard in hand.
    has_held: bool,
    heard: Instant,
    stopped: Option<String>,
    drained: Option<Instant>,
    items_ended: u64,
}

/// A shard in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    work: ShardInHand,
    /// When it was heard of first.
    heard: Instant,
    /// How long the worker had it by then, by its own clock.
    before: Duration,
}

/// A moment: by the clock that only goes on, and as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What ages are measured by.
    pub going: Instant,
    /// What time it is on the wall.
    pub wall: Timestamp,
}

/// A worker at a moment. Its times are by this machine's clock as it is set at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: WorkerState,
    /// Its device, once a heartbeat has told.
    pub device: Option<String>,
    /// The shard in its hands.
    pub work: Option<ShardInHand>,
    /// When it was heard last.
    pub heard_at: Timestamp,
    /// Why it ended, once it has said so.
    pub stopped: Option<String>,
    /// Since when it is asked to finish what it has in hand and stop.
    pub drained_at: Option<Timestamp>,
    /// Items that it was heard to end.
    pub items_ended: u64,
}

/// What an event changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetChange {
    /// The runs that the worker works on, or did.
    pub runs: BTreeSet<RunId>,
    /// Whether there is more to it than that the worker is alive.
    pub is_news: bool,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkerState {
    /// It has a shard in hand.
    Working,
    /// It waits for a shard.
    Waiting,
    /// It was not heard for too long.
    Silent,
    /// It said that it ends.
    Stopped,
}

impl Now {
    /// Returns this moment, by a clock on the wall.
    #[must_use]
    pub fn by(clock: &dyn Clock) -> Self {
        Self {
            going: Instant::now(),
            wall: clock.now(),
        }
    }

    /// Returns what time it was then, by the clock as it is set now.
    fn at(self, then: Instant) -> Timestamp {
        earlier(self.wall, self.going.saturating_duration_since(then))
    }
}

impl Held {
    /// Returns the shard, and since when the worker has it by this machine's clock.
    fn at(&self, now: Now) -> ShardInHand {
        ShardInHand {
            since: earlier(now.at(self.heard), self.before),
            ..self.work.clone()
        }
    }

    fn is_of(&self, run: &RunId, shard: ShardId) -> bool {
        self.work.run == *run && self.work.shard == shard
    }
}

impl Known {
    fn state(&self, now: Instant) -> WorkerState {
        if self.stopped.is_some() {
            WorkerState::Stopped
        } else if now.saturating_duration_since(self.heard) > SILENT_AFTER {
            WorkerState::Silent
        } else if self.held.is_some() {
            WorkerState::Working
        } else {
            WorkerState::Waiting
        }
    }

    fn at(&self, name: &str, now: Now) -> Worker {
        Worker {
            name: name.to_owned(),
            state: self.state(now.going),
            device: self.device.clone(),
            work: self.held.as_ref().map(|held| held.at(now)),
            heard_at: now.at(self.heard),
            stopped: self.stopped.clone(),
            drained_at: self.drained.map(|since| now.at(since)),
            items_ended: self.items_ended,
        }
    }

    /// Takes note of what it has in hand. A shard that it had before it has since then.
    fn holds(&mut self, work: Option<&ShardInHand>, told_at: Timestamp, now: Instant) {
        let before = self.held.take();
        self.has_held |= work.is_some();
        self.held = work.map(|work| {
            let same = before.filter(|before| {
                before.is_of(&work.run, work.shard) && before.work.since == work.since
            });
            let (heard, before) = match same {
                Some(same) => (same.heard, same.before),
                None => (now, passed(work.since, told_at)),
            };
            Held {
                work: ShardInHand {
                    step: shortened(&one_line(&work.step), MAX_NAME_BYTES),
                    ..work.clone()
                },
                heard,
                before,
            }
        });
    }

    /// Returns how much would be lost with it, as far as that is decided by how it is: less is lost first.
    fn worth(&self, now: Instant) -> Worth {
        let is_gone = match self.state(now) {
            WorkerState::Silent | WorkerState::Stopped => true,
            WorkerState::Working | WorkerState::Waiting => false,
        };
        match (self.held.is_some(), is_gone, self.has_held) {
            (true, true, _) => Worth::SilentWithShard,
            (true, false, _) => Worth::Working,
            (false, true, _) => Worth::Gone,
            (false, false, false) => Worth::NeverHeld,
            (false, false, true) => Worth::HasHeld,
        }
    }

    fn work_on(&mut self, run: &RunId, shard: ShardId) -> Option<&mut ShardInHand> {
        let held = self.held.as_mut().filter(|held| held.is_of(run, shard));
        held.map(|held| &mut held.work)
    }
}

/// What is lost with a worker that is forgotten, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It is silent or has stopped, and has no shard in hand.
    Gone,
    /// It waits, and was never heard to have a shard.
    NeverHeld,
    /// It waits, and had a shard before.
    HasHeld,
    /// It is silent, and had a shard in hand when it was heard last.
    SilentWithShard,
    /// It works.
    Working,
}

impl Fleet {
    /// Takes note of an event that was heard at a time; returns what it changed.
    pub fn apply_event(&mut self, event: &Event, now: Instant) -> FleetChange {
        if check_name(&event.worker).is_err() || !self.has_room_for(event, now) {
            return FleetChange::default();
        }
        let before = self.workers.get(&event.worker);
        let before = before.map(|worker| (worker.state(now), worker.clone()));
        self.take(event, now);
        let after = self.workers.get(&event.worker);
        let works = before.iter().map(|(_, worker)| worker).chain(after);
        let works = works.filter_map(|worker| worker.held.as_ref());
        let runs = works.map(|held| held.work.run.clone()).collect();
        let is_news = match (&before, after) {
            (Some((state, before)), Some(after)) => {
                let before = Known {
                    heard: now,
                    ..before.clone()
                };
                *state != after.state(now) || before != *after
            }
            (None, _) | (_, None) => true,
        };
        FleetChange { runs, is_news }
    }

    /// Returns whether the worker of an event is known or can be, and makes room for it if it takes that: the one is
    /// forgotten with which the least is lost, and of these the one that was not heard for longest. One that has no shard
    /// in hand takes the place of none that ever had one and is there, and one that has takes the place of none that works.
    fn has_room_for(&mut self, event: &Event, now: Instant) -> bool {
        if self.workers.len() < MOST || self.workers.contains_key(&event.worker) {
            return true;
        }
        let works = matches!(&event.kind, EventKind::Heartbeat { work: Some(_), .. });
        let most = if works {
            Worth::SilentWithShard
        } else {
            Worth::NeverHeld
        };
        let workers = self.workers.iter();
        let least = workers
            .map(|(name, worker)| (worker.worth(now), worker.heard, name))
            .min();
        let gives_way = least.filter(|&(worth, ..)| worth <= most);
        let gives_way = gives_way.map(|(_, _, name)| name.clone());
        gives_way.is_some_and(|name| self.workers.remove(&name).is_some())
    }

    fn take(&mut self, event: &Event, now: Instant) {
        let worker = self.workers.entry(event.worker.clone());
        let worker = worker.or_insert_with(|| Known {
            device: None,
            held: None,
            has_held: false,
            heard: now,
            stopped: None,
            drained: None,
            items_ended: 0,
        });
        worker.heard = now;
        // One that speaks after its end was started anew.
        if worker.stopped.take().is_some() {
            worker.drained = None;
        }
        match &event.kind {
            EventKind::Heartbeat { device, work } => {
                worker.device = Some(shortened(&one_line(device), MOST_TEXT_BYTES));
                worker.holds(work.as_ref(), event.at, now);
            }
            EventKind::ItemEnded { run, shard, .. } => {
                worker.items_ended += 1;
                if let Some(work) = worker.work_on(run, *shard) {
                    work.items_ended = work.items_ended.saturating_add(1);
                }
            }
            EventKind::ShardCommitted { run, shard, .. }
            | EventKind::AttemptFailed { run, shard, .. } => {
                if worker.work_on(run, *shard).is_some() {
                    worker.held = None;
                }
            }
            EventKind::WorkerStopped { reason } => {
                worker.held = None;
                worker.stopped = Some(shortened(&one_line(reason), MOST_TEXT_BYTES));
            }
        }
    }

    /// Notes that a worker was asked to stop.
    pub fn drain(&mut self, worker: &str, now: Instant) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.drained = Some(now);
        }
    }

    /// Forgets those that are gone for long and requests that were lost; returns how each worker is.
    pub fn states(&mut self, now: Instant) -> Vec<WorkerState> {
        let age = |then: Instant| now.saturating_duration_since(then);
        self.workers
            .retain(|_, worker| age(worker.heard) <= FORGOTTEN_AFTER);
        let workers = self.workers.values_mut();
        workers
            .map(|worker| {
                let drained = worker.drained;
                worker.drained = drained.filter(|&since| age(since) <= DRAIN_EXPIRES_AFTER);
                worker.state(now)
            })
            .collect()
    }

    /// Returns the workers at a moment, in the order of their names.
    #[must_use]
    pub fn workers(&self, now: Now) -> Vec<Worker> {
        let workers = self.workers.iter();
        workers.map(|(name, worker)| worker.at(name, now)).collect()
    }

    /// Returns the runs that a worker has a shard of in hand, also one that is silent.
    pub fn runs(&self) -> impl Iterator<Item = &RunId> {
        let held = self
            .workers
            .values()
            .filter_map(|worker| worker.held.as_ref());
        held.map(|held| &held.work.run)
    }

    /// Returns the shards of a run that are in hand.
    #[must_use]
    pub fn in_hand(&self, run: &RunId, now: Now) -> BTreeMap<ShardId, ShardInHand> {
        let working = self
            .workers
            .values()
            .filter(|worker| worker.state(now.going) == WorkerState::Working);
        let held = working.filter_map(|worker| worker.held.as_ref());
        held.filter(|held| held.work.run == *run)
            .map(|held| (held.work.shard, held.at(now)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    const DAY: i64 = 24 * 3600;

    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// Returns a time of the clock that only goes on.
    fn at(second: u64) -> Instant {
        *BEGAN + Duration::from_secs(second)
    }

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Returns a moment at which the clock on the wall is right.
    fn now(second: u64) -> Now {
        Now {
            going: at(second),
            wall: wall(second as i64),
        }
    }

    fn event(kind: EventKind) -> Event {
        Event {
            at: wall(0),
            worker: "a".to_owned(),
            kind,
        }
    }

    fn heartbeat(work: Option<ShardInHand>) -> Event {
        let device = "cpu".to_owned();
        event(EventKind::Heartbeat { device, work })
    }

    fn in_hand() -> ShardInHand {
        ShardInHand {
            run: "demo".parse().unwrap(),
            shard: ShardId(7),
            step: "denoise".to_owned(),
            items_ended: 1,
            since: wall(0),
        }
    }

    fn state(fleet: &mut Fleet, second: u64) -> Option<WorkerState> {
        fleet.states(at(second)).first().copied()
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
            work: Some(work),
        };
        fleet.apply_event(&event(told), at(0));
        let worker = &fleet.workers(now(0))[0];
        assert_eq!(worker.device.as_deref(), Some("cpu\\u{7}"));
        let work = worker.work.as_ref().unwrap();
        assert_eq!(work.step, "denoise\\n\\u{202e}");
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
            item: shared::ids::ItemId {
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
            item: shared::ids::ItemId {
                style: "night".to_owned(),
                content: "1".to_owned(),
            },
        };
        fleet.apply_event(&self::event(ended), at(101));
        let held = &fleet.in_hand(&in_hand().run, now(102))[&ShardId(7)];
        assert_eq!((held.since, held.items_ended), (wall(100), u32::MAX));
    }
}

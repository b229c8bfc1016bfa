//! The workers, as their events tell: who is there, with which shard in hand, and who fell silent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use shared::event::{Event, Happening, ShardInHand};
use shared::ids::{MAX_NAME_BYTES, RunId, ShardId};
use shared::wording::{MOST_TEXT_BYTES, shortened};

/// A worker that was not heard for longer is taken for gone: it tells every five seconds that it is alive.
const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(20);
/// A request to drain that a worker did not follow for longer has been lost: it can be made again.
const DRAIN_EXPIRES_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A worker that is gone for longer is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Workers that are remembered at most, so that nobody fills the memory with names.
const MOST: usize = 4096;

/// Every worker that was heard of.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    workers: BTreeMap<String, Worker>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Its device, once a heartbeat has told.
    pub device: Option<String>,
    /// The shard in its hands.
    pub work: Option<ShardInHand>,
    /// When it was heard last, by this machine's clock.
    pub heard_at: Timestamp,
    /// Why it ended, once it has said so.
    pub stopped: Option<String>,
    /// Since when somebody wants it to finish what it has in hand and stop.
    pub drained_at: Option<Timestamp>,
    /// Items that it was heard to end.
    pub items_ended: u64,
}

/// What an event changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
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

impl Worker {
    /// Returns how it is at a time.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> WorkerState {
        if self.stopped.is_some() {
            WorkerState::Stopped
        } else if now.duration_since(self.heard_at) > SILENT_AFTER {
            WorkerState::Silent
        } else if self.work.is_some() {
            WorkerState::Working
        } else {
            WorkerState::Waiting
        }
    }
}

impl Fleet {
    /// Takes note of an event that was heard at a time; returns what it changed.
    pub fn hear(&mut self, event: &Event, now: Timestamp) -> Heard {
        if !has_short_names(event) {
            return Heard::default();
        }
        let before = self.workers.get(&event.worker);
        if before.is_none() && self.workers.len() >= MOST {
            return Heard::default();
        }
        let before = before.map(|worker| (worker.state(now), worker.clone()));
        self.take(event, now);
        let after = self.workers.get(&event.worker);
        let works = before.iter().map(|(_, worker)| worker).chain(after);
        let works = works.filter_map(|worker| worker.work.as_ref());
        let runs = works.map(|work| work.run.clone()).collect();
        let is_news = match (&before, after) {
            (Some((state, before)), Some(after)) => {
                let before = Worker {
                    heard_at: now,
                    ..before.clone()
                };
                *state != after.state(now) || before != *after
            }
            (None, _) | (_, None) => true,
        };
        Heard { runs, is_news }
    }

    fn take(&mut self, event: &Event, now: Timestamp) {
        let worker = self.workers.entry(event.worker.clone());
        let worker = worker.or_insert_with(|| Worker {
            name: event.worker.clone(),
            device: None,
            work: None,
            heard_at: now,
            stopped: None,
            drained_at: None,
            items_ended: 0,
        });
        worker.heard_at = now;
        // Whoever speaks after its end was started anew.
        if worker.stopped.take().is_some() {
            worker.drained_at = None;
        }
        match &event.what {
            Happening::Heartbeat { device, work } => {
                worker.device = Some(shortened(device, MOST_TEXT_BYTES));
                worker.work.clone_from(work);
            }
            Happening::ItemEnded { run, shard, .. } => {
                worker.items_ended += 1;
                if let Some(work) = worker.holds(run, *shard) {
                    work.items_ended += 1;
                }
            }
            Happening::ShardCommitted { run, shard, .. }
            | Happening::AttemptFailed { run, shard, .. } => {
                if worker.holds(run, *shard).is_some() {
                    worker.work = None;
                }
            }
            Happening::WorkerStopped { reason } => {
                worker.work = None;
                worker.stopped = Some(shortened(reason, MOST_TEXT_BYTES));
            }
        }
    }

    /// Notes that somebody wants a worker to stop.
    pub fn drain(&mut self, worker: &str, now: Timestamp) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.drained_at = Some(now);
        }
    }

    /// Forgets those that are gone for long and requests that were lost; returns how each worker is.
    pub fn states(&mut self, now: Timestamp) -> Vec<WorkerState> {
        self.workers
            .retain(|_, worker| now.duration_since(worker.heard_at) <= FORGOTTEN_AFTER);
        let workers = self.workers.values_mut();
        workers
            .map(|worker| {
                let drained = worker.drained_at;
                worker.drained_at =
                    drained.filter(|&at| now.duration_since(at) <= DRAIN_EXPIRES_AFTER);
                worker.state(now)
            })
            .collect()
    }

    /// Returns the workers, in the order of their names.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// Returns the shards of a run that are in hand.
    #[must_use]
    pub fn in_hand(&self, run: &RunId, now: Timestamp) -> BTreeMap<ShardId, ShardInHand> {
        let working = self
            .workers()
            .filter(|worker| worker.state(now) == WorkerState::Working);
        let shards = working.filter_map(|worker| worker.work.as_ref());
        shards
            .filter(|work| work.run == *run)
            .map(|work| (work.shard, work.clone()))
            .collect()
    }
}

/// Returns whether names in an event are those of a worker of ours: they are kept, and nobody fills the memory with them.
fn has_short_names(event: &Event) -> bool {
    let step = match &event.what {
        Happening::Heartbeat { work, .. } => work.as_ref().map(|work| work.step.as_str()),
        Happening::ItemEnded { .. }
        | Happening::ShardCommitted { .. }
        | Happening::AttemptFailed { .. }
        | Happening::WorkerStopped { .. } => None,
    };
    let mut names = [Some(event.worker.as_str()), step].into_iter().flatten();
    names.all(|name| name.len() <= MAX_NAME_BYTES)
}

impl Worker {
    fn holds(&mut self, run: &RunId, shard: ShardId) -> Option<&mut ShardInHand> {
        let work = self.work.as_mut();
        work.filter(|work| work.run == *run && work.shard == shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn event(what: Happening) -> Event {
        Event {
            at: at(0),
            worker: "a".to_owned(),
            what,
        }
    }

    fn heartbeat(work: Option<ShardInHand>) -> Event {
        let device = "cpu".to_owned();
        event(Happening::Heartbeat { device, work })
    }

    fn in_hand() -> ShardInHand {
        ShardInHand {
            run: "demo".parse().unwrap(),
            shard: ShardId(7),
            step: "denoise".to_owned(),
            items_ended: 1,
            since: at(0),
        }
    }

    fn state(fleet: &mut Fleet, second: i64) -> Option<WorkerState> {
        fleet.states(at(second)).first().copied()
    }

    #[test]
    fn what_is_kept_of_an_event_is_short() {
        let mut fleet = Fleet::default();
        let long = "x".repeat(100_000);
        let mut nameless = heartbeat(None);
        nameless.worker.clone_from(&long);
        assert_eq!(fleet.hear(&nameless, at(0)), Heard::default());
        assert_eq!(fleet.workers().count(), 0);
        fleet.hear(&event(Happening::WorkerStopped { reason: long }), at(0));
        let stopped = fleet.workers().next().unwrap().stopped.clone().unwrap();
        assert!(stopped.len() <= MOST_TEXT_BYTES, "{} bytes", stopped.len());
    }

    #[test]
    fn a_worker_works_waits_falls_silent_and_is_forgotten() {
        let mut fleet = Fleet::default();
        fleet.hear(&heartbeat(Some(in_hand())), at(100));
        assert_eq!(state(&mut fleet, 101), Some(WorkerState::Working));
        fleet.hear(&heartbeat(None), at(105));
        assert_eq!(state(&mut fleet, 125), Some(WorkerState::Waiting));
        assert_eq!(state(&mut fleet, 126), Some(WorkerState::Silent));
        assert_eq!(state(&mut fleet, 105 + 3601), None);
    }

    #[test]
    fn items_count_until_their_shard_is_committed() {
        let mut fleet = Fleet::default();
        let run = in_hand().run;
        fleet.hear(&heartbeat(Some(in_hand())), at(0));
        let ended = Happening::ItemEnded {
            run: run.clone(),
            shard: ShardId(7),
            item: shared::ids::ItemId {
                style: "night".to_owned(),
                content: "1".to_owned(),
            },
        };
        fleet.hear(&event(ended), at(1));
        let work = &fleet.in_hand(&run, at(1))[&ShardId(7)];
        assert_eq!(work.items_ended, 2);
        let committed = Happening::ShardCommitted {
            run: run.clone(),
            shard: ShardId(7),
            done: 2,
            not_done: 0,
        };
        fleet.hear(&event(committed), at(2));
        assert_eq!(fleet.in_hand(&run, at(2)), BTreeMap::new());
    }

    #[test]
    fn being_alive_is_no_news_and_what_else_is_heard_is() {
        let mut fleet = Fleet::default();
        let work = heartbeat(Some(in_hand()));
        let runs: BTreeSet<RunId> = [in_hand().run].into();
        let heard = |is_news| Heard {
            runs: runs.clone(),
            is_news,
        };
        assert_eq!(fleet.hear(&work, at(0)), heard(true));
        assert_eq!(fleet.hear(&work, at(5)), heard(false));
        assert_eq!(fleet.hear(&work, at(60)), heard(true), "it was silent");
        let idle = heartbeat(None);
        assert_eq!(
            fleet.hear(&idle, at(65)),
            heard(true),
            "it let its shard go"
        );
        assert_eq!(fleet.hear(&idle, at(70)), Heard::default());
    }

    #[test]
    fn a_drain_that_nobody_took_can_be_asked_for_again() {
        let mut fleet = Fleet::default();
        fleet.hear(&heartbeat(None), at(0));
        fleet.drain("a", at(0));
        let drained = |fleet: &Fleet| fleet.workers().next().unwrap().drained_at;
        for second in [600, 601] {
            fleet.hear(&heartbeat(None), at(second));
            fleet.states(at(second));
            assert_eq!(drained(&fleet).is_some(), second == 600);
        }
    }

    #[test]
    fn a_worker_that_speaks_after_its_end_was_started_anew() {
        let mut fleet = Fleet::default();
        fleet.hear(&heartbeat(None), at(0));
        fleet.drain("a", at(1));
        let reason = "it was told to".to_owned();
        fleet.hear(&event(Happening::WorkerStopped { reason }), at(2));
        assert_eq!(state(&mut fleet, 3), Some(WorkerState::Stopped));
        fleet.hear(&heartbeat(None), at(4));
        assert_eq!(state(&mut fleet, 5), Some(WorkerState::Waiting));
        assert_eq!(fleet.workers().next().unwrap().drained_at, None);
    }
}

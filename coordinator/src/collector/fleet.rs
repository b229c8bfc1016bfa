//! The workers, as their events tell: who is there, with which shard in hand, and who fell silent.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use shared::event::{Event, Happening, ShardInHand};
use shared::ids::{RunId, ShardId};

/// A worker that was not heard for longer is taken for gone: it tells every five seconds that it is alive.
const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(20);
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
    /// Takes note of an event that was heard at a time.
    pub fn hear(&mut self, event: &Event, now: Timestamp) {
        if !self.workers.contains_key(&event.worker) && self.workers.len() >= MOST {
            return;
        }
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
                worker.device = Some(device.clone());
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
                worker.stopped = Some(reason.clone());
            }
        }
    }

    /// Notes that somebody wants a worker to stop.
    pub fn drain(&mut self, worker: &str, now: Timestamp) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.drained_at = Some(now);
        }
    }

    /// Forgets those that are gone for long; returns how each other one is.
    pub fn states(&mut self, now: Timestamp) -> Vec<WorkerState> {
        self.workers
            .retain(|_, worker| now.duration_since(worker.heard_at) <= FORGOTTEN_AFTER);
        let workers = self.workers.values();
        workers.map(|worker| worker.state(now)).collect()
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

//! Room for those that work, where names of workers may be invented: who is forgotten first.

use shared::queue::message::{Event, EventKind};
use tokio::time::Instant;

use super::Fleet;
use super::known::Known;
use super::worker::WorkerState;

/// Workers that are remembered at most, so that names do not fill the memory. Any client of the broker may invent some: they
/// give way to those that work.
pub(super) const MOST: usize = 4096;

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

impl Known {
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
}

impl Fleet {
    /// Returns whether the worker of an event is known or can be, and makes room for it if it takes that: the one is
    /// forgotten with which the least is lost, and of these the one that was not heard for longest. One that has no shard
    /// in hand takes the place of none that ever had one and is there, and one that has takes the place of none that works.
    pub(super) fn has_room_for(&mut self, event: &Event, now: Instant) -> bool {
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
}

//! Events of workers, and what each of them changes.

use std::collections::BTreeSet;

use shared::ids::{RunId, check_name};
use shared::platform::Platform;
use shared::queue::message::{Event, EventKind};
use shared::wording::{MOST_TEXT_BYTES, one_line, shortened};
use tokio::time::Instant;

use super::Fleet;
use super::known::Known;

/// What an event changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetChange {
    /// The runs that the worker works on, or did.
    pub runs: BTreeSet<RunId>,
    /// Whether there is more to it than that the worker is alive.
    pub is_news: bool,
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

    /// Takes note of an event of a worker that there is room for.
    fn take(&mut self, event: &Event, now: Instant) {
        let worker = self.workers.entry(event.worker.clone());
        let worker = worker.or_insert_with(|| Known {
            device: None,
            platform: Platform::default(),
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
            EventKind::Heartbeat {
                device,
                platform,
                work,
            } => {
                worker.device = Some(shortened(&one_line(device), MOST_TEXT_BYTES));
                worker.platform = platform.shown();
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
}

//! What this worker reports over the event bus: a heartbeat, and what happens in between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::clock::Clock;
use shared::manifest::ManifestRow;
use shared::platform::Platform;
use shared::queue::EventBus;
use shared::queue::message::{Event, EventKind, ShardInHand, ShardTask};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::attempt::Stage;

/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The shard that heartbeats name, shared with the task that emits them.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Option<ShardInHand>>>);

impl Shown {
    fn get(&self) -> Option<ShardInHand> {
        self.with(|shard| shard.clone())
    }

    fn with<T>(&self, change: impl FnOnce(&mut Option<ShardInHand>) -> T) -> T {
        // It is whole at any moment, also where another thread panicked.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What heartbeats say that the device computes with, shared with the task that emits them.
#[derive(Clone, Default)]
struct ShownPlatform(Arc<Mutex<Platform>>);

impl ShownPlatform {
    fn get(&self) -> Platform {
        self.locked().clone()
    }

    fn set(&self, platform: &Platform) {
        self.locked().clone_from(platform);
    }

    fn locked(&self) -> MutexGuard<'_, Platform> {
        // As in `Shown::with`.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Emits events of what happens, beside the work. It falls silent when it is dropped.
pub(super) struct EventReporter {
    clock: Arc<dyn Clock>,
    shown: Shown,
    platform: ShownPlatform,
    news: mpsc::UnboundedSender<EventKind>,
    _task: JoinSet<()>,
}

/// The shard that is worked on, as heartbeats show it.
pub(super) struct CurrentShard {
    shown: Shown,
    news: mpsc::UnboundedSender<EventKind>,
}

impl EventReporter {
    pub(super) fn start(
        worker: &str,
        device: &str,
        events: Arc<dyn EventBus>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shown = Shown::default();
        let (news, mut inbox) = mpsc::unbounded_channel();
        let (current, worker, device) = (shown.clone(), worker.to_owned(), device.to_owned());
        let times = Arc::clone(&clock);
        let platform = ShownPlatform::default();
        let known = platform.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut heart = tokio::time::interval(HEARTBEAT);
            loop {
                let kind = tokio::select! {
                    news = inbox.recv() => match news {
                        Some(news) => news,
                        None => return,
                    },
                    _ = heart.tick() => EventKind::Heartbeat {
                        device: device.clone(),
                        platform: known.get(),
                        work: current.get(),
                    },
                };
                let event = Event {
                    at: times.now(),
                    worker: worker.clone(),
                    kind,
                };
                events.emit(&event).await;
            }
        });
        Self {
            clock,
            shown,
            platform,
            news,
            _task: task,
        }
    }

    /// Has heartbeats say what the device computes with: it is known once a model is loaded there.
    pub(super) fn computes_with(&self, platform: &Platform) {
        if !platform.is_unknown() {
            self.platform.set(platform);
        }
    }

    pub(super) fn report(&self, kind: EventKind) {
        // Events are best effort: without its task there is no one to tell.
        let _ = self.news.send(kind);
    }

    /// Shows a shard from now on.
    pub(super) fn shard_started(&self, task: &ShardTask) -> CurrentShard {
        self.show(Some(ShardInHand {
            run: task.run.clone(),
            shard: task.shard,
            step: Stage::Load.as_str().to_owned(),
            items_ended: 0,
            since: self.clock.now(),
        }));
        CurrentShard {
            shown: self.shown.clone(),
            news: self.news.clone(),
        }
    }

    /// Shows no shard from now on.
    pub(super) fn shard_finished(&self) {
        self.show(None);
    }

    fn show(&self, work: Option<ShardInHand>) {
        self.shown.with(|shard| *shard = work);
    }
}

impl CurrentShard {
    pub(super) fn begins(&self, stage: Stage) {
        self.change(|work| stage.as_str().clone_into(&mut work.step));
    }

    pub(super) fn waits(&self, why: &str) {
        self.change(|work| work.step = format!("{}: {why}", Stage::Wait.as_str()));
    }

    pub(super) fn item(&self, row: &ManifestRow) {
        self.change(|work| work.items_ended += 1);
        // As in `EventReporter::report`.
        let _ = self.news.send(EventKind::ItemEnded {
            run: row.run.clone(),
            shard: row.shard,
            item: row.item.clone(),
        });
    }

    fn change(&self, change: impl FnOnce(&mut ShardInHand)) {
        self.shown.with(|shard| {
            if let Some(work) = shard {
                change(work);
            }
        });
    }

    /// Returns a shard that no heartbeat shows.
    #[cfg(test)]
    pub(super) fn unseen() -> Self {
        Self {
            shown: Shown::default(),
            news: mpsc::unbounded_channel().0,
        }
    }
}

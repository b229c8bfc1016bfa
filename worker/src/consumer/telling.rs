//! What this worker reports over the event bus: a heartbeat, and what happens in between.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::clock::Clock;
use shared::manifest::ManifestRow;
use shared::queue::EventBus;
use shared::queue::message::{Event, EventKind, ShardInHand, ShardTask};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::attempt::Part;

/// Between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);

type Shared = Arc<Mutex<Option<ShardInHand>>>;

/// Emits events of what happens, beside the work. It falls silent when it is dropped.
pub(super) struct Teller {
    clock: Arc<dyn Clock>,
    in_hand: Shared,
    news: mpsc::UnboundedSender<EventKind>,
    _task: JoinSet<()>,
}

/// The shard that is worked on, as heartbeats show it.
pub(super) struct InHand {
    in_hand: Shared,
    news: mpsc::UnboundedSender<EventKind>,
}

impl Teller {
    pub(super) fn start(
        worker: &str,
        device: &str,
        events: Arc<dyn EventBus>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let in_hand = Shared::default();
        let (news, mut inbox) = mpsc::unbounded_channel();
        let (shown, worker, device) = (Arc::clone(&in_hand), worker.to_owned(), device.to_owned());
        let times = Arc::clone(&clock);
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
                        work: shown.lock().ok().and_then(|work| work.clone()),
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
            in_hand,
            news,
            _task: task,
        }
    }

    pub(super) fn tell(&self, kind: EventKind) {
        let _ = self.news.send(kind);
    }

    pub(super) fn takes_up(&self, task: &ShardTask) -> InHand {
        self.show(Some(ShardInHand {
            run: task.run.clone(),
            shard: task.shard,
            step: Part::Load.as_str().to_owned(),
            items_ended: 0,
            since: self.clock.now(),
        }));
        InHand {
            in_hand: Arc::clone(&self.in_hand),
            news: self.news.clone(),
        }
    }

    pub(super) fn puts_down(&self) {
        self.show(None);
    }

    fn show(&self, work: Option<ShardInHand>) {
        if let Ok(mut in_hand) = self.in_hand.lock() {
            *in_hand = work;
        }
    }
}

impl InHand {
    pub(super) fn begins(&self, part: Part) {
        self.change(|work| part.as_str().clone_into(&mut work.step));
    }

    pub(super) fn waits(&self, why: &str) {
        self.change(|work| work.step = format!("{}: {why}", Part::Wait.as_str()));
    }

    pub(super) fn item(&self, row: &ManifestRow) {
        self.change(|work| work.items_ended += 1);
        let _ = self.news.send(EventKind::ItemEnded {
            run: row.run.clone(),
            shard: row.shard,
            item: row.item.clone(),
        });
    }

    fn change(&self, change: impl FnOnce(&mut ShardInHand)) {
        if let Ok(mut in_hand) = self.in_hand.lock()
            && let Some(work) = in_hand.as_mut()
        {
            change(work);
        }
    }

    /// Returns what shows nobody anything.
    #[cfg(test)]
    pub(super) fn nobody() -> Self {
        Self {
            in_hand: Shared::default(),
            news: mpsc::unbounded_channel().0,
        }
    }
}

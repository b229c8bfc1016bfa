//! The event bus in memory.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast;

use crate::queue::EventBus;
use crate::queue::message::Event;

/// Events that a slow subscriber may be behind before it misses some.
const EVENTS_KEPT: usize = 1024;

/// An event bus that ends with its process. Clones are the same bus.
#[derive(Debug, Clone)]
pub struct InProcessEventBus {
    events: broadcast::Sender<Event>,
}

impl InProcessEventBus {
    /// Returns a bus without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            events: broadcast::channel(EVENTS_KEPT).0,
        }
    }
}

impl Default for InProcessEventBus {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl EventBus for InProcessEventBus {
    async fn emit(&self, event: &Event) {
        // An error means that there are no subscribers.
        self.events.send(event.clone()).ok();
    }

    async fn subscribe(&self) -> BoxStream<'static, Event> {
        // The bus is held, so that the stream does not end before its subscriber.
        let subscriber = (self.events.subscribe(), self.events.clone());
        stream::unfold(subscriber, |(mut events, bus)| async move {
            loop {
                match events.recv().await {
                    Ok(event) => return Some((event, (events, bus))),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}

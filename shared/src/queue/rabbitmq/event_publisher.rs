//! Events, published beside the work. Nothing depends on them, so nothing waits for them, and what is emitted during an alarm
//! of the broker is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::address::Address;
use super::connection::Connection;
use super::retry::Retry;
use crate::failure::chain;
use crate::json;
use crate::queue::message::Event;

/// Events that may wait while a connection is made.
const WAITING: usize = 64;
/// How long `emit` waits, so that what is emitted last before a process ends has left it.
const PATIENCE: Duration = Duration::from_millis(200);
/// A broker that takes no event for this long is taken for gone.
const STALLED: Duration = Duration::from_secs(5);

/// Publishes events over a connection of its own, which is made when the first one is emitted.
#[derive(Debug)]
pub(super) struct EventPublisher {
    events: mpsc::Sender<Emitted>,
}

struct Emitted {
    routing_key: String,
    payload: Vec<u8>,
    /// Dropped when the event was sent or given up.
    _ended: oneshot::Sender<()>,
}

impl EventPublisher {
    pub(super) fn start(address: Arc<Address>) -> Self {
        let (events, emitted) = mpsc::channel(WAITING);
        tokio::spawn(publish(address, emitted));
        Self { events }
    }

    pub(super) async fn emit(&self, event: &Event) {
        let (_ended, ended) = oneshot::channel();
        let emitted = Emitted {
            routing_key: event.routing_key(),
            payload: json::line(event).into_bytes(),
            _ended,
        };
        if self.events.try_send(emitted).is_ok() {
            // Either outcome is fine: it ended, or it takes too long.
            timeout(PATIENCE, ended).await.ok();
        }
    }
}

/// Publishes what is emitted until its publisher is dropped.
async fn publish(address: Arc<Address>, mut emitted: mpsc::Receiver<Emitted>) {
    let mut retry = Retry::new();
    let mut not_before = Instant::now();
    let mut connection = None;
    while let Some(event) = emitted.recv().await {
        if connection.is_none() && Instant::now() >= not_before {
            match Connection::open(Arc::clone(&address), "events").await {
                Ok(opened) => connection = Some(opened),
                Err(error) => {
                    debug!(error = chain(&error), "cannot tell events");
                    not_before = Instant::now() + retry.delay();
                }
            }
        }
        let Some(open) = &connection else {
            continue;
        };
        // Kept through an alarm: the broker would hold the next connection up as well, and each of them stays open.
        if open.is_held_up() {
            continue;
        }
        match timeout(STALLED, open.send_event(&event.routing_key, &event.payload)).await {
            Ok(Ok(())) => retry.reset(),
            Ok(Err(error)) => {
                debug!(error = chain(&error), "lost an event");
                connection = None;
            }
            Err(_) if open.is_held_up() => {}
            Err(_) => connection = None,
        }
    }
    if let Some(connection) = connection {
        connection.close().await;
    }
}

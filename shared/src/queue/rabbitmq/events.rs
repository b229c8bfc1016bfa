//! Events, told. Nothing depends on them, so nothing waits for them, and what is told during an alarm of the broker is
//! dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::address::Address;
use super::link::Link;
use super::retry::Retry;
use crate::event::Event;
use crate::failure::chain;
use crate::json;

/// Events that may wait while a connection is made.
const WAITING: usize = 64;
/// How long the teller waits, so that what is told last before a process ends has left it.
const PATIENCE: Duration = Duration::from_millis(200);
/// A broker that takes no event for this long is taken for gone.
const STALLED: Duration = Duration::from_secs(5);

/// Tells events over a connection of its own, which is made when the first one is told.
#[derive(Debug)]
pub(super) struct Speaker {
    events: mpsc::Sender<Told>,
}

struct Told {
    routing_key: String,
    payload: Vec<u8>,
    /// Dropped when the event was sent or given up.
    _ended: oneshot::Sender<()>,
}

impl Speaker {
    pub(super) fn start(address: Arc<Address>) -> Self {
        let (events, told) = mpsc::channel(WAITING);
        tokio::spawn(speak(address, told));
        Self { events }
    }

    pub(super) async fn tell(&self, event: &Event) {
        let (_ended, ended) = oneshot::channel();
        let told = Told {
            routing_key: event.routing_key(),
            payload: json::line(event).into_bytes(),
            _ended,
        };
        if self.events.try_send(told).is_ok() {
            // Either outcome is fine: it ended, or it takes too long.
            timeout(PATIENCE, ended).await.ok();
        }
    }
}

/// Sends what is told until nobody can tell any more.
async fn speak(address: Arc<Address>, mut told: mpsc::Receiver<Told>) {
    let mut retry = Retry::new();
    let mut not_before = Instant::now();
    let mut link = None;
    while let Some(event) = told.recv().await {
        if link.is_none() && Instant::now() >= not_before {
            match Link::open(Arc::clone(&address), "events").await {
                Ok(opened) => link = Some(opened),
                Err(error) => {
                    debug!(error = chain(&error), "cannot tell events");
                    not_before = Instant::now() + retry.delay();
                }
            }
        }
        let Some(open) = &link else {
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
                link = None;
            }
            Err(_) if open.is_held_up() => {}
            Err(_) => link = None,
        }
    }
    if let Some(link) = link {
        link.close().await;
    }
}

//! The broker's alarm: low on memory or disk, it accepts connections and reads from none that publishes until it has
//! enough again.
//!
//! It tells that to each of them, so here it is known within moments, in the broker's own words. It is said once, however
//! many connections are held up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use super::address::Address;
use super::client::{Connection, ConnectionEvent, ConnectionStatus};
use crate::wording::shortened;

/// Bytes of a broker's reason that are shown.
const MOST_REASON_BYTES: usize = 200;

/// What all connections to a broker hear of its alarm.
#[derive(Default)]
pub(super) struct Alarms {
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    held_up: Vec<HeldUp>,
    is_told: bool,
}

/// A connection that was held up.
struct HeldUp {
    reason: String,
    /// Whether it still is.
    lasts: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Alarms {
    /// Returns the broker's reason, while it holds a connection up.
    pub(super) fn reason(&self) -> Option<String> {
        let heard = self.heard();
        let held_up = heard.held_up.iter().find(|held_up| (held_up.lasts)());
        held_up.map(|held_up| held_up.reason.clone())
    }

    /// Takes note that a connection is held up; returns whether that is to be told.
    fn begin(&self, reason: String, lasts: impl Fn() -> bool + Send + Sync + 'static) -> bool {
        let mut heard = self.heard();
        heard.forget_past();
        let lasts = Box::new(lasts);
        heard.held_up.push(HeldUp { reason, lasts });
        !std::mem::replace(&mut heard.is_told, true)
    }

    /// Takes note that a connection goes on; returns whether that is to be told: it was the last one.
    fn end(&self) -> bool {
        let mut heard = self.heard();
        let was_told = heard.is_told;
        heard.forget_past();
        was_told && !heard.is_told
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn forget_past(&mut self) {
        self.held_up.retain(|held_up| (held_up.lasts)());
        if self.held_up.is_empty() {
            self.is_told = false;
        }
    }
}

/// Whether an alarm holds one connection up.
pub(super) struct Alarm {
    reason: Arc<watch::Sender<Option<String>>>,
    listener: AbortHandle,
}

impl Alarm {
    /// Listens to what a connection is told from now on.
    pub(super) fn of(connection: &Connection, address: &Arc<Address>) -> Self {
        let reason = Arc::new(watch::Sender::new(None));
        let listener = tokio::spawn(listen(
            connection.events_listener().boxed(),
            connection.status().clone(),
            Arc::clone(address),
            Arc::clone(&reason),
        ));
        Self {
            reason,
            listener: listener.abort_handle(),
        }
    }

    /// Returns the broker's reason, while it holds the connection up.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// Returns the reason, to be waited upon.
    pub(super) fn watch(&self) -> watch::Receiver<Option<String>> {
        self.reason.subscribe()
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Takes note of what a connection is told, as long as there is one.
async fn listen(
    mut events: BoxStream<'static, ConnectionEvent>,
    status: ConnectionStatus,
    address: Arc<Address>,
    reason: Arc<watch::Sender<Option<String>>>,
) {
    while let Some(event) = events.next().await {
        match event {
            ConnectionEvent::ConnectionBlocked(why) => {
                let why = words(&why);
                let held_up = status.clone();
                let lasts = move || held_up.connected() && held_up.blocked();
                if address.alarms.begin(why.clone(), lasts) {
                    warn!(
                        server = address.locate(),
                        reason = why,
                        "the broker has an alarm and takes no messages: waiting for it; \
                         `rabbitmq-diagnostics alarms` names it there, free memory or disk"
                    );
                }
                reason.send_replace(Some(why));
            }
            ConnectionEvent::ConnectionUnblocked => {
                if address.alarms.end() {
                    info!(server = address.locate(), "the broker takes messages again");
                }
                reason.send_replace(None);
            }
            // The alarm may have ended with the broker.
            ConnectionEvent::Error(_) if !status.connected() => break,
            _ => {}
        }
    }
    reason.send_replace(None);
}

/// Returns the broker's reason as it is shown.
fn words(reason: &str) -> String {
    match reason.trim() {
        "" => "it does not say why".to_owned(),
        reason => shortened(reason, MOST_REASON_BYTES),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Holds a connection up; returns whether that is to be told, and what ends it.
    fn held_up(alarms: &Alarms, reason: &str) -> (bool, Arc<AtomicBool>) {
        let lasts = Arc::new(AtomicBool::new(true));
        let same = Arc::clone(&lasts);
        let told = alarms.begin(reason.to_owned(), move || same.load(Ordering::Relaxed));
        (told, lasts)
    }

    #[test]
    fn an_alarm_that_holds_many_connections_up_is_told_once_and_so_is_its_end() {
        let alarms = Alarms::default();
        assert_eq!(alarms.reason(), None);
        let (first, publishes) = held_up(&alarms, "low on memory");
        let (second, tells) = held_up(&alarms, "low on memory");
        assert_eq!((first, second), (true, false));
        assert_eq!(alarms.reason().as_deref(), Some("low on memory"));
        publishes.store(false, Ordering::Relaxed);
        assert!(!alarms.end(), "one is still held up");
        tells.store(false, Ordering::Relaxed);
        assert_eq!(alarms.reason(), None);
        assert!(alarms.end());
        assert!(!alarms.end());
    }

    #[test]
    fn a_connection_that_broke_while_it_was_held_up_keeps_no_later_alarm_from_being_told() {
        let alarms = Alarms::default();
        let (_, broke) = held_up(&alarms, "low on memory");
        broke.store(false, Ordering::Relaxed);
        let (told, _lasts) = held_up(&alarms, "low on disk");
        assert!(told);
        assert_eq!(alarms.reason().as_deref(), Some("low on disk"));
    }

    #[test]
    fn a_reason_of_any_length_is_a_short_one() {
        assert_eq!(words(" low on disk "), "low on disk");
        assert_eq!(words(""), "it does not say why");
        assert!(words(&"low ".repeat(10_000)).len() <= MOST_REASON_BYTES);
    }
}

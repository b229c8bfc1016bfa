//! The broker's alarm, as it tells it to one connection: low on memory or disk, it accepts connections and reads from none
//! that publishes until it has enough again.
//!
//! It tells that to each of them, so here it is known within moments, in the broker's own words.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{info, warn};

use super::address::Address;
use super::client::{ClientConnection, ConnectionEvent, ConnectionStatus};
use crate::wording::shortened;

/// Bytes of a broker's reason that are shown.
const MOST_REASON_BYTES: usize = 200;

/// Whether an alarm holds one connection up.
pub(super) struct Alarm {
    reason: Arc<watch::Sender<Option<String>>>,
    listener: AbortHandle,
}

impl Alarm {
    /// Listens to what a connection is told from now on.
    pub(super) fn of(connection: &ClientConnection, address: &Arc<Address>) -> Self {
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
    use super::*;

    #[test]
    fn a_reason_of_any_length_is_a_short_one() {
        assert_eq!(words(" low on disk "), "low on disk");
        assert_eq!(words(""), "it does not say why");
        assert!(words(&"low ".repeat(10_000)).len() <= MOST_REASON_BYTES);
    }
}

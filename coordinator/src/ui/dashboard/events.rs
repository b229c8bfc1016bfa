//! Server-sent events: which runs have changed, so that pages refresh themselves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream;
use serde::Deserialize;
use tokio::sync::watch;

use super::Dashboard;

/// Least time between two events; changes in between are sent together.
const PAUSE: Duration = Duration::from_millis(400);
/// A comment is sent after as long without an event, so that a lost connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
pub(super) struct EventsQuery {
    /// Name of the version that the page shows.
    #[serde(default)]
    since: String,
}

/// A page that waits for changes.
struct Subscription {
    dashboard: Arc<Dashboard>,
    watch: watch::Receiver<u64>,
    seen: u64,
    /// Whether an event was sent.
    sent: bool,
}

/// Sends what has changed since the page was made, and every later change.
pub(super) async fn events(
    State(dashboard): State<Arc<Dashboard>>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let subscription = Subscription {
        seen: dashboard.version_of(last.unwrap_or(&query.since)),
        watch: dashboard.live.watch(),
        dashboard,
        sent: false,
    };
    let events = stream::unfold(subscription, |mut subscription| async move {
        let event = subscription.next().await?;
        Some((Ok(event), subscription))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

impl Subscription {
    /// Returns the next event; none once the server stops, which ends the stream.
    async fn next(&mut self) -> Option<Event> {
        let stop = self.dashboard.stop.clone();
        let seen = self.seen;
        tokio::select! {
            () = stop.cancelled() => return None,
            changed = self.watch.wait_for(|version| *version > seen) => drop(changed.ok()?),
        }
        if self.sent {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        self.sent = true;
        let changes = self.dashboard.live.changes_since(self.seen);
        self.seen = changes.version;
        let event = Event::default()
            .id(self.dashboard.name_of(changes.version))
            .retry(Duration::from_secs(2));
        let event = event.json_data(changes);
        event
            .inspect_err(|error| tracing::error!(%error, "an event cannot be written"))
            .ok()
    }
}

//! Server-sent events: which runs have changed, so that pages look again.

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

/// Least time between two events: what happens meanwhile is told at once.
const PAUSE: Duration = Duration::from_millis(400);
/// A comment is sent when nothing happens for as long, so that a lost connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
pub(super) struct Since {
    /// What the page shows: `{start of the server}-{version}`.
    #[serde(default)]
    since: String,
}

struct Listener {
    dashboard: Arc<Dashboard>,
    watch: watch::Receiver<u64>,
    seen: u64,
    told: bool,
}

/// Tells what has changed since the page was made, and whatever changes from now on.
pub(super) async fn events(
    State(dashboard): State<Arc<Dashboard>>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let listener = Listener {
        seen: dashboard.version_of(last.unwrap_or(&since.since)),
        watch: dashboard.live.watch(),
        dashboard,
        told: false,
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

impl Listener {
    /// Returns the next event; none once the server stops.
    async fn next(&mut self) -> Option<Event> {
        let stop = self.dashboard.stop.clone();
        let seen = self.seen;
        tokio::select! {
            () = stop.cancelled() => return None,
            changed = self.watch.wait_for(|version| *version > seen) => drop(changed.ok()?),
        }
        if self.told {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        self.told = true;
        let changes = self.dashboard.live.changes_since(self.seen);
        self.seen = changes.version;
        let event = Event::default()
            .id(self.dashboard.name_of(changes.version))
            .retry(Duration::from_secs(2));
        event.json_data(changes).ok()
    }
}

//! The page of the workers that were heard lately.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use shared::ids::RunId;

use super::states::{self, Badge};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::format::{NOTHING, TimestampLabel, count};
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::fleet::{Worker, WorkerState};

#[derive(Template)]
#[template(path = "workers.html")]
struct WorkersPage {
    layout: Layout,
    workers: Vec<WorkerLine>,
    queue: Option<QueueLine>,
    /// Whether a broker is named, over which workers can be heard.
    listens: bool,
}

/// The queue of shards at the broker.
struct QueueLine {
    place: String,
    ready: String,
    dead: String,
    consumers: String,
}

/// A worker in a table.
#[derive(Debug)]
pub(super) struct WorkerLine {
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) device: String,
    pub(super) work: Option<WorkLine>,
    pub(super) heard: TimestampLabel,
    pub(super) items: String,
    pub(super) stopped: Option<String>,
    pub(super) drained: Option<TimestampLabel>,
    pub(super) can_drain: bool,
}

/// What a worker has in hand.
#[derive(Debug)]
pub(super) struct WorkLine {
    pub(super) run: String,
    pub(super) shard: String,
    pub(super) step: String,
    pub(super) items: u32,
    pub(super) since: TimestampLabel,
}

/// Returns the workers that were heard lately; only those with a shard of `run` in hand, if one is given.
pub(super) fn workers(dashboard: &Dashboard, run: Option<&RunId>) -> Vec<WorkerLine> {
    let now = dashboard.live.now();
    let concerns = |worker: &Worker| {
        let works_on = worker.work.as_ref().map(|work| &work.run);
        run.is_none_or(|run| works_on == Some(run))
    };
    let mut workers = dashboard.live.workers();
    workers.retain(concerns);
    workers.sort_by_key(|worker| worker.state);
    workers
        .into_iter()
        .map(|worker| line(worker, now))
        .collect()
}

fn line(worker: Worker, now: Timestamp) -> WorkerLine {
    let state = worker.state;
    let work = worker.work.map(|work| WorkLine {
        run: work.run.to_string(),
        shard: work.shard.to_string(),
        step: work.step,
        items: work.items_ended,
        since: TimestampLabel::new(work.since, now),
    });
    let alive = match state {
        WorkerState::Working | WorkerState::Waiting => true,
        WorkerState::Silent | WorkerState::Stopped => false,
    };
    WorkerLine {
        can_drain: alive && worker.drained_at.is_none(),
        name: worker.name,
        badge: states::of_worker(state),
        device: worker.device.unwrap_or_else(|| NOTHING.to_owned()),
        // The broker gives what a silent worker had in hand to another one.
        work: work.filter(|_| state == WorkerState::Working),
        heard: TimestampLabel::new(worker.heard_at, now),
        items: count(usize::try_from(worker.items_ended).unwrap_or(usize::MAX)),
        stopped: worker.stopped,
        drained: worker.drained_at.map(|at| TimestampLabel::new(at, now)),
    }
}

/// Shows all workers and the queue.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let number = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX));
    let queue = dashboard.live.broker().and_then(|broker| {
        let depth = broker.depth.ok()?;
        Some(QueueLine {
            place: broker.place,
            ready: number(depth.ready),
            dead: number(depth.dead),
            consumers: number(depth.consumers),
        })
    });
    page(&WorkersPage {
        layout: Layout::new(&dashboard, &visitor, Section::Workers, "Workers"),
        workers: workers(&dashboard, None),
        queue,
        listens: dashboard.queue.is_some(),
    })
}

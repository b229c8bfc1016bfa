//! The page of the workers that were heard lately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use shared::ids::RunId;
use shared::platform::Platform;
use shared::wording::counted;

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
    /// What workers compute with, if not all with the same.
    platforms: Vec<PlatformLine>,
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

/// What some workers compute with.
#[derive(Debug, PartialEq)]
struct PlatformLine {
    platform: String,
    /// How many do.
    workers: String,
}

/// A worker in a table.
#[derive(Debug)]
pub(super) struct WorkerLine {
    pub(super) name: String,
    pub(super) badge: Badge,
    pub(super) device: String,
    /// What it computes with; empty if that is not known.
    pub(super) platform: String,
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
    WorkerLine {
        can_drain: is_alive(state) && worker.drained_at.is_none(),
        name: worker.name,
        badge: states::of_worker(state),
        device: worker.device.unwrap_or_else(|| NOTHING.to_owned()),
        platform: worker.platform.to_string(),
        // The broker gives what a silent worker had in hand to another one.
        work: work.filter(|_| state == WorkerState::Working),
        heard: TimestampLabel::new(worker.heard_at, now),
        items: count(usize::try_from(worker.items_ended).unwrap_or(usize::MAX)),
        stopped: worker.stopped,
        drained: worker.drained_at.map(|at| TimestampLabel::new(at, now)),
    }
}

/// Returns what workers that are alive compute with, as far as it is known; nothing if bytes do not depend on which of them
/// works: GPU and libraries are those of all, and what computes injected layers is that of all at one run. From run to run it
/// is another, by method and model.
fn different(workers: &[Worker]) -> Vec<PlatformLine> {
    let alive = workers.iter().filter(|worker| is_alive(worker.state));
    let known: Vec<&Worker> = alive
        .filter(|worker| !worker.platform.is_unknown())
        .collect();
    let mut at_run: BTreeMap<&RunId, BTreeSet<&Platform>> = BTreeMap::new();
    for worker in &known {
        if let Some(work) = &worker.work {
            at_run
                .entry(&work.run)
                .or_default()
                .insert(&worker.platform);
        }
    }
    let is_mixed = at_run.values().any(|platforms| platforms.len() > 1);
    let mut numbers: BTreeMap<Platform, usize> = BTreeMap::new();
    for worker in known {
        let mut platform = worker.platform.clone();
        platform.injection = platform.injection.filter(|_| is_mixed);
        *numbers.entry(platform).or_default() += 1;
    }
    if numbers.len() < 2 {
        return Vec::new();
    }
    let lines = numbers.into_iter().map(|(platform, number)| PlatformLine {
        platform: platform.to_string(),
        workers: counted(number, "worker", "workers"),
    });
    lines.collect()
}

fn is_alive(state: WorkerState) -> bool {
    match state {
        WorkerState::Working | WorkerState::Waiting => true,
        WorkerState::Silent | WorkerState::Stopped => false,
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
        platforms: different(&dashboard.live.workers()),
        queue,
        listens: dashboard.queue.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use shared::ids::ShardId;
    use shared::queue::message::ShardInHand;

    use super::*;

    fn worker(name: &str, state: WorkerState, cudnn: Option<&str>) -> Worker {
        Worker {
            name: name.to_owned(),
            state,
            device: Some("cuda:0".to_owned()),
            platform: Platform {
                gpu: cudnn.map(|_| "NVIDIA L4".to_owned()),
                cudnn: cudnn.map(str::to_owned),
                ..Platform::default()
            },
            work: None,
            heard_at: Timestamp::UNIX_EPOCH,
            stopped: None,
            drained_at: None,
            items_ended: 0,
        }
    }

    fn work(run: &str) -> ShardInHand {
        ShardInHand {
            run: run.parse().unwrap(),
            shard: ShardId(0),
            step: String::new(),
            items_ended: 0,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn workers_that_compute_with_other_libraries_are_told_apart() {
        let same = [
            worker("a", WorkerState::Working, Some("9.28.1")),
            worker("b", WorkerState::Waiting, Some("9.28.1")),
            worker("new", WorkerState::Waiting, None),
            worker("gone", WorkerState::Stopped, Some("9.1.0")),
        ];
        assert!(different(&same).is_empty());
        let other = worker("c", WorkerState::Waiting, Some("9.14.0"));
        let told = different(&[&same[..], &[other]].concat());
        let line = |platform: &str, workers: &str| PlatformLine {
            platform: platform.to_owned(),
            workers: workers.to_owned(),
        };
        let expected = [
            line("NVIDIA L4, cuDNN 9.14.0", "1 worker"),
            line("NVIDIA L4, cuDNN 9.28.1", "2 workers"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn workers_that_compute_injected_layers_otherwise_are_told_apart() {
        let of = |name, run: &str, injection: &str| {
            let mut worker = worker(name, WorkerState::Working, Some("9.28.1"));
            worker.platform.injection = Some(injection.to_owned());
            worker.work = Some(work(run));
            worker
        };
        let two = |a, b| different(&[a, b]);
        assert!(two(of("a", "day", "graph"), of("b", "day", "graph")).is_empty());
        // Of another method.
        assert!(two(of("a", "day", "graph"), of("b", "night", "fused sm_80")).is_empty());
        let told = two(of("a", "day", "graph"), of("b", "day", "fused sm_80"));
        let platforms: Vec<&str> = told.iter().map(|line| line.platform.as_str()).collect();
        let expected = [
            "NVIDIA L4, cuDNN 9.28.1, injection fused sm_80",
            "NVIDIA L4, cuDNN 9.28.1, injection graph",
        ];
        assert_eq!(platforms, expected);
    }
}

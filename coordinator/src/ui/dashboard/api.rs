//! The API: runs, shards and workers as JSON, for scripts and for the drawings on pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Serialize;
use shared::ids::RunId;
use shared::platform::Platform;
use shared::queue::message::ShardInHand;
use shared::settings::DevicePrice;
use shared::warning::WarningKind;

use super::Dashboard;
use super::error::PageError;
use super::pages::grid::Grid;
use super::pages::states;
use crate::output::report::RunReport;
use crate::work::collector::RunView;
use crate::work::collector::pace;
use crate::work::collector::run_view::RunState;

/// Values of a history: its whole time is divided into as many stretches.
const STRETCHES: usize = 96;

/// The state and the figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct RunJson {
    run: RunId,
    state: &'static str,
    halted: Option<String>,
    items: usize,
    done: usize,
    quarantined: usize,
    failed: usize,
    images_per_minute: Option<f64>,
    seconds_left: Option<u64>,
    device_hours: f64,
    device_hours_left: Option<f64>,
    /// What an hour of a device costs, where the run's settings say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<DevicePrice>,
    warnings: BTreeMap<WarningKind, usize>,
    doubtful: usize,
    shards: usize,
    shards_committed: usize,
    shards_failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<RunReport>,
}

fn run_json(dashboard: &Dashboard, view: &RunView) -> RunJson {
    let now = dashboard.live.now();
    let in_hand = dashboard.live.in_hand(view.id());
    let state = view.state(in_hand.len(), now);
    let pace = view.pace(&in_hand, now);
    let hours = view.device_hours();
    RunJson {
        run: view.id().clone(),
        state: states::of_run(&state).class,
        halted: view.ledger.decisions.halted.clone(),
        items: view.num_items,
        done: view.counts.done,
        quarantined: view.counts.quarantined,
        failed: view.counts.failed,
        warnings: view.counts.warning_kinds.clone(),
        doubtful: view.counts.doubtful,
        images_per_minute: pace.map(|pace| pace.per_minute),
        device_hours: hours.so_far,
        device_hours_left: hours.to_come,
        price: view.run.record.price.clone(),
        seconds_left: pace.and_then(|pace| Some(pace.left?.as_secs())),
        shards: view.run.plan.shards.len(),
        shards_committed: view.ledger.committed.len(),
        shards_failed: view.failures.len(),
        report: None,
    }
}

/// Returns every run.
pub(super) async fn runs(State(dashboard): State<Arc<Dashboard>>) -> Json<Vec<RunJson>> {
    let runs = dashboard.live.runs();
    Json(runs.iter().map(|view| run_json(&dashboard, view)).collect())
}

/// Returns a run with its report.
pub(super) async fn run(
    State(dashboard): State<Arc<Dashboard>>,
    Path(run): Path<String>,
) -> Result<Json<RunJson>, PageError> {
    let view = dashboard.run(&run)?;
    Ok(Json(RunJson {
        report: view.report.clone(),
        ..run_json(&dashboard, &view)
    }))
}

/// Returns the state of each shard, and which shards each style has.
pub(super) async fn grid(
    State(dashboard): State<Arc<Dashboard>>,
    Path(run): Path<String>,
) -> Result<Json<Grid>, PageError> {
    let view = dashboard.run(&run)?;
    let in_hand = dashboard.live.in_hand(view.id());
    Ok(Json(Grid::of(&view, &in_hand)))
}

/// The pace of a run over time, a value for each stretch.
#[derive(Debug, Default, Serialize)]
pub(super) struct History {
    /// Middles of the stretches, in seconds since 1970.
    at: Vec<f64>,
    /// Images a minute.
    per_minute: Vec<f64>,
    /// Seconds until the last image, at the pace of the time.
    left: Vec<Option<u64>>,
}

/// Returns the pace of a run over time.
pub(super) async fn history(
    State(dashboard): State<Arc<Dashboard>>,
    Path(run): Path<String>,
) -> Result<Json<History>, PageError> {
    let view = dashboard.run(&run)?;
    let now = dashboard.live.now();
    let in_hand = dashboard.live.in_hand(view.id());
    let spans = view.spans_with(&in_hand, now);
    let newest = spans.last().map_or(now, |span| span.end);
    let running = view.state(in_hand.len(), now) == RunState::Running;
    let end = if running { now } else { newest };
    let mut history = History::default();
    for stretch in pace::history(&spans, view.planned_work(), STRETCHES, end) {
        history.at.push(stretch.at.as_millisecond() as f64 / 1000.0);
        history
            .per_minute
            .push((1000.0 * stretch.per_minute).round() / 1000.0);
        history.left.push(stretch.left.map(|left| left.as_secs()));
    }
    Ok(Json(history))
}

/// A worker and what it has in hand.
#[derive(Debug, Serialize)]
pub(super) struct WorkerJson {
    name: String,
    state: &'static str,
    device: Option<String>,
    #[serde(skip_serializing_if = "Platform::is_unknown")]
    platform: Platform,
    work: Option<ShardInHand>,
    heard_at: Timestamp,
    stopped: Option<String>,
    drained_at: Option<Timestamp>,
}

/// Returns the workers that were heard lately.
pub(super) async fn workers(State(dashboard): State<Arc<Dashboard>>) -> Json<Vec<WorkerJson>> {
    let workers = dashboard.live.workers().into_iter();
    Json(
        workers
            .map(|worker| WorkerJson {
                state: states::of_worker(worker.state).class,
                name: worker.name,
                device: worker.device,
                platform: worker.platform,
                work: worker.work,
                heard_at: worker.heard_at,
                stopped: worker.stopped,
                drained_at: worker.drained_at,
            })
            .collect(),
    )
}

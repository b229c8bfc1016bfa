//! A shard: its attempts, and its items with what they were made from.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use futures::future::try_join_all;
use serde::Deserialize;
use shared::clock::passed;
use shared::failure::chain;
use shared::ids::ShardId;
use shared::manifest::{ManifestRow, Status};

use super::grid::look;
use super::parts::Pager;
use super::shard_items::{self, ItemLine};
use super::shard_table::range;
use super::states::{self, Badge};
use super::workers::{WorkerLine, workers};
use crate::run::ledger::{self, ShardState};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{Moment, count, millis, things};
use crate::ui::dashboard::frame::{Frame, Section, page};
use crate::work::collector::RunView;
use crate::work::collector::run_view::ShardStatus;

const ITEMS_A_PAGE: usize = 24;
/// The newest failed attempts that are shown.
const MOST_ATTEMPTS: usize = 20;

#[derive(Template)]
#[template(path = "shard.html")]
struct ShardPage {
    frame: Frame,
    run: String,
    shard: ShardId,
    badge: Badge,
    contents: String,
    num_contents: String,
    styles: String,
    num_styles: String,
    num_items: String,
    before: Option<ShardId>,
    after: Option<ShardId>,
    /// The newest first.
    attempts: Vec<Attempt>,
    num_older: usize,
    worker: Option<WorkerLine>,
    items: Vec<ItemLine>,
    pager: Pager,
    /// The item that is shown large.
    chosen: Option<usize>,
    width: usize,
    height: usize,
    can_resume: bool,
    can_retry_quarantined: bool,
    /// Why its file cannot be read, and what helps; empty if it can.
    damage: String,
}

/// An attempt at a shard.
struct Attempt {
    number: u32,
    badge: Badge,
    class: String,
    error: String,
    worker: String,
    device: String,
    at: Moment,
    took: String,
    /// Whether it still counts towards the most attempts that the run allows.
    counts: bool,
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct Wish {
    #[serde(default)]
    page: String,
    #[serde(default)]
    item: String,
}

pub(in super::super) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path((name, number)): Path<(String, String)>,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let plan = &view.run.plan;
    let id: Option<ShardId> = number.parse().ok();
    let shard = id.and_then(|id| plan.shards.get(id.0 as usize));
    let shard = shard.ok_or_else(|| {
        let most = count(plan.shards.len());
        PageError::Missing(format!("run {name} has no shard {number}: it has {most}"))
    })?;
    let in_hand = dashboard.live.in_hand(view.id());
    let mut look = look(&view, &in_hand, shard.id);
    let mut damage = String::new();
    let mut rows = Vec::new();
    if view.state_of(shard.id).has_rows() {
        let storage = dashboard.storage.as_ref();
        match view.ledger.shard_rows(storage, &view.run, shard.id).await {
            Err(error) if error.is_damage() => {
                look = ShardStatus::Damaged;
                damage = chain(&error);
            }
            read => rows = read?,
        }
    }
    if look == ShardStatus::Damaged && damage.is_empty() {
        look = put_right(&view, shard.id, &rows);
    }
    let positions: Vec<(usize, usize)> = shard.items().collect();
    let wanted_item: Option<usize> = wish.item.parse().ok();
    let wanted_page = wish
        .page
        .parse()
        .unwrap_or_else(|_| wanted_item.map_or(1, |item| item / ITEMS_A_PAGE + 1));
    let address = format!("/runs/{name}/shards/{}?page=", shard.id);
    let pager = Pager::new(positions.len(), ITEMS_A_PAGE, wanted_page, address);
    let items = pager.part(&positions);
    let mut items = shard_items::lines(&dashboard, &view, pager.first, items, &rows).await?;
    if look == ShardStatus::Failed {
        items.iter_mut().for_each(ItemLine::fail);
    }
    let attempts = attempts(&dashboard, &view, shard.id, &rows).await?;
    let failed = view.ledger.failed_attempts.get(&shard.id);
    let num_older = failed.map_or(0, Vec::len).saturating_sub(MOST_ATTEMPTS);
    let beside = |id: Option<u32>| {
        let id = id.filter(|&id| (id as usize) < plan.shards.len());
        id.map(ShardId)
    };
    let model = &view.run.record.frozen.model;
    Ok(page(&ShardPage {
        frame: Frame::new(
            &dashboard,
            &visitor,
            Section::Runs,
            format!("{name}, shard {}", shard.id),
        )
        .about(&dashboard, view.id()),
        shard: shard.id,
        badge: states::of_shard(look),
        contents: range(|content| plan.contents[content].name(), &shard.contents),
        num_contents: things(shard.contents.len(), "content"),
        styles: range(|style| plan.styles[style].name(), &shard.styles),
        num_styles: things(shard.styles.len(), "style"),
        num_items: things(positions.len(), "item"),
        before: beside(shard.id.0.checked_sub(1)),
        after: beside(shard.id.0.checked_add(1)),
        num_older,
        attempts,
        worker: workers(&dashboard, Some(view.id()))
            .into_iter()
            .find(|worker| worker.has(shard.id)),
        chosen: chosen(&items, wanted_item),
        items,
        pager,
        width: model.width,
        height: model.height,
        can_resume: match look {
            ShardStatus::Open
            | ShardStatus::InHand
            | ShardStatus::Retrying
            | ShardStatus::Failed => true,
            ShardStatus::Done | ShardStatus::Quarantined | ShardStatus::Damaged => false,
        },
        damage,
        can_retry_quarantined: look == ShardStatus::Quarantined,
        run: name,
    }))
}

/// Returns how a shard is that can be read, and could not when the collector looked.
fn put_right(view: &RunView, shard: ShardId, rows: &[ManifestRow]) -> ShardStatus {
    let is_done = |row: &ManifestRow| row.status == Status::Done;
    match view.state_of(shard) {
        ShardState::Revising { .. } => ShardStatus::Retrying,
        ShardState::Committed | ShardState::RevisionFailed { .. } if rows.iter().all(is_done) => {
            ShardStatus::Done
        }
        ShardState::Committed | ShardState::RevisionFailed { .. } => ShardStatus::Quarantined,
        ShardState::Failed { .. } => ShardStatus::Failed,
        ShardState::Open => ShardStatus::Open,
    }
}

impl ShardPage {
    fn shown(&self) -> Option<&ItemLine> {
        let chosen = self.chosen?;
        self.items.iter().find(|item| item.place == chosen)
    }

    fn is_chosen(&self, item: &ItemLine) -> bool {
        self.chosen == Some(item.place)
    }
}

impl WorkerLine {
    fn has(&self, shard: ShardId) -> bool {
        let work = self.work.as_ref();
        work.is_some_and(|work| work.shard == shard.to_string())
    }
}

/// Returns the item that is shown large: the wanted one, or the first that has an output.
fn chosen(items: &[ItemLine], wanted: Option<usize>) -> Option<usize> {
    let of = |item: &ItemLine| item.place;
    let wanted = items.iter().find(|item| Some(item.place) == wanted);
    let first = items.iter().find(|item| item.has_output);
    wanted.or(first).or(items.first()).map(of)
}

async fn attempts(
    dashboard: &Dashboard,
    view: &RunView,
    shard: ShardId,
    rows: &[ManifestRow],
) -> Result<Vec<Attempt>, PageError> {
    let now = dashboard.live.now();
    let first = view.ledger.first_attempt(shard);
    let storage = dashboard.storage.as_ref();
    let mut numbers = view
        .ledger
        .failed_attempts
        .get(&shard)
        .cloned()
        .unwrap_or_default();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.truncate(MOST_ATTEMPTS);
    let reads = numbers
        .iter()
        .map(|&number| ledger::failed_attempt(storage, view.id(), shard, number));
    let failed = try_join_all(reads).await?;
    let failed = numbers
        .iter()
        .zip(failed)
        .map(|(&number, failure)| Attempt {
            number,
            badge: states::of_shard(ShardStatus::Failed),
            class: failure.error_class.to_string(),
            error: failure.error,
            worker: failure.worker,
            device: String::new(),
            at: Moment::new(failure.failed_at, now),
            took: String::new(),
            counts: number >= first,
        });
    // Clocks of workers differ: which attempt was the last is told by its number.
    let newest = rows.iter().max_by_key(|row| (row.attempt, row.finished_at));
    let look = match view.shard(shard) {
        ShardStatus::Damaged => put_right(view, shard, rows),
        look => look,
    };
    let committed = newest.map(|row| {
        let own = rows.iter().filter(|one| one.attempt == row.attempt);
        let start = own.map(|one| one.started_at).min();
        let took = start.map(|start| passed(start, row.finished_at));
        Attempt {
            number: row.attempt,
            badge: states::of_shard(look),
            class: String::new(),
            error: String::new(),
            worker: row.worker.clone(),
            device: row.device.clone(),
            at: Moment::new(row.finished_at, now),
            took: took.map_or_else(String::new, |took| millis(1000.0 * took.as_secs_f64())),
            counts: true,
        }
    });
    Ok(committed.into_iter().chain(failed).collect())
}

//! The page of a shard: its attempts, and its items with what they were made from.

mod attempts;
mod items;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use shared::failure::chain;
use shared::ids::ShardId;
use shared::manifest::{ManifestRow, Status};

use self::attempts::{Attempt, attempts};
use self::items::ItemLine;
use super::grid::shard_state;
use super::parts::{self, Pager, range};
use super::states::{self, Badge};
use super::workers::{WorkerLine, workers};
use crate::run::ledger::ShardState;
use crate::run::plan::Shard;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{count, things};
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;
use crate::work::collector::run_view::ShardStatus;

/// Items on a page.
const ITEMS_PER_PAGE: usize = 24;
/// Most failed attempts that are shown.
const MAX_ATTEMPTS: usize = 20;

#[derive(Template)]
#[template(path = "shard.html")]
struct ShardPage {
    layout: Layout,
    run: String,
    shard: ShardId,
    head: Head,
    /// The newest first.
    attempts: Vec<Attempt>,
    num_older: usize,
    /// The worker that has the shard in hand.
    worker: Option<WorkerLine>,
    items: Vec<ItemLine>,
    pager: Pager,
    /// The place of the item that is shown large.
    chosen: Option<usize>,
    width: usize,
    height: usize,
    /// Why its file cannot be read, and what helps.
    damage: Option<String>,
}

/// The state of a shard, what is planned for it, and where to go from its page.
struct Head {
    badge: Badge,
    contents: String,
    num_contents: String,
    styles: String,
    num_styles: String,
    num_items: String,
    before: Option<ShardId>,
    after: Option<ShardId>,
    can_resume: bool,
    can_retry_quarantined: bool,
}

/// The page of the list of items, and the place of the item that is shown large; both may be empty.
#[derive(Debug, Deserialize)]
pub(crate) struct ShardQuery {
    #[serde(default)]
    page: String,
    #[serde(default)]
    item: String,
}

impl ShardQuery {
    /// Returns the place of the item that is asked for.
    fn item(&self) -> Result<Option<usize>, PageError> {
        parts::number("item", &self.item)
    }

    /// Returns the page that is asked for, or else the one with the item.
    fn page(&self) -> Result<usize, PageError> {
        let of_item = self.item()?.map_or(1, |item| item / ITEMS_PER_PAGE + 1);
        Ok(parts::number("page", &self.page)?.unwrap_or(of_item))
    }
}

/// Shows a shard.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path((name, number)): Path<(String, String)>,
    Query(query): Query<ShardQuery>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let shard = planned(&view, &number)?;
    let stored = Stored::read(&dashboard, &view, shard.id).await?;
    let positions: Vec<(usize, usize)> = shard.items().collect();
    let address = format!("/runs/{name}/shards/{}?page=", shard.id);
    let pager = Pager::new(positions.len(), ITEMS_PER_PAGE, query.page()?, address);
    let items = pager.part(&positions);
    let mut items = items::lines(&dashboard, &view, pager.first, items, &stored.rows).await?;
    if stored.look == ShardStatus::Failed {
        items.iter_mut().for_each(ItemLine::fail);
    }
    let failed = view.ledger.failed_attempts.get(&shard.id);
    let model = &view.run.record.frozen.model;
    let title = format!("{name}, shard {}", shard.id);
    Ok(page(&ShardPage {
        layout: Layout::new(&dashboard, &visitor, Section::Runs, title)
            .for_run(&dashboard, view.id()),
        shard: shard.id,
        head: Head::of(&view, shard, stored.look),
        num_older: failed.map_or(0, Vec::len).saturating_sub(MAX_ATTEMPTS),
        attempts: attempts(&dashboard, &view, shard.id, &stored.rows).await?,
        worker: worker_with(&dashboard, &view, shard.id),
        chosen: chosen(&items, query.item()?),
        items,
        pager,
        width: model.width,
        height: model.height,
        damage: stored.damage,
        run: name,
    }))
}

/// Returns the shard of the plan with a number.
fn planned<'a>(view: &'a RunView, number: &str) -> Result<&'a Shard, PageError> {
    let shards = &view.run.plan.shards;
    let id: Option<ShardId> = number.parse().ok();
    let shard = id.and_then(|id| shards.get(id.0 as usize));
    shard.ok_or_else(|| {
        let (run, most) = (view.id(), count(shards.len()));
        PageError::NotFound(format!("run {run} has no shard {number}: it has {most}"))
    })
}

/// A shard as storage has it now, which may be newer than the collector's snapshot.
struct Stored {
    look: ShardStatus,
    rows: Vec<ManifestRow>,
    /// Why its file cannot be read, and what helps.
    damage: Option<String>,
}

impl Stored {
    async fn read(
        dashboard: &Dashboard,
        view: &RunView,
        shard: ShardId,
    ) -> Result<Self, PageError> {
        let storage = dashboard.storage.as_ref();
        let mut look = shard_state(view, &dashboard.live.in_hand(view.id()), shard);
        let (mut rows, mut damage) = (Vec::new(), None);
        if view.state_of(shard).has_rows() {
            match view.ledger.shard_rows(storage, &view.run, shard).await {
                Err(error) if error.is_damage() => {
                    look = ShardStatus::Damaged;
                    damage = Some(chain(&error));
                }
                read => rows = read?,
            }
        }
        if look == ShardStatus::Damaged && damage.is_none() {
            look = repaired_state(view, shard, &rows);
        }
        Ok(Self { look, rows, damage })
    }
}

/// Returns the state of a shard that can be read, although it was damaged in the collector's snapshot.
fn repaired_state(view: &RunView, shard: ShardId, rows: &[ManifestRow]) -> ShardStatus {
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

impl Head {
    fn of(view: &RunView, shard: &Shard, look: ShardStatus) -> Self {
        let plan = &view.run.plan;
        let beside = |id: Option<u32>| {
            let id = id.filter(|&id| (id as usize) < plan.shards.len());
            id.map(ShardId)
        };
        Self {
            badge: states::of_shard(look),
            contents: range(|content| plan.contents[content].name(), &shard.contents),
            num_contents: things(shard.contents.len(), "content"),
            styles: range(|style| plan.styles[style].name(), &shard.styles),
            num_styles: things(shard.styles.len(), "style"),
            num_items: things(shard.items().count(), "item"),
            before: beside(shard.id.0.checked_sub(1)),
            after: beside(shard.id.0.checked_add(1)),
            can_resume: match look {
                ShardStatus::Open
                | ShardStatus::InHand
                | ShardStatus::Retrying
                | ShardStatus::Failed => true,
                ShardStatus::Done | ShardStatus::Quarantined | ShardStatus::Damaged => false,
            },
            can_retry_quarantined: look == ShardStatus::Quarantined,
        }
    }
}

impl ShardPage {
    /// Returns the item that is shown large.
    fn shown(&self) -> Option<&ItemLine> {
        let chosen = self.chosen?;
        self.items.iter().find(|item| item.place == chosen)
    }

    /// Returns whether an item is the one that is shown large.
    fn is_chosen(&self, item: &ItemLine) -> bool {
        self.chosen == Some(item.place)
    }
}

/// Returns the worker that has the shard in hand.
fn worker_with(dashboard: &Dashboard, view: &RunView, shard: ShardId) -> Option<WorkerLine> {
    let shard = shard.to_string();
    let has = |worker: &WorkerLine| worker.work.as_ref().is_some_and(|work| work.shard == shard);
    workers(dashboard, Some(view.id())).into_iter().find(has)
}

/// Returns the place of the item that is shown large: the one asked for, or the first with an output, or the first.
fn chosen(items: &[ItemLine], asked: Option<usize>) -> Option<usize> {
    let of = |item: &ItemLine| item.place;
    let asked = items.iter().find(|item| Some(item.place) == asked);
    let first = items.iter().find(|item| item.has_output);
    asked.or(first).or(items.first()).map(of)
}

//! Items that are not done, and why.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use futures::future::try_join_all;
use serde::Deserialize;
use shared::ids::ShardId;
use shared::manifest::Status;

use super::parts::Pager;
use super::states::{self, Badge};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::{Visitor, encoded};
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::count;
use crate::ui::dashboard::frame::{Frame, Section, page};
use crate::work::collector::RunView;

/// Shards a page: each that was committed is read.
const SHARDS_A_PAGE: usize = 20;
/// Reasons to choose from.
const MOST_REASONS: usize = 100;

#[derive(Template)]
#[template(path = "losses.html")]
struct LossesPage {
    frame: Frame,
    run: String,
    reasons: Vec<Reason>,
    reason: String,
    losses: Vec<Loss>,
    pager: Pager,
    num_quarantined: String,
    num_failed: String,
    can_retry_quarantined: bool,
    /// The reason as it stands in an address.
    contains: String,
}

struct Reason {
    text: String,
    address: String,
    count: String,
    chosen: bool,
}

/// An item that is not done, or all of a shard's.
struct Loss {
    shard: ShardId,
    badge: Badge,
    what: String,
    class: String,
    reason: String,
    item: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(in super::super) struct Wish {
    #[serde(default)]
    page: String,
    #[serde(default)]
    reason: String,
}

pub(in super::super) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let shards = shards(&view, &wish.reason);
    let address = |reason: &str| format!("/runs/{name}/losses?reason={}", encoded(reason));
    let pager = Pager::new(
        shards.len(),
        SHARDS_A_PAGE,
        wish.page.parse().unwrap_or(1),
        format!("{}&page=", address(&wish.reason)),
    );
    let part = pager.part(&shards).iter();
    let losses = part.map(|&shard| losses(&dashboard, &view, shard, &wish.reason));
    let reasons = view.counts.frequent_reasons().into_iter().enumerate();
    let reasons =
        reasons.filter(|&(place, (text, _))| place < MOST_REASONS || *text == wish.reason);
    let reasons = reasons.map(|(_, (text, number))| Reason {
        address: address(text),
        count: count(number),
        chosen: *text == wish.reason,
        text: text.clone(),
    });
    let reasons = reasons.collect();
    Ok(page(&LossesPage {
        frame: Frame::new(
            &dashboard,
            &visitor,
            Section::Runs,
            format!("{name}, losses"),
        )
        .about(&dashboard, view.id()),
        losses: try_join_all(losses).await?.into_iter().flatten().collect(),
        reasons,
        can_retry_quarantined: view.counts.quarantined > view.num_retried,
        contains: encoded(&wish.reason).to_string(),
        reason: wish.reason,
        pager,
        num_quarantined: count(view.counts.quarantined),
        num_failed: count(view.counts.failed),
        run: name,
    }))
}

/// Returns the shards with items that are not done, for a reason if one is given.
fn shards(view: &RunView, reason: &str) -> Vec<ShardId> {
    let wanted = |found: bool| reason.is_empty() || found;
    let committed = view.tally.shards().filter(|(_, shard)| {
        shard.counts.not_done() > 0 && wanted(shard.counts.reasons.contains_key(reason))
    });
    let failed = view
        .failures
        .iter()
        .filter(|(_, failure)| wanted(failure.error == reason));
    let mut shards: Vec<ShardId> = committed
        .map(|(shard, _)| shard)
        .chain(failed.map(|(shard, _)| shard))
        .collect();
    shards.sort_unstable();
    shards
}

async fn losses(
    dashboard: &Dashboard,
    view: &RunView,
    shard: ShardId,
    reason: &str,
) -> Result<Vec<Loss>, PageError> {
    if let Some(failure) = view.failures.of(shard) {
        let planned = view.run.plan.shards.get(shard.0 as usize);
        let num_items = planned.map_or(0, |shard| shard.num_items());
        return Ok(vec![Loss {
            shard,
            badge: states::of_item(Some(Status::Failed)),
            what: format!("all {num_items} items"),
            class: failure.error_class.to_string(),
            reason: failure.error.clone(),
            item: None,
        }]);
    }
    let storage = dashboard.storage.as_ref();
    let rows = match view.ledger.shard_rows(storage, &view.run, shard).await {
        // It is shown among the shards.
        Err(error) if error.is_damage() => return Ok(Vec::new()),
        rows => rows?,
    };
    let planned = view.run.plan.shards.get(shard.0 as usize);
    let places: Vec<_> = planned
        .into_iter()
        .flat_map(|shard| shard.items())
        .map(|position| view.run.plan.item(position))
        .collect();
    let lost = rows.into_iter().filter(|row| {
        let error = row.error.as_deref().unwrap_or_default();
        row.status != Status::Done && (reason.is_empty() || reason == error)
    });
    Ok(lost
        .map(|row| Loss {
            shard,
            badge: states::of_item(Some(row.status)),
            what: row.item.to_string(),
            class: row
                .error_class
                .map(|class| class.to_string())
                .unwrap_or_default(),
            reason: row.error.unwrap_or_default(),
            item: places.iter().position(|item| *item == row.item),
        })
        .collect())
}

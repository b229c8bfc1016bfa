//! The page of the quarantined and failed items of a run, by reason.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use futures::future::try_join_all;
use serde::Deserialize;
use shared::ids::ShardId;
use shared::manifest::Status;

use super::parts::{self, Pager};
use super::states::{self, Badge};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{count, url_encoded};
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;

/// Shards on a page: the file of each that was committed is read.
const SHARDS_PER_PAGE: usize = 20;
/// Most reasons to choose from.
const MAX_REASONS: usize = 100;

#[derive(Template)]
#[template(path = "failures.html")]
struct FailuresPage {
    layout: Layout,
    run: String,
    reasons: Vec<Reason>,
    /// The reason that is chosen; empty for all.
    reason: String,
    items: Vec<FailedItem>,
    pager: Pager,
    num_quarantined: String,
    num_failed: String,
    can_retry_quarantined: bool,
    /// The chosen reason as part of an address.
    contains: String,
}

/// A reason to choose.
struct Reason {
    text: String,
    address: String,
    count: String,
    chosen: bool,
}

/// An item that is quarantined or failed, or all items of a failed shard.
struct FailedItem {
    shard: ShardId,
    badge: Badge,
    /// The item, or how many they are.
    what: String,
    class: String,
    reason: String,
    /// Its place in the shard; none for all of them.
    item: Option<usize>,
}

/// The page of the list, and the reason that is chosen; empty for all.
#[derive(Debug, Deserialize)]
pub(crate) struct FailuresQuery {
    #[serde(default)]
    page: String,
    #[serde(default)]
    reason: String,
}

/// Shows the failures of a run, a page of shards at a time.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(query): Query<FailuresQuery>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let shards = shards(&view, &query.reason);
    let address = |reason: &str| format!("/runs/{name}/losses?reason={}", url_encoded(reason));
    let pager = Pager::new(
        shards.len(),
        SHARDS_PER_PAGE,
        parts::number("page", &query.page)?.unwrap_or(1),
        format!("{}&page=", address(&query.reason)),
    );
    let part = pager.part(&shards).iter();
    let items = part.map(|&shard| failed_items(&dashboard, &view, shard, &query.reason));
    Ok(page(&FailuresPage {
        layout: Layout::new(
            &dashboard,
            &visitor,
            Section::Runs,
            format!("{name}, losses"),
        )
        .for_run(&dashboard, view.id()),
        items: try_join_all(items).await?.into_iter().flatten().collect(),
        reasons: reasons(&view, &query.reason, address),
        can_retry_quarantined: view.counts.quarantined > view.num_retried,
        contains: url_encoded(&query.reason),
        reason: query.reason,
        pager,
        num_quarantined: count(view.counts.quarantined),
        num_failed: count(view.counts.failed),
        run: name,
    }))
}

/// Returns the most frequent reasons, and the chosen one.
fn reasons(view: &RunView, chosen: &str, address: impl Fn(&str) -> String) -> Vec<Reason> {
    let reasons = view.counts.frequent_reasons().into_iter().enumerate();
    let reasons = reasons.filter(|&(place, (text, _))| place < MAX_REASONS || *text == chosen);
    let reasons = reasons.map(|(_, (text, number))| Reason {
        address: address(text),
        count: count(number),
        chosen: *text == chosen,
        text: text.clone(),
    });
    reasons.collect()
}

/// Returns the shards with items that are quarantined or failed, for `reason` unless it is empty.
fn shards(view: &RunView, reason: &str) -> Vec<ShardId> {
    let is_chosen = |found: bool| reason.is_empty() || found;
    let committed = view.tally.shards().filter(|(_, shard)| {
        shard.counts.not_done() > 0 && is_chosen(shard.counts.reasons.contains_key(reason))
    });
    let failed = view
        .failures
        .iter()
        .filter(|(_, failure)| is_chosen(failure.error == reason));
    let mut shards: Vec<ShardId> = committed
        .map(|(shard, _)| shard)
        .chain(failed.map(|(shard, _)| shard))
        .collect();
    shards.sort_unstable();
    shards
}

/// Returns the quarantined or failed items of a shard, for `reason` unless it is empty.
async fn failed_items(
    dashboard: &Dashboard,
    view: &RunView,
    shard: ShardId,
    reason: &str,
) -> Result<Vec<FailedItem>, PageError> {
    if let Some(failure) = view.failures.of(shard) {
        let planned = view.run.plan.shards.get(shard.0 as usize);
        let num_items = planned.map_or(0, |shard| shard.num_items());
        return Ok(vec![FailedItem {
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
        // The damage is shown on the page of the shard.
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
        .map(|row| FailedItem {
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

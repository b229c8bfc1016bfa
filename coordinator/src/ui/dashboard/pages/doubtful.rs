//! The page of the items of a run whose labels are doubtful, of all styles or of one.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use futures::future::try_join_all;
use serde::Deserialize;
use shared::ids::{ItemId, ShardId};
use shared::manifest::ManifestRow;

use super::parts::{self, Pager};
use crate::output::report::AgreementReport;
use crate::run::plan::Shard;
use crate::run::tally;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{NOTHING, count, figure, url_encoded};
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;

/// Shards on a page: the file of each is read.
const SHARDS_PER_PAGE: usize = 20;

#[derive(Template)]
#[template(path = "doubtful.html")]
struct DoubtfulPage {
    layout: Layout,
    run: String,
    /// The styles that have such items, with their number.
    styles: Vec<Style>,
    /// The style that is chosen; empty for all.
    style: String,
    items: Vec<DoubtfulItem>,
    pager: Pager,
    num_doubtful: String,
    num_done: String,
    /// How much of its content's agreement an output is asked to keep, in percent.
    least: String,
}

/// A style to choose.
struct Style {
    name: String,
    address: String,
    count: String,
    chosen: bool,
}

/// An item whose label is doubtful.
struct DoubtfulItem {
    shard: ShardId,
    /// Its place in the shard.
    place: usize,
    content: String,
    style: String,
    content_address: String,
    output_address: String,
    means: String,
    lost: String,
}

/// The page of the list, and the style that is chosen; empty for all.
#[derive(Debug, Deserialize)]
pub(crate) struct DoubtfulQuery {
    #[serde(default)]
    page: String,
    #[serde(default)]
    style: String,
}

/// Shows the doubtful items of a run, a page of shards at a time.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(query): Query<DoubtfulQuery>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let shards = shards(&view, &query.style);
    let address = |style: &str| format!("/runs/{name}/doubtful?style={}", url_encoded(style));
    let pager = Pager::new(
        shards.len(),
        SHARDS_PER_PAGE,
        parts::number("page", &query.page)?.unwrap_or(1),
        format!("{}&page=", address(&query.style)),
    );
    let part = pager.part(&shards).iter();
    let items = part.map(|shard| doubtful_items(&dashboard, &view, shard, &query.style));
    let styles = view.doubtful_of_styles().into_iter();
    let least = view.run.record.frozen.evaluators.min_label_agreement;
    Ok(page(&DoubtfulPage {
        layout: Layout::new(
            &dashboard,
            &visitor,
            Section::Runs,
            format!("{name}, doubtful labels"),
        )
        .for_run(&dashboard, view.id()),
        items: try_join_all(items).await?.into_iter().flatten().collect(),
        styles: styles
            .map(|(style, number)| Style {
                address: address(style),
                count: count(number),
                chosen: style == query.style,
                name: style.to_owned(),
            })
            .collect(),
        style: query.style,
        pager,
        num_doubtful: count(view.counts.doubtful),
        num_done: count(view.counts.done),
        least: figure(least.map(|least| 100.0 * least), 0),
        run: name,
    }))
}

/// Returns the shards with doubtful items, of `style` unless it is empty.
fn shards<'a>(view: &'a RunView, style: &str) -> Vec<&'a Shard> {
    let counted = view.tally.shards().filter(|(_, shard)| match style {
        "" => shard.counts.doubtful > 0,
        style => shard.doubtful.contains_key(style),
    });
    counted
        .filter_map(|(shard, _)| view.run.plan.shard(shard))
        .collect()
}

/// Returns the doubtful items of a shard, of `style` unless it is empty.
async fn doubtful_items(
    dashboard: &Dashboard,
    view: &RunView,
    shard: &Shard,
    style: &str,
) -> Result<Vec<DoubtfulItem>, PageError> {
    let storage = dashboard.storage.as_ref();
    let rows = match view.ledger.shard_rows(storage, &view.run, shard.id).await {
        // The damage is shown on the page of the shard.
        Err(error) if error.is_damage() => return Ok(Vec::new()),
        rows => rows?,
    };
    let positions = shard.items().map(|position| view.run.plan.item(position));
    let places: HashMap<ItemId, usize> = positions.zip(0..).collect();
    let wanted = rows
        .into_iter()
        .filter(|row| tally::is_doubtful(row) && (style.is_empty() || row.item.style == style));
    let item = |row: ManifestRow| {
        let agreement = row.quality.as_ref().and_then(AgreementReport::of_item);
        let (run, version) = (view.id(), view.version());
        let content = url_encoded(&row.item.content);
        let style = url_encoded(&row.item.style);
        Some(DoubtfulItem {
            shard: shard.id,
            place: *places.get(&row.item)?,
            content_address: format!("/runs/{run}/images/content/{content}?v={version}"),
            output_address: format!("/runs/{run}/images/output/{style}/{content}?v={version}"),
            means: agreement
                .as_ref()
                .map_or_else(|| NOTHING.to_owned(), AgreementReport::means),
            lost: agreement
                .as_ref()
                .map(AgreementReport::lost_in_words)
                .unwrap_or_default(),
            content: row.item.content,
            style: row.item.style,
        })
    };
    Ok(wanted.filter_map(item).collect())
}

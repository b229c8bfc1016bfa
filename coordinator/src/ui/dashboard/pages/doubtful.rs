//! The page of the items of a run whose labels are doubtful, of all styles or of one.

use std::collections::HashMap;
use std::ops::Range;
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

/// Items on a page: each has five pictures, and the files of their shards are read.
const ITEMS_PER_PAGE: usize = 20;

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
    /// The size of pictures.
    width: usize,
    height: usize,
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
    /// The content, the output, the label, and what was predicted for content and output.
    pictures: [Picture; 5],
    /// How it agrees with its label, compared with its content.
    means: String,
    accuracy: String,
    lost: String,
}

/// A picture of an item.
struct Picture {
    /// What it shows.
    what: &'static str,
    address: String,
}

/// The page of the list, and the style that is chosen; empty for all.
#[derive(Debug, Deserialize)]
pub(crate) struct DoubtfulQuery {
    #[serde(default)]
    page: String,
    #[serde(default)]
    style: String,
}

/// Shows the doubtful items of a run.
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
        shards.iter().map(|(_, number)| number).sum(),
        ITEMS_PER_PAGE,
        parts::number("page", &query.page)?.unwrap_or(1),
        format!("{}&page=", address(&query.style)),
    );
    let places = pager.first..pager.last;
    let items = items(&dashboard, &view, (shards.as_slice(), places), &query.style).await?;
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
        items,
        width: view.run.record.frozen.model.width,
        height: view.run.record.frozen.model.height,
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

/// Returns the shards with doubtful items, of `style` unless it is empty, each with how many those are.
fn shards<'a>(view: &'a RunView, style: &str) -> Vec<(&'a Shard, usize)> {
    let counted = view.tally.shards().filter_map(|(id, shard)| {
        let number = match style {
            "" => shard.counts.doubtful,
            style => shard.doubtful.get(style).copied().unwrap_or_default(),
        };
        Some((view.run.plan.shard(id)?, number))
    });
    counted.filter(|(_, number)| *number > 0).collect()
}

/// Returns the doubtful items at some places among those of all shards, of `style` unless it is empty.
async fn items(
    dashboard: &Dashboard,
    view: &RunView,
    (shards, places): (&[(&Shard, usize)], Range<usize>),
    style: &str,
) -> Result<Vec<DoubtfulItem>, PageError> {
    let part = part_of(shards, &places);
    let read = part.iter().map(|&(first, shard)| async move {
        let items = doubtful_items(dashboard, view, shard, style).await?;
        Ok::<_, PageError>((first..).zip(items))
    });
    let found = try_join_all(read).await?.into_iter().flatten();
    let found = found.filter(|(place, _)| places.contains(place));
    Ok(found.map(|(_, item)| item).collect())
}

/// Returns those of things in a row that reach into some places, each with the place of its first, by how many places each
/// takes.
fn part_of<T: Copy>(things: &[(T, usize)], places: &Range<usize>) -> Vec<(usize, T)> {
    let mut end = 0;
    let mut part = Vec::new();
    for &(thing, number) in things {
        let first = end;
        end += number;
        if first < places.end && places.start < end {
            part.push((first, thing));
        }
    }
    part
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
        let told = |figure: fn(&AgreementReport) -> String| agreement.as_ref().map(figure);
        Some(DoubtfulItem {
            shard: shard.id,
            place: *places.get(&row.item)?,
            pictures: pictures(view, &row.item),
            means: told(AgreementReport::means).unwrap_or_else(|| NOTHING.to_owned()),
            accuracy: told(AgreementReport::accuracies).unwrap_or_else(|| NOTHING.to_owned()),
            lost: told(AgreementReport::lost_in_words).unwrap_or_default(),
            content: row.item.content,
            style: row.item.style,
        })
    };
    Ok(wanted.filter_map(item).collect())
}

/// Returns the pictures of a doubtful item.
fn pictures(view: &RunView, item: &ItemId) -> [Picture; 5] {
    let (style, content) = (url_encoded(&item.style), url_encoded(&item.content));
    let address = |of: String| format!("/runs/{}/images/{of}?v={}", view.id(), view.version());
    [
        ("Content", format!("content/{content}")),
        ("Output", format!("output/{style}/{content}")),
        ("Label", format!("label/{content}")),
        (
            "Predicted for the content",
            format!("predictions/content/{style}/{content}"),
        ),
        (
            "Predicted for the output",
            format!("predictions/output/{style}/{content}"),
        ),
    ]
    .map(|(what, of)| Picture {
        what,
        address: address(of),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_of_items_those_shards_alone_are_read_that_it_shows() {
        let shards = [("a", 3), ("b", 20), ("c", 1), ("d", 40)];
        let part = |places: Range<usize>| part_of(&shards, &places);
        assert_eq!(part(0..20), [(0, "a"), (3, "b")]);
        assert_eq!(part(20..40), [(3, "b"), (23, "c"), (24, "d")]);
        assert_eq!(part(40..60), [(24, "d")]);
        assert_eq!(part(60..64), [(24, "d")]);
        assert!(part(0..0).is_empty());
    }
}

//! The pages of comparisons: their list, and one of them with what its runs have made so far.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use shared::ids::RunId;
use shared::wording::counted;

use super::states::{self, Badge};
use crate::output::comparison::{
    Combination, Comparison, FigureRow, Figures, ShownItem, rows, shown_items,
};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::url_encoded;
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;

#[derive(Template)]
#[template(path = "comparisons.html")]
struct ComparisonsPage {
    layout: Layout,
    root: String,
    /// The runs that comparisons were made for.
    runs: Vec<String>,
}

/// Shows the list of comparisons.
pub(crate) async fn list(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, PageError> {
    let runs = Comparison::all(dashboard.storage.as_ref()).await?;
    Ok(page(&ComparisonsPage {
        layout: Layout::new(&dashboard, &visitor, Section::Comparisons, "Comparisons"),
        root: dashboard.root.clone(),
        runs: runs.iter().map(RunId::to_string).collect(),
    }))
}

#[derive(Template)]
#[template(path = "comparison.html")]
struct ComparisonPage {
    layout: Layout,
    run: String,
    /// How many contents in how many styles.
    items: String,
    columns: Vec<RunColumn>,
    rows: Vec<ItemRow>,
    figures: Vec<FigureRow>,
    /// The size of pictures.
    width: usize,
    height: usize,
}

/// A combination.
struct RunColumn {
    number: usize,
    label: String,
    run: String,
    /// How its run is; none if it has not begun.
    badge: Option<Badge>,
}

/// An item of every combination, with the addresses of its pictures.
struct ItemRow {
    style: String,
    content: String,
    /// Its content and its style; none if no run has begun.
    before: Option<String>,
    photograph: Option<String>,
    /// What each combination made of it; none if it is not made.
    outputs: Vec<Option<String>>,
}

/// Shows a comparison.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let nothing = || PageError::NotFound(format!("nothing was compared for run {name:?}"));
    let run: RunId = name.parse().map_err(|_| nothing())?;
    let stored = Comparison::stored(dashboard.storage.as_ref(), &run).await?;
    let comparison = stored.ok_or_else(nothing)?;
    let combinations = comparison.combinations.iter();
    let views: Vec<Option<Arc<RunView>>> = combinations
        .map(|combination| dashboard.live.run(&combination.run))
        .collect();
    let figures: Vec<Figures> = comparison
        .combinations
        .iter()
        .zip(&views)
        .map(|(combination, view)| match view {
            Some(view) => figures(combination, view),
            None => Figures::of_nothing(&comparison),
        })
        .collect();
    let figures: Vec<&Figures> = figures.iter().collect();
    let first = views.iter().flatten().next();
    let model = first.map(|view| &view.run.record.frozen.model);
    let contents = counted(comparison.contents.len(), "content", "contents");
    let styles = counted(comparison.styles.len(), "style", "styles");
    let columns = comparison.combinations.iter().zip(&views).enumerate();
    Ok(page(&ComparisonPage {
        layout: Layout::new(
            &dashboard,
            &visitor,
            Section::Comparisons,
            format!("{name}, comparison"),
        ),
        items: format!("{contents} in {styles}"),
        columns: columns
            .map(|(at, (combination, view))| RunColumn {
                number: at + 1,
                label: combination.label(),
                run: combination.run.to_string(),
                badge: view.as_ref().map(|view| badge(&dashboard, view)),
            })
            .collect(),
        rows: shown_items(&comparison)
            .into_iter()
            .map(|item| row(item, &views))
            .collect(),
        figures: rows(&figures),
        // Before any run has begun, nothing is shown at any size.
        width: model.map_or(2, |model| model.width),
        height: model.map_or(1, |model| model.height),
        run: name,
    }))
}

fn figures(combination: &Combination, view: &RunView) -> Figures {
    let report = view.report.as_ref();
    Figures::of(&view.run, &view.counts, report, combination.whole)
}

fn badge(dashboard: &Dashboard, view: &RunView) -> Badge {
    let in_hand = dashboard.live.in_hand(view.id());
    states::of_run(&view.state(in_hand.len(), dashboard.live.now()))
}

/// Returns the pictures of an item. An output is shown once its shard is committed.
fn row(item: ShownItem<'_>, views: &[Option<Arc<RunView>>]) -> ItemRow {
    let first = views.iter().flatten().next();
    let input = |kind: &str, name: &str| {
        let view = first?;
        let place = format!("{kind}/{}", url_encoded(name));
        Some(address(view, &place))
    };
    let output = |view: &Option<Arc<RunView>>| {
        let view = view.as_ref().filter(|view| is_made(view, item))?;
        let (style, content) = (url_encoded(item.style), url_encoded(item.content));
        Some(address(view, &format!("output/{style}/{content}")))
    };
    ItemRow {
        before: input("content", item.content),
        photograph: input("style", item.style),
        outputs: views.iter().map(output).collect(),
        style: item.style.to_owned(),
        content: item.content.to_owned(),
    }
}

fn address(view: &RunView, place: &str) -> String {
    let (run, version) = (view.id(), view.version());
    format!("/runs/{run}/images/{place}?v={version}")
}

/// Returns whether the shard of an item is committed.
fn is_made(view: &RunView, item: ShownItem<'_>) -> bool {
    let plan = &view.run.plan;
    let mut shards = plan.shards.iter();
    let shard = shards.find(|shard| {
        shard.items().any(|at| {
            let found = plan.item(at);
            found.style == item.style && found.content == item.content
        })
    });
    shard.is_some_and(|shard| view.ledger.committed.contains(&shard.id))
}

//! The page of the class maps of a run's styles without labels: each over its photograph, with the share of each class.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use imaging::ClassShares;
use serde::Deserialize;
use shared::wording::counted;

use super::parts::{self, Pager};
use crate::output::class_maps;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::url_encoded;
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;

/// Maps on a page: each is read to tell its shares.
const MAPS_PER_PAGE: usize = 12;

#[derive(Template)]
#[template(path = "priors.html")]
struct PriorsPage {
    layout: Layout,
    run: String,
    /// How many styles have none: `3 styles have`.
    unlabelled: String,
    maps: Vec<MapLine>,
    /// The size of pictures.
    width: usize,
    height: usize,
    pager: Pager,
}

/// A class map, and what it is of.
struct MapLine {
    style: String,
    /// Addresses of its pictures.
    photograph: String,
    map: String,
    /// Each class with its share; none if the map is not made yet, or cannot be read.
    shares: Vec<(&'static str, String)>,
    /// Whether it says nearly everywhere the same.
    is_uniform: bool,
}

/// The page of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct PriorsQuery {
    #[serde(default)]
    page: String,
}

/// Shows the class maps of a run.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(query): Query<PriorsQuery>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let changed = &view.ledger.decisions.changed_inputs;
    let styles = 0..view.run.plan.styles.len();
    let styles: Vec<usize> = styles
        .filter(|&style| view.run.has_class_map(style, changed))
        .collect();
    let pager = Pager::new(
        styles.len(),
        MAPS_PER_PAGE,
        parts::number("page", &query.page)?.unwrap_or(1),
        format!("/runs/{name}/priors?page="),
    );
    let mut maps = Vec::new();
    for &style in &styles[pager.first..pager.last] {
        maps.push(line(&dashboard, &view, style).await);
    }
    let model = &view.run.record.frozen.model;
    Ok(page(&PriorsPage {
        layout: Layout::new(
            &dashboard,
            &visitor,
            Section::Runs,
            format!("{name}, class maps"),
        )
        .for_run(&dashboard, view.id()),
        unlabelled: counted(styles.len(), "style has", "styles have"),
        maps,
        width: model.width,
        height: model.height,
        pager,
        run: name,
    }))
}

async fn line(dashboard: &Dashboard, view: &RunView, style: usize) -> MapLine {
    let name = view.run.plan.styles[style].name();
    let address = |kind: &str| {
        let (run, version) = (view.id(), view.version());
        format!(
            "/runs/{run}/images/{kind}/{}?v={version}",
            url_encoded(name)
        )
    };
    let run = (&*view.run, &view.ledger.decisions.changed_inputs);
    let shares = class_maps::shares(dashboard.storage.as_ref(), run, style).await;
    MapLine {
        style: name.to_owned(),
        photograph: address("style"),
        map: address("prior"),
        is_uniform: shares
            .as_ref()
            .is_some_and(|shares| shares.warning(name).is_some()),
        shares: shares.iter().flat_map(ClassShares::told).collect(),
    }
}

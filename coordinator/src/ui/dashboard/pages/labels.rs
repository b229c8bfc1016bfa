//! The page of how the labels of a run agree with what a segmenter predicts: pixel accuracy, mean IoU, and the IoU of each
//! class, of all styles or of one.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::output::report::{AgreementReport, RunReport, text};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{count, url_encoded};
use crate::ui::dashboard::layout::{Layout, Section, page};

#[derive(Template)]
#[template(path = "labels.html")]
struct LabelsPage {
    layout: Layout,
    run: String,
    /// Of all styles first, then of each.
    lines: Vec<LabelLine>,
    /// Whose classes are shown.
    whose: String,
    /// Each class that labels show: its name, its IoU in contents and in outputs, and what it gained.
    classes: Vec<[String; 4]>,
    segmenter: String,
}

/// How labels of a style agree, or of all.
struct LabelLine {
    name: String,
    address: String,
    chosen: bool,
    means: String,
    accuracy: String,
    doubtful: String,
    items: String,
}

/// The style that is chosen; empty for all.
#[derive(Debug, Deserialize)]
pub(crate) struct LabelsQuery {
    #[serde(default)]
    style: String,
}

/// Shows how the labels of a run agree.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(query): Query<LabelsQuery>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let judged: Vec<(&str, &AgreementReport)> = view.report.iter().flat_map(judged).collect();
    let chosen = judged.iter().find(|(style, _)| *style == query.style);
    let lines = judged.iter().map(|&(style, agreement)| LabelLine {
        name: shown(style).to_owned(),
        address: format!("/runs/{name}/labels?style={}", url_encoded(style)),
        chosen: style == query.style,
        means: agreement.means(),
        accuracy: agreement.accuracies(),
        doubtful: count(agreement.doubtful),
        items: count(agreement.items),
    });
    let segmenter = view.report.iter().find_map(|it| it.segmenter.as_ref());
    Ok(page(&LabelsPage {
        layout: Layout::new(
            &dashboard,
            &visitor,
            Section::Runs,
            format!("{name}, labels"),
        )
        .for_run(&dashboard, view.id()),
        lines: lines.collect(),
        whose: shown(&query.style).to_owned(),
        classes: chosen.map_or_else(Vec::new, |(_, agreement)| agreement.classes()),
        segmenter: segmenter.map_or_else(|| "a segmenter".to_owned(), text::name_of_network),
        run: name,
    }))
}

/// Returns how labels agree in a report: of all styles, whose name is empty, and of each.
fn judged(report: &RunReport) -> impl Iterator<Item = (&str, &AgreementReport)> {
    let all = report.label_agreement.iter().map(|all| ("", all));
    let styles = report.styles.iter();
    let styles =
        styles.filter_map(|style| Some((style.style.as_str(), style.label_agreement.as_ref()?)));
    all.chain(styles)
}

/// Returns the name of a style as people read it.
fn shown(style: &str) -> &str {
    if style.is_empty() {
        "All styles"
    } else {
        style
    }
}

//! The styles of a run: progress and figures of each.

use shared::item_metric::ItemMetric;
use shared::wording::first_of;

use crate::output::report::{AgreementReport, StyleReport};
use crate::ui::dashboard::format::{NOTHING, count, figure, url_encoded};
use crate::ui::dashboard::pages::parts::Bar;
use crate::work::collector::RunView;
use crate::work::collector::run_view::StyleCounts;

/// A style of a run in a table.
#[derive(Debug)]
pub(super) struct StyleLine {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) bar: Bar,
    pub(super) done: String,
    pub(super) planned: String,
    pub(super) fid: String,
    pub(super) kid: String,
    pub(super) kid_error: String,
    /// The mean of each metric.
    pub(super) figures: Vec<String>,
    /// The mean IoU with labels, of contents and of outputs.
    pub(super) agreement: String,
    /// The classes that were lost most.
    pub(super) lost: String,
    pub(super) doubtful: usize,
    pub(super) num_doubtful: String,
    /// The number of items that the figures are about.
    pub(super) items: String,
    pub(super) notes: String,
}

/// Returns the styles of a run, in the order of the plan.
pub(super) fn styles(view: &RunView) -> Vec<StyleLine> {
    let names = view.run.plan.styles.iter().map(|style| style.name());
    let counts = view.styles.iter().copied();
    let doubtful = view.doubtful_of_styles();
    names
        .zip(counts)
        .map(|(name, counts)| {
            let doubtful = doubtful.get(name).copied().unwrap_or(0);
            line(view, name, counts, doubtful)
        })
        .collect()
}

fn line(view: &RunView, name: &str, counts: StyleCounts, doubtful: usize) -> StyleLine {
    let reports = view.report.iter().flat_map(|report| &report.styles);
    let report: Option<&StyleReport> = { reports }.find(|report| report.style == name);
    let figures = ItemMetric::ALL.into_iter().map(|metric| {
        let mean = report.and_then(|report| report.figures[metric]);
        figure(mean, metric.decimals())
    });
    let agreement = report.and_then(|report| report.label_agreement.as_ref());
    let of = |figure: fn(&StyleReport) -> Option<f64>| report.and_then(figure);
    StyleLine {
        address: url_encoded(name),
        bar: Bar::of(counts, 0),
        done: count(counts.done),
        planned: count(counts.planned),
        fid: figure(of(|report| report.fid), 1),
        kid: figure(of(|report| report.kid), 4),
        kid_error: of(|report| report.kid_standard_error)
            .map(|error| format!("± {error:.4}"))
            .unwrap_or_default(),
        figures: figures.collect(),
        agreement: agreement.map_or_else(|| NOTHING.to_owned(), AgreementReport::means),
        lost: agreement
            .map(AgreementReport::lost_in_words)
            .unwrap_or_default(),
        doubtful,
        num_doubtful: count(doubtful),
        items: report.map_or_else(|| NOTHING.to_owned(), |report| count(report.items)),
        notes: report
            .map(|report| first_of(&report.notes, "; "))
            .unwrap_or_default(),
        name: name.to_owned(),
    }
}

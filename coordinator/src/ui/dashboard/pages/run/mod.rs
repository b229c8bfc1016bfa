//! The page of a run: progress, figures, shards, workers and failures.

mod shard_table;
mod styles;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use shared::item_metric::ItemMetric;
use shared::json;
use shared::settings::MethodConfig;
use shared::warning::WarningKind;

use self::shard_table::{Filter, ShardTable};
use self::styles::{StyleLine, styles};
use super::parts;
use super::run_summary::RunSummary;
use super::workers::{WorkerLine, workers};
use crate::output::report::{AgreementReport, Cost, RunReport, text};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::access::Visitor;
use crate::ui::dashboard::actions::without_queue;
use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::{count, figure, things};
use crate::ui::dashboard::layout::{Layout, Section, page};
use crate::work::collector::RunView;

/// Most reasons of failures that are listed here; all of them are on a page of their own.
const MAX_REASONS: usize = 5;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    layout: Layout,
    run: RunSummary,
    facts: Vec<Fact>,
    /// The titles of the metrics.
    metrics: Vec<&'static str>,
    styles: Vec<StyleLine>,
    figures: Option<Figures>,
    table: ShardTable,
    workers: Vec<WorkerLine>,
    reasons: Vec<Reason>,
    num_reasons: usize,
    warnings: Vec<Reason>,
    /// Whether there is a segmenter that tells of labels.
    has_labels: bool,
    /// Whether class maps stand for labels of styles.
    has_class_maps: bool,
    doubtful: usize,
    num_doubtful: String,
    actions: Actions,
    /// The class of the grid's height, known before it is drawn so that nothing jumps.
    grid: &'static str,
    num_shards: String,
}

/// A setting or a size of a run.
struct Fact {
    what: &'static str,
    is: String,
}

/// What is said below the figures of the styles.
struct Figures {
    /// How labels agree over all styles; empty without a segmenter.
    labels: String,
    /// Their pixel accuracy, of contents and of outputs.
    accuracy: String,
    segmenter: String,
    cost: String,
}

/// A reason or a warning, and how many items have it.
struct Reason {
    text: String,
    count: String,
}

/// The actions that the page offers.
struct Actions {
    can_resume: bool,
    can_retry: bool,
    can_retry_quarantined: bool,
    can_cancel: bool,
    /// Why nothing can be handed to workers.
    obstacle: Option<&'static str>,
}

/// Which shards are shown: those of a state and of a style, empty for all, a page of them.
#[derive(Debug, Deserialize)]
pub(crate) struct RunQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    style: String,
    #[serde(default)]
    page: String,
}

/// Shows a run.
pub(crate) async fn show(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Query(query): Query<RunQuery>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&name)?;
    let filter = Filter {
        state: &query.state,
        style: &query.style,
        page: parts::number("page", &query.page)?.unwrap_or(1),
    };
    let run = RunSummary::of(&dashboard, &view);
    Ok(page(&RunPage {
        layout: Layout::new(&dashboard, &visitor, Section::Runs, &name)
            .for_run(&dashboard, view.id()),
        actions: Actions {
            can_resume: view.num_remaining() > 0 || run.damage().is_some(),
            can_retry: !view.failures.is_empty(),
            can_retry_quarantined: view.counts.quarantined > view.num_retried,
            can_cancel: view.num_remaining() > 0 && run.halted().is_none(),
            obstacle: without_queue(&dashboard),
        },
        facts: facts(&view),
        metrics: ItemMetric::ALL.map(ItemMetric::title).to_vec(),
        styles: styles(&view),
        figures: view.report.as_ref().map(figures),
        table: ShardTable::of(&dashboard, &view, &filter),
        workers: workers(&dashboard, Some(view.id())),
        reasons: reasons(&view),
        num_reasons: view.counts.reasons.len(),
        warnings: warnings(&view),
        has_labels: has_labels(&view),
        has_class_maps: view.run.has_class_maps(),
        doubtful: view.counts.doubtful,
        num_doubtful: count(view.counts.doubtful),
        grid: grid_height(&view),
        num_shards: count(view.run.plan.shards.len()),
        run,
    }))
}

fn facts(view: &RunView) -> Vec<Fact> {
    let record = &view.run.record;
    let (frozen, plan) = (&record.frozen, &view.run.plan);
    let method = &frozen.method;
    let fact = |what, is| Fact { what, is };
    let mut facts = match method {
        MethodConfig::Diffusion(method) => vec![
            fact(
                "Method",
                format!("{}, {}", method.method, json::name(&method.preset)),
            ),
            fact(
                "Steps",
                format!("{} of {}", method.num_executed(), method.steps),
            ),
        ],
        MethodConfig::Baseline(_) | MethodConfig::Translator(_) => {
            vec![fact("Method", method.method().to_string())]
        }
    };
    facts.extend([
        fact("Seed", method.seed().to_string()),
        fact(
            "Output",
            format!("{} × {}", frozen.model.width, frozen.model.height),
        ),
        fact(
            "Plan",
            format!(
                "{} × {} in {}",
                things(plan.contents.len(), "content"),
                things(plan.styles.len(), "style"),
                things(plan.shards.len(), "shard")
            ),
        ),
        fact("Contents", record.inputs.content.to_string()),
        fact("Styles", record.inputs.style.to_string()),
    ]);
    let model = record.inputs.model.as_ref();
    facts.extend(model.map(|model| fact("Model", model.to_string())));
    facts
}

fn figures(report: &RunReport) -> Figures {
    let labels = report.label_agreement.as_ref();
    let segmenter = report.segmenter.as_ref();
    Figures {
        labels: labels.map(|it| it.to_string()).unwrap_or_default(),
        accuracy: labels.map(AgreementReport::accuracies).unwrap_or_default(),
        segmenter: segmenter.map_or_else(|| "a segmenter".to_owned(), text::name_of_network),
        cost: cost(&report.cost),
    }
}

fn cost(cost: &Cost) -> String {
    let seconds = figure(cost.seconds_per_image, 2);
    match cost.evaluations_per_image {
        None => format!("{seconds} s an image"),
        evaluations => {
            let evaluations = figure(evaluations, 1);
            format!("{seconds} s and {evaluations} UNet evaluations an image")
        }
    }
}

fn has_labels(view: &RunView) -> bool {
    let is_reported = |report: &RunReport| report.label_agreement.is_some();
    let evaluators = &view.run.record.frozen.evaluators;
    evaluators.segmenter.is_some() || view.report.as_ref().is_some_and(is_reported)
}

fn reasons(view: &RunView) -> Vec<Reason> {
    let reasons = view.counts.frequent_reasons();
    let reason = |(text, number): (&String, usize)| Reason {
        text: text.clone(),
        count: count(number),
    };
    reasons.into_iter().take(MAX_REASONS).map(reason).collect()
}

fn warnings(view: &RunView) -> Vec<Reason> {
    let kinds = view.counts.warning_kinds.iter();
    let reason = |(kind, number): (&WarningKind, &usize)| Reason {
        text: kind.to_string(),
        count: count(*number),
    };
    kinds.map(reason).collect()
}

/// Shards of a style that fit into a row of the grid.
const SHARDS_IN_A_ROW: usize = 40;

/// Returns the class of the grid's height: its rows, if it has few, or else a part of the screen.
fn grid_height(view: &RunView) -> &'static str {
    let num_styles = view.run.plan.styles.len();
    let cells: usize = view.run.plan.shards.iter().map(|s| s.styles.len()).sum();
    let one_row = cells <= SHARDS_IN_A_ROW * num_styles;
    match num_styles {
        0 | 1 if one_row => "rows-1",
        2 if one_row => "rows-2",
        3 if one_row => "rows-3",
        4 if one_row => "rows-4",
        _ if cells <= 2000 => "middle",
        _ => "high",
    }
}

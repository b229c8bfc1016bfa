//! The summary of a run: a row of the list of runs, and the head of the page of one.

use std::collections::BTreeSet;

use super::parts::Bar;
use super::states::{self, Badge};
use crate::output::report::{RunReport, text};
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::format::{self, NOTHING, TimestampLabel, count, percent};
use crate::work::collector::RunView;
use crate::work::collector::pace::{self, Pace, Span};
use crate::work::collector::run_view::{RunState, StyleCounts};

/// Points of the small drawing of a run's pace.
const POINTS: usize = 40;
/// Most references that are named one by one.
const MAX_REFERENCES: usize = 3;
/// Width and height of the drawing in its own units.
const DRAWING: (f64, f64) = (120.0, 28.0);

/// The state and the figures of a run, as text.
#[derive(Debug)]
pub(super) struct RunSummary {
    pub(super) name: String,
    pub(super) state: RunState,
    pub(super) badge: Badge,
    pub(super) bar: Bar,
    pub(super) percent: String,
    pub(super) num_items: String,
    pub(super) done: String,
    pub(super) quarantined: String,
    pub(super) failed: String,
    pub(super) not_done: usize,
    pub(super) rate: String,
    pub(super) left: String,
    /// Device-hours so far.
    pub(super) hours: String,
    /// Those to come, if any are.
    pub(super) hours_to_come: Option<String>,
    /// The same with the money that they cost.
    pub(super) hours_label: String,
    /// What the hours so far cost, where there is a price.
    pub(super) money: Option<String>,
    pub(super) fid: String,
    pub(super) num_fid: usize,
    /// What its FID was computed with.
    pub(super) fid_label: Option<FidLabel>,
    pub(super) created: TimestampLabel,
    pub(super) newest: Option<TimestampLabel>,
    /// The points of the drawing of its pace; empty before there is one.
    pub(super) drawing: String,
}

/// What an FID was computed with, so that it is not taken for a published one.
#[derive(Debug)]
pub(super) struct FidLabel {
    /// Whether it can be compared with published figures.
    pub(super) published: bool,
    /// Its network, what to beware of, and its references.
    pub(super) text: String,
}

impl FidLabel {
    /// Returns the label of a report's figures; none if there was no network for them.
    pub(super) fn of(report: &RunReport) -> Option<Self> {
        let network = report.extractor.as_ref()?;
        let mut parts = vec![format!("features of {}", text::name_of_network(network))];
        parts.extend(text::caution(network).map(str::to_owned));
        let references = report.styles.iter().filter_map(|style| {
            let reference = style.reference.as_ref()?;
            let items = reference
                .items
                .map_or_else(|| "an unknown number of".to_owned(), count);
            Some(format!("{items} images of {}", reference.path))
        });
        let references: BTreeSet<String> = references.collect();
        match references.len() {
            0 => {}
            1..=MAX_REFERENCES => {
                let references: Vec<String> = references.into_iter().collect();
                parts.push(format!("compared with {}", references.join(", ")));
            }
            many => parts.push(format!("compared with {many} references")),
        }
        Some(Self {
            published: network.published,
            text: parts.join("; "),
        })
    }
}

impl RunSummary {
    /// Returns the summary of the newest snapshot of a run.
    pub(super) fn of(dashboard: &Dashboard, view: &RunView) -> Self {
        let now = dashboard.live.now();
        let in_hand = dashboard.live.in_hand(view.id());
        let items_in_hand = view.num_ended_in(&in_hand);
        let spans = view.spans_with(&in_hand, now);
        let state = view.state(in_hand.len(), now);
        let pace = view.pace(&in_hand, now);
        let counts = &view.counts;
        let all = StyleCounts {
            planned: view.num_items,
            done: counts.done,
            quarantined: counts.quarantined,
            failed: counts.failed,
        };
        let newest = view.spans.last().map(|span| span.end);
        let (fid, num_fid) = mean_fid(view);
        let hours = view.device_hours();
        let price = view.run.record.price.as_ref();
        Self {
            name: view.id().to_string(),
            badge: states::of_run(&state),
            bar: Bar::of(all, items_in_hand),
            percent: percent(view.num_ended(), view.num_items),
            num_items: count(view.num_items),
            done: count(counts.done),
            quarantined: count(counts.quarantined),
            failed: count(counts.failed),
            not_done: counts.not_done(),
            rate: rate(&state, pace, view),
            left: format::left(pace.and_then(|pace| pace.left)),
            hours: format::device_hours(hours.so_far),
            hours_to_come: hours
                .to_come
                .filter(|&hours| hours > 0.0)
                .map(format::device_hours),
            hours_label: hours.told(price),
            money: price.map(|price| price.of(hours.so_far).to_string()),
            fid: format::figure(fid, 1),
            num_fid,
            fid_label: view.report.as_ref().and_then(FidLabel::of),
            created: TimestampLabel::new(view.run.record.created_at, now),
            newest: newest.map(|at| TimestampLabel::new(at, now)),
            drawing: drawing(&spans, view.planned_work()),
            state,
        }
    }

    /// Returns why the run is halted; none if it is not.
    pub(super) fn halted(&self) -> Option<&str> {
        match &self.state {
            RunState::Halted(reason) => Some(reason),
            RunState::Complete
            | RunState::Damaged(_)
            | RunState::Ended
            | RunState::Running
            | RunState::Waiting
            | RunState::Idle => None,
        }
    }

    /// Returns what of the run is damaged; none if nothing is.
    pub(super) fn damage(&self) -> Option<&str> {
        match &self.state {
            RunState::Damaged(what) => Some(what),
            RunState::Complete
            | RunState::Halted(_)
            | RunState::Ended
            | RunState::Running
            | RunState::Waiting
            | RunState::Idle => None,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == RunState::Running
    }
}

/// Returns the current pace of an open run, or the mean pace of one that has ended.
fn rate(state: &RunState, pace: Option<Pace>, view: &RunView) -> String {
    let whole = match state {
        RunState::Complete | RunState::Ended | RunState::Damaged(_) => whole_pace(view),
        RunState::Halted(_) | RunState::Running | RunState::Waiting | RunState::Idle => None,
    };
    let per_minute = pace.map(|pace| pace.per_minute).or(whole);
    per_minute.map_or_else(|| NOTHING.to_owned(), format::rate)
}

/// Returns the mean images per minute of the time in which shards were worked on.
fn whole_pace(view: &RunView) -> Option<f64> {
    let minutes = pace::worked(&view.spans).as_secs_f64() / 60.0;
    (minutes > 0.0).then(|| view.counts.converted as f64 / minutes)
}

/// Returns the mean FID of the styles that have one, and their number.
fn mean_fid(view: &RunView) -> (Option<f64>, usize) {
    let styles = view.report.iter().flat_map(|report| &report.styles);
    let known: Vec<f64> = styles.filter_map(|style| style.fid).collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    ((!known.is_empty()).then_some(mean), known.len())
}

/// Returns the points of a polyline of the pace over time; empty if nothing was made yet.
fn drawing(spans: &[Span], planned: f64) -> String {
    let Some(newest) = spans.last() else {
        return String::new();
    };
    let history = pace::history(spans, planned, POINTS, newest.end);
    let most = history.iter().map(|stretch| stretch.per_minute);
    let most = most.fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    let (width, height) = DRAWING;
    let point = |(place, stretch): (usize, &pace::Stretch)| {
        let x = width * place as f64 / (POINTS - 1) as f64;
        let y = height - 1.5 - (height - 3.0) * stretch.per_minute / most;
        format!("{x:.1},{y:.1}")
    };
    let points: Vec<String> = history.iter().enumerate().map(point).collect();
    points.join(" ")
}

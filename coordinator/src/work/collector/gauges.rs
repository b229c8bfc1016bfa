//! What the collector sees, as gauges for Prometheus. Those of a run last as long as it is watched.

use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{Clock, SystemClock};
use shared::dataset::classes::CLASSES;
use shared::ids::RunId;
use shared::metrics::{self, Gauge, names};
use shared::queue::Depth;

use crate::output::report::{AgreementReport, LabelReport, RunReport};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, ShardState};
use crate::run::policy::Fate;
use crate::run::tally::Counts;

/// Styles of a run that have gauges of their own; where there are more, none has.
const MAX_STYLES: usize = 100;

/// The gauges of one run.
#[derive(Debug, Default)]
pub(super) struct RunGauges {
    seen: Option<Seen>,
    /// What a segmenter predicts, as the newest report has it.
    agreements: Vec<Agreement>,
}

/// How predictions for contents or outputs agree with labels.
#[derive(Debug, Clone, PartialEq)]
struct Agreement {
    run: String,
    figure: AgreementFigure,
    of: &'static str,
    share: f64,
}

/// What a share of agreement is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum AgreementFigure {
    /// The mean IoU of the run.
    MeanIou,
    /// The pixel accuracy of the run.
    Accuracy,
    /// The IoU of a class in the run.
    ClassIou(&'static str),
    /// The mean IoU of a style.
    StyleMeanIou(String),
}

/// Returns figures of contents and of outputs, with what they are of.
fn both(found: &AgreementReport) -> [(&'static str, &LabelReport); 2] {
    [("content", &found.content), ("output", &found.output)]
}

impl Agreement {
    /// Returns those of a report.
    fn all(run: &RunId, report: &RunReport) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |figure: AgreementFigure, of: &'static str, share: Option<f64>| {
            let share = share.filter(|share| (0.0..=1.0).contains(share));
            all.extend(share.map(|share| Self {
                run: run.to_string(),
                figure,
                of,
                share,
            }));
        };
        for (of, labels) in report.label_agreement.iter().flat_map(both) {
            add(AgreementFigure::MeanIou, of, labels.miou);
            add(AgreementFigure::Accuracy, of, labels.pixel_accuracy);
            for class in CLASSES {
                let figure = AgreementFigure::ClassIou(class.name);
                add(figure, of, labels.of_class(class.name));
            }
        }
        let styles = report.styles.iter();
        for style in styles.filter(|_| report.styles.len() <= MAX_STYLES) {
            for (of, labels) in style.label_agreement.iter().flat_map(both) {
                let figure = AgreementFigure::StyleMeanIou(style.style.clone());
                add(figure, of, labels.miou);
            }
        }
        all
    }

    fn gauge(&self) -> Gauge {
        let (run, of) = (self.run.as_str(), self.of);
        match &self.figure {
            AgreementFigure::MeanIou => names::RUN_LABEL_AGREEMENT.gauge([run, of]),
            AgreementFigure::Accuracy => names::RUN_LABEL_ACCURACY.gauge([run, of]),
            AgreementFigure::ClassIou(class) => names::RUN_LABEL_CLASS_IOU.gauge([run, of, class]),
            AgreementFigure::StyleMeanIou(style) => {
                names::RUN_STYLE_LABEL_AGREEMENT.gauge([run, style, of])
            }
        }
    }

    /// Returns whether another one is shown in its place.
    fn is_replaced_by(&self, other: &Self) -> bool {
        (&self.run, &self.figure, self.of) == (&other.run, &other.figure, other.of)
    }
}

/// A run as it was seen last.
#[derive(Debug)]
struct Seen {
    run: String,
    items: [(&'static str, usize); 4],
    shards: [(&'static str, usize); 3],
    doubtful: usize,
    attempts_failed: usize,
    converted: usize,
    unet_evaluations: f64,
    work_seconds: f64,
    is_halted: bool,
    is_complete: bool,
    last_commit: Timestamp,
    last_decision: Timestamp,
}

impl Seen {
    fn of(run: &FrozenRun, ledger: &Ledger, counts: &Counts, fate: Fate) -> Self {
        let now = SystemClock.now();
        let max_attempts = run.record.limits.max_attempts;
        let (mut committed, mut failed, mut open) = (0, 0, 0);
        for shard in &run.plan.shards {
            match ledger.state(shard.id, max_attempts) {
                ShardState::Committed | ShardState::RevisionFailed { .. } => committed += 1,
                ShardState::Failed { .. } => failed += 1,
                ShardState::Open | ShardState::Revising { .. } => open += 1,
            }
        }
        let ended = counts.done.saturating_add(counts.not_done());
        Self {
            run: run.record.run.to_string(),
            items: [
                ("done", counts.done),
                ("quarantined", counts.quarantined),
                ("failed", counts.failed),
                ("pending", run.plan.num_items().saturating_sub(ended)),
            ],
            shards: [("committed", committed), ("failed", failed), ("open", open)],
            doubtful: counts.doubtful,
            attempts_failed: ledger.num_failed_attempts(),
            converted: counts.converted,
            unet_evaluations: counts.unet_evaluations,
            work_seconds: counts.busy_ms / 1000.0,
            is_halted: ledger.decisions.halted.is_some(),
            is_complete: fate.is_complete(),
            last_commit: now,
            // 0 where nothing was decided.
            last_decision: ledger.decisions.last_at.unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Returns what is shown of the run.
    fn gauges(&self) -> Vec<(Gauge, f64)> {
        let run = self.run.as_str();
        let items = self
            .items
            .map(|(state, count)| (names::RUN_ITEMS.gauge([run, state]), count as f64));
        let shards = self
            .shards
            .map(|(state, count)| (names::RUN_SHARDS.gauge([run, state]), count as f64));
        let truth = |is_so: bool| f64::from(u8::from(is_so));
        let time = |at: Timestamp| at.as_second() as f64;
        let others = [
            (names::RUN_ITEMS_DOUBTFUL, self.doubtful as f64),
            (names::RUN_ATTEMPTS_FAILED, self.attempts_failed as f64),
            (names::RUN_ITEMS_CONVERTED, self.converted as f64),
            (names::RUN_UNET_EVALUATIONS, self.unet_evaluations),
            (names::RUN_WORK_SECONDS, self.work_seconds),
            (names::RUN_HALTED, truth(self.is_halted)),
            (names::RUN_COMPLETE, truth(self.is_complete)),
            (names::RUN_LAST_COMMIT, time(self.last_commit)),
            (names::RUN_LAST_DECISION, time(self.last_decision)),
        ];
        let others = others.map(|(metric, value)| (metric.gauge([run]), value));
        items.into_iter().chain(shards).chain(others).collect()
    }
}

impl RunGauges {
    /// Takes note of what storage says about the run now.
    pub(super) fn update(&mut self, run: &FrozenRun, ledger: &Ledger, counts: &Counts, fate: Fate) {
        let mut seen = Seen::of(run, ledger, counts, fate);
        if let Some(before) = &self.seen
            && before.shards[0] == seen.shards[0]
        {
            seen.last_commit = before.last_commit;
        }
        self.seen = Some(seen);
    }

    /// Takes note of what the newest report of the run says; what it does not say any more is forgotten.
    pub(super) fn take_report(&mut self, run: &RunId, report: Option<&RunReport>) {
        let now = report.map_or_else(Vec::new, |report| Agreement::all(run, report));
        let before = std::mem::replace(&mut self.agreements, now);
        for agreement in before {
            let mut now = self.agreements.iter();
            if !now.any(|now| agreement.is_replaced_by(now)) {
                metrics::forget(&agreement.gauge());
            }
        }
    }

    /// Returns what is shown of the run.
    fn gauges(&self) -> Vec<(Gauge, f64)> {
        let seen = self.seen.iter().flat_map(Seen::gauges);
        let agreements = self.agreements.iter();
        let agreements = agreements.map(|agreement| (agreement.gauge(), agreement.share));
        seen.chain(agreements).collect()
    }
}

impl Drop for RunGauges {
    fn drop(&mut self) {
        for (gauge, _) in self.gauges() {
            metrics::forget(&gauge);
        }
    }
}

/// Sets the gauges of the runs after a poll of all of them.
pub(super) fn set_polled<'a>(runs: impl Iterator<Item = &'a RunGauges>, elapsed: Duration) {
    for (gauge, value) in runs.flat_map(RunGauges::gauges) {
        gauge.set(value);
    }
    let seconds = names::COLLECTOR_LOOK_SECONDS.histogram([]);
    seconds.record(elapsed.as_secs_f64());
    set_last_poll();
}

/// Sets that every run was polled just now, or that a collector starts.
pub(crate) fn set_last_poll() {
    let now = SystemClock.now().as_second() as f64;
    names::COLLECTOR_LAST_LOOK.gauge([]).set(now);
}

/// Sets how many messages wait; nothing if the broker does not say.
pub(super) fn set_broker(depth: Option<&Depth>) {
    let reachable = f64::from(u8::from(depth.is_some()));
    names::QUEUE_REACHABLE.gauge([]).set(reachable);
    for (metric, count) in [
        (names::QUEUE_SHARDS_READY, depth.map(|depth| depth.ready)),
        (names::QUEUE_DEAD_LETTERS, depth.map(|depth| depth.dead)),
        (names::QUEUE_WORKERS, depth.map(|depth| depth.consumers)),
    ] {
        let gauge = metric.gauge([]);
        match count {
            Some(count) => gauge.set(count as f64),
            None => metrics::forget(&gauge),
        }
    }
}

/// Counts a dead letter that was taken note of.
pub(super) fn count_dead_letter() {
    names::COLLECTOR_DEAD_LETTERS.counter([]).increment(1);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::item_metric::PerMetric;

    use super::*;
    use crate::output::report::{Cost, StyleReport};

    fn agreement(content: f64, output: Option<f64>) -> Option<AgreementReport> {
        let labels = |miou: Option<f64>| LabelReport {
            pixel_accuracy: miou.map(|share| share / 2.0),
            miou,
            iou: BTreeMap::from([
                ("pole".to_owned(), miou),
                ("train".to_owned(), None),
                ("of another program".to_owned(), Some(1.0)),
            ]),
        };
        Some(AgreementReport {
            content: labels(Some(content)),
            output: labels(output),
            doubtful: 0,
            items: 1,
        })
    }

    fn report(styles: usize) -> RunReport {
        let style = |number: usize| StyleReport {
            style: format!("night-{number}"),
            items: 1,
            planned: 1,
            fid: None,
            kid: None,
            kid_standard_error: None,
            reference: None,
            figures: PerMetric::default(),
            label_agreement: agreement(0.75, Some(0.5)),
            notes: Vec::new(),
            classes: BTreeMap::new(),
        };
        RunReport {
            run: "demo".parse().unwrap(),
            made_at: Timestamp::UNIX_EPOCH,
            complete: true,
            method: "cactif".to_owned(),
            preset: Some("paper".to_owned()),
            width: 8,
            height: 4,
            items: styles,
            done: styles,
            quarantined: 0,
            failed: 0,
            extractor: None,
            networks: PerMetric::default(),
            segmenter: None,
            label_agreement: agreement(0.75, None),
            cost: Cost::default(),
            price: None,
            styles: (0..styles).map(style).collect(),
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            damaged: Vec::new(),
            mark: None,
            plan_hash: None,
            contact_sheet_sha256: None,
        }
    }

    #[test]
    fn each_style_has_its_agreement_unless_there_are_too_many_and_one_that_is_none_is_not_shown() {
        let all = |styles: usize| {
            let report = report(styles);
            Agreement::all(&report.run, &report)
        };
        let found = all(1);
        let of_style = || AgreementFigure::StyleMeanIou("night-0".to_owned());
        let expected = [
            (AgreementFigure::MeanIou, "content", 0.75),
            (AgreementFigure::Accuracy, "content", 0.375),
            (AgreementFigure::ClassIou("pole"), "content", 0.75),
            (of_style(), "content", 0.75),
            (of_style(), "output", 0.5),
        ];
        let expected = expected.map(|(figure, of, share)| Agreement {
            run: "demo".to_owned(),
            figure,
            of,
            share,
        });
        assert_eq!(found, expected);
        assert_eq!(all(MAX_STYLES).len(), 3 + 2 * MAX_STYLES);
        assert_eq!(all(MAX_STYLES + 1).len(), 3);
        let mut strange = report(0);
        strange.label_agreement = agreement(1e300, Some(-1.0));
        assert_eq!(Agreement::all(&strange.run, &strange), []);
    }
}

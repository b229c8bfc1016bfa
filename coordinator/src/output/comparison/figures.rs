//! What came out of a run of a comparison, and the same of all of them as rows of a table.

use shared::item_metric::{ItemMetric, PerMetric};
use shared::settings::DevicePrice;

use super::Comparison;
use crate::output::report::text::number;
use crate::output::report::{AgreementReport, RunReport, StyleReport};
use crate::run::cost::{self, UnitCosts, Workload};
use crate::run::freeze::FrozenRun;
use crate::run::tally::Counts;

/// What came out of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Items planned.
    pub planned: usize,
    /// Items with an image and a label.
    pub done: usize,
    /// Items that are quarantined or failed.
    pub not_done: usize,
    /// Mean over styles of the Fréchet distance to their references; none where there are too few items for one.
    pub fid: Option<f64>,
    /// The fewest items that one of these distances is over.
    pub fid_items: usize,
    /// Means over the items.
    pub metrics: PerMetric<Option<f64>>,
    /// How a segmenter agrees with labels: mean IoU in percent, content -> output.
    pub labels: Option<String>,
    /// Seconds of work an image.
    pub seconds: Option<f64>,
    /// Device-hours that a run of the whole dataset takes.
    pub hours: Option<f64>,
    /// What an hour costs.
    pub price: Option<DevicePrice>,
}

impl Figures {
    /// Returns those of a run with its counts and its report, of which so much is the whole dataset.
    #[must_use]
    pub fn of(
        run: &FrozenRun,
        counts: &Counts,
        report: Option<&RunReport>,
        whole: Workload,
    ) -> Self {
        let styles = report.map_or(&[][..], |report| report.styles.as_slice());
        let fids: Vec<(f64, usize)> = styles
            .iter()
            .filter_map(|style| Some((style.fid?, style.items)))
            .collect();
        let fid = fids.iter().map(|(fid, _)| fid).sum::<f64>() / fids.len() as f64;
        let agreement = report.and_then(|report| report.label_agreement.as_ref());
        let seconds = counts.busy_ms / 1000.0 / counts.converted as f64;
        let costs = UnitCosts::of(counts, run.record.frozen.method.evaluations());
        Self {
            planned: run.plan.num_items(),
            done: counts.done,
            not_done: counts.not_done(),
            fid: (!fids.is_empty()).then_some(fid),
            fid_items: fids.iter().map(|(_, items)| *items).min().unwrap_or(0),
            metrics: PerMetric::from_fn(|metric| mean(styles, metric)),
            labels: agreement.map(AgreementReport::means),
            seconds: seconds.is_finite().then_some(seconds),
            hours: costs.map(|costs| costs.hours_of(whole)),
            // What was frozen is the price of then; the report has that of the settings at hand.
            price: match report {
                Some(report) => report.price.clone(),
                None => run.record.price.clone(),
            },
        }
    }

    /// Returns those of a run of a comparison that has not begun.
    #[must_use]
    pub fn of_nothing(comparison: &Comparison) -> Self {
        Self {
            planned: comparison.contents.len() * comparison.styles.len(),
            ..Self::default()
        }
    }

    fn shown_fid(&self) -> Option<String> {
        let fid = self.fid?;
        Some(format!("{} (N {})", number(Some(fid), 2), self.fid_items))
    }

    fn shown_metric(&self, metric: ItemMetric) -> Option<String> {
        let figure = self.metrics[metric]?;
        Some(number(Some(figure), metric.decimals()))
    }

    fn shown_price(&self) -> Option<String> {
        let price = self.price.as_ref()?;
        Some(price.of(self.hours?).to_string())
    }
}

/// Returns the mean of a metric over the items of all styles.
fn mean(styles: &[StyleReport], metric: ItemMetric) -> Option<f64> {
    let known = styles
        .iter()
        .filter_map(|style| Some((style.figures[metric]?, style.items as f64)));
    let (sum, items) = known.fold((0.0, 0.0), |(sum, all), (figure, items)| {
        (sum + figure * items, all + items)
    });
    (items > 0.0).then(|| sum / items)
}

/// A figure of all runs of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureRow {
    /// What it is.
    pub title: &'static str,
    /// That of each run, or a dash.
    pub cells: Vec<String>,
}

/// Returns what came out of all runs as rows. A figure that none of them has is left out.
#[must_use]
pub fn rows(figures: &[&Figures]) -> Vec<FigureRow> {
    let mut rows = Vec::new();
    rows.extend(row(figures, "done", &|it: &Figures| Some(done(it))));
    rows.extend(row(figures, "FID", &Figures::shown_fid));
    for metric in ItemMetric::ALL {
        let shown = |it: &Figures| it.shown_metric(metric);
        rows.extend(row(figures, metric.title(), &shown));
    }
    let labels = |it: &Figures| it.labels.clone();
    rows.extend(row(figures, "labels, mean IoU %", &labels));
    let seconds = |it: &Figures| it.seconds.map(|seconds| number(Some(seconds), 2));
    rows.extend(row(figures, "seconds an image", &seconds));
    let hours = |it: &Figures| it.hours.map(cost::shown);
    rows.extend(row(figures, "device-hours, whole dataset", &hours));
    rows.extend(row(figures, "cost, whole dataset", &Figures::shown_price));
    rows
}

/// Returns a figure of all runs; none if no run has it.
fn row(
    figures: &[&Figures],
    title: &'static str,
    shown: &dyn Fn(&Figures) -> Option<String>,
) -> Option<FigureRow> {
    let cells: Vec<Option<String>> = figures.iter().map(|it| shown(it)).collect();
    let has_any = cells.iter().any(Option::is_some);
    let cells = cells.into_iter();
    let cells = cells.map(|cell| cell.unwrap_or_else(|| number(None, 0)));
    has_any.then(|| FigureRow {
        title,
        cells: cells.collect(),
    })
}

/// Returns how many items are done: all of them, or of how many.
fn done(figures: &Figures) -> String {
    let Figures {
        planned,
        done,
        not_done,
        ..
    } = figures;
    let lost = match not_done {
        0 => String::new(),
        lost => format!(", {lost} lost"),
    };
    format!("{done} of {planned}{lost}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_no_run_has_is_no_row_and_one_that_some_lack_is_a_dash() {
        let judged = Figures {
            planned: 4,
            done: 3,
            not_done: 1,
            fid: Some(81.372),
            fid_items: 3,
            metrics: PerMetric::from_fn(|metric| (metric == ItemMetric::Ssim).then_some(0.4125)),
            seconds: Some(2.0),
            hours: Some(13.875),
            ..Figures::default()
        };
        let open = Figures {
            planned: 4,
            ..Figures::default()
        };
        let rows = rows(&[&judged, &open]);
        let shown: Vec<String> = rows
            .iter()
            .map(|row| format!("{}: {}", row.title, row.cells.join(" | ")))
            .collect();
        assert_eq!(
            shown,
            [
                "done: 3 of 4, 1 lost | 0 of 4",
                "FID: 81.37 (N 3) | -",
                "SSIM: 0.412 | -",
                "seconds an image: 2.00 | -",
                "device-hours, whole dataset: 13.9 | -",
            ]
        );
    }

    #[test]
    fn the_price_of_the_whole_dataset_is_told_where_an_hour_has_one() {
        let figures = Figures {
            hours: Some(10.0),
            price: Some(DevicePrice {
                per_device_hour: 2.5,
                currency: "EUR".to_owned(),
            }),
            ..Figures::default()
        };
        let rows = rows(&[&figures]);
        let last = rows.last().unwrap();
        assert_eq!(
            (last.title, last.cells[0].as_str()),
            ("cost, whole dataset", "25.00 EUR")
        );
    }
}

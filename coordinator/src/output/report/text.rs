//! Reports as text for a terminal.

use std::fmt::{Display, Write as _};

use shared::dataset::classes::CLASSES;
use shared::item_metric::ItemMetric;
use shared::wording::{MOST_NAMES, counted, first_names, one_line};

use super::{AgreementReport, NetworkReport, RunReport, StyleReport};
use crate::run::tally::reason_lines;

/// What stands where there is no figure.
const NONE: &str = "-";

/// Most styles that have a column of their own in the table of classes.
const MOST_COLUMNS: usize = 6;

/// Returns reports as text, a table for each run.
#[must_use]
pub fn render(reports: &[RunReport]) -> String {
    let mut text = String::new();
    for report in reports {
        if !text.is_empty() {
            text.push('\n');
        }
        render_run(report, &mut text);
    }
    text
}

/// Returns what every figure of a network must be read with, such as `Inception-v3 pool3 (1a2b3c4d, 299x299 bilinear)`.
#[must_use]
pub fn name_of_network(network: &NetworkReport) -> String {
    let digest = network.sha256.get(..8).unwrap_or(&network.sha256);
    let resize = network.resize.as_deref().unwrap_or("no resize");
    format!("{} ({digest}, {resize})", network.name)
}

/// Returns what a reader of FID and KID must know about their network.
#[must_use]
pub fn caution(network: &NetworkReport) -> Option<&'static str> {
    (!network.published).then_some("not comparable with published figures")
}

/// Returns the notes of a report, each once, with the styles that it is about.
#[must_use]
pub fn notes(report: &RunReport) -> Vec<(String, String)> {
    let mut notes: Vec<(Vec<&str>, &str)> = Vec::new();
    for style in &report.styles {
        for note in &style.notes {
            match notes.iter_mut().find(|(_, known)| known == note) {
                Some((styles, _)) => styles.push(&style.style),
                None => notes.push((vec![&style.style], note)),
            }
        }
    }
    let named = |(styles, note): (Vec<&str>, &str)| {
        let styles = if styles.len() > 1 && styles.len() == report.styles.len() {
            "every style".to_owned()
        } else {
            first_names(styles)
        };
        (styles, note.to_owned())
    };
    notes.into_iter().map(named).collect()
}

/// Adds a line, which is one whatever names it holds.
fn line(text: &mut String, line: impl Display) {
    text.push_str(&one_line(&line.to_string()));
    text.push('\n');
}

fn render_run(report: &RunReport, text: &mut String) {
    render_counts(report, text);
    render_cost(report, text);
    table(&report.styles, text);
    render_agreement(report, text);
    render_classes(report, text);
    render_networks(report, text);
    report
        .styles
        .iter()
        .for_each(|style| render_style(style, text));
    for (styles, note) in notes(report) {
        line(text, format_args!("  {styles}: {note}"));
    }
    for (kind, count) in &report.warnings {
        line(
            text,
            format_args!("  done with a warning ({count}): {kind}"),
        );
    }
    for reason in reason_lines(&report.reasons) {
        line(text, format_args!("  {reason}"));
    }
}

/// Adds what the run is, how far it is, and which shards are damaged.
fn render_counts(report: &RunReport, text: &mut String) {
    let state = if report.complete {
        ""
    } else {
        ", not complete"
    };
    let preset = report.preset.as_ref();
    let preset = preset.map_or_else(String::new, |preset| format!(" ({preset})"));
    line(
        text,
        format_args!(
            "run {}: {}{preset} at {}x{}; {} of {} items done, {} quarantined, {} failed{state}",
            report.run,
            report.method,
            report.width,
            report.height,
            report.done,
            report.items,
            report.quarantined,
            report.failed
        ),
    );
    for why in report.damaged.iter().take(MOST_NAMES) {
        line(text, format_args!("  damaged: {why}"));
    }
    if report.damaged.len() > MOST_NAMES {
        let others = report.damaged.len() - MOST_NAMES;
        let others = counted(others, "other shard", "other shards");
        line(text, format_args!("  damaged: {others}"));
    }
}

fn render_cost(report: &RunReport, text: &mut String) {
    let cost = report.cost;
    if let Some(seconds) = cost.seconds_per_image {
        let rate = cost.images_per_minute;
        let rate = rate.map_or_else(String::new, |rate| format!("{rate:.1} images/min, "));
        let evaluations = cost.evaluations_per_image;
        let evaluations = evaluations.map_or_else(String::new, |evaluations| {
            format!(" and {evaluations:.1} UNet evaluations")
        });
        line(
            text,
            format_args!("  {rate}{seconds:.2} s of work{evaluations} an image"),
        );
    }
    if let Some(hours) = cost.device_hours() {
        line(
            text,
            format_args!("  {}", hours.told(report.price.as_ref())),
        );
    }
}

/// Adds what a segmenter predicts, in contents and in outputs: of the run, and of each style if there are several.
fn render_agreement(report: &RunReport, text: &mut String) {
    let of_styles = report.styles.iter();
    let of_styles =
        of_styles.filter_map(|style| Some((&style.style, style.label_agreement.as_ref()?)));
    if report.styles.len() > 1 {
        for (style, agreement) in of_styles {
            line(text, format_args!("  {style}: {agreement}"));
        }
    }
    if let Some(agreement) = &report.label_agreement {
        line(text, format_args!("  labels: {agreement}"));
    }
}

/// Adds pixel accuracy, mean IoU and the IoU of each class, in contents and in outputs: of each style if there are few, and
/// of all.
fn render_classes(report: &RunReport, text: &mut String) {
    let Some(all) = &report.label_agreement else {
        return;
    };
    let styles = report.styles.iter();
    let styles: Vec<(&str, &AgreementReport)> = styles
        .filter_map(|style| Some((style.style.as_str(), style.label_agreement.as_ref()?)))
        .collect();
    let has_too_many = styles.len() > MOST_COLUMNS;
    let mut columns = match styles.len() {
        2..=MOST_COLUMNS => styles,
        _ => Vec::new(),
    };
    columns.push(("all styles", all));
    let row = |what: &str, of: &dyn Fn(&AgreementReport) -> String| {
        let mut row = vec![what.to_owned()];
        row.extend(columns.iter().map(|(_, agreement)| of(agreement)));
        row
    };
    let mut header = vec!["labels, %".to_owned()];
    header.extend(columns.iter().map(|(name, _)| one_line(name).into_owned()));
    let mut rows = vec![
        header,
        row("pixel accuracy", &AgreementReport::accuracies),
        row("mean IoU", &AgreementReport::means),
    ];
    for class in CLASSES {
        let of = |agreement: &AgreementReport| agreement.change_of_class(class.name);
        if columns.iter().any(|(_, agreement)| of(agreement).is_some()) {
            let shown =
                |agreement: &AgreementReport| of(agreement).unwrap_or_else(|| NONE.to_owned());
            rows.push(row(class.name, &shown));
        }
    }
    aligned(&rows, text);
    if has_too_many {
        let run = &report.run;
        line(
            text,
            format_args!(
                "  classes of each style: synth2real report {run} --html FILE, and report.json"
            ),
        );
    }
}

/// Returns the networks of a report, each as a line that says which figures it gave.
#[must_use]
pub fn networks(report: &RunReport) -> Vec<String> {
    let cautioned = |(figures, network): (&str, &NetworkReport)| {
        let caution = caution(network).map_or_else(String::new, |caution| format!(": {caution}"));
        format!("{figures} of {}{caution}", name_of_network(network))
    };
    let extractor = report.extractor.as_ref();
    let extractor = extractor.map(|network| ("FID and KID of features", network));
    let of_metrics = report.networks.iter();
    let of_metrics =
        of_metrics.filter_map(|(metric, network)| Some((metric.title(), network.as_ref()?)));
    let judges = extractor.into_iter().chain(of_metrics).map(cautioned);
    // No figures of this are published to compare with.
    let segmenter = report.segmenter.iter().map(|network| {
        let name = name_of_network(network);
        format!("agreement of labels with {name}: mean IoU in percent, content -> output")
    });
    judges.chain(segmenter).collect()
}

fn render_networks(report: &RunReport, text: &mut String) {
    for network in networks(report) {
        line(text, format_args!("  {network}"));
    }
}

/// Adds what a style was compared with, and its figures by class.
fn render_style(style: &StyleReport, text: &mut String) {
    if let Some(reference) = &style.reference {
        let items = reference.items.map_or_else(
            || "an unknown number of".to_owned(),
            |items| items.to_string(),
        );
        line(
            text,
            format_args!(
                "  {}: compared with {items} images of {}",
                style.style, reference.path
            ),
        );
    }
    for (class, figures) in &style.classes {
        line(
            text,
            format_args!(
                "  {} with {class}: N {}, FID {}, SSIM {}",
                style.style,
                figures.items,
                number(figures.fid, 2),
                number(figures.ssim, 3)
            ),
        );
    }
}

fn table(styles: &[StyleReport], text: &mut String) {
    let titles = ItemMetric::ALL.map(ItemMetric::title);
    let header = ["style", "N", "FID", "KID x 1000"]
        .into_iter()
        .chain(titles);
    let header: Vec<String> = header.map(str::to_owned).collect();
    let rows = styles.iter().map(|style| {
        let mut row = vec![
            one_line(&style.style).into_owned(),
            style.items.to_string(),
            number(style.fid, 2),
            kid(style),
        ];
        row.extend(figures(style));
        row
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    aligned(&rows, text);
}

/// Adds rows of as many cells each: the first one to the left, figures to the right.
fn aligned(rows: &[Vec<String>], text: &mut String) {
    let num_columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = (0..num_columns).map(|column| width(column).unwrap_or_default());
    let widths: Vec<usize> = widths.collect();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "  {cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
}

/// Returns a style's figures of metrics, each with its decimals, or a dash.
pub(super) fn figures(style: &StyleReport) -> impl Iterator<Item = String> {
    let figures = style.figures.iter();
    figures.map(|(metric, figure)| number(*figure, metric.decimals()))
}

/// Figures from here on are shown with an exponent: three hundred digits are not read.
const LARGE: f64 = 1e9;

/// Returns a figure with so many decimals, or a dash.
#[must_use]
pub fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| figure(value, decimals))
}

fn figure(value: f64, decimals: usize) -> String {
    if value.abs() < LARGE {
        format!("{value:.decimals$}")
    } else {
        format!("{value:.decimals$e}")
    }
}

/// Returns a style's kernel distance times a thousand with its standard error, or a dash.
#[must_use]
pub fn kid(style: &StyleReport) -> String {
    match (style.kid, style.kid_standard_error) {
        (Some(kid), Some(error)) => {
            let [kid, error] = [kid, error].map(|value| figure(1000.0 * value, 2));
            format!("{kid} ± {error}")
        }
        _ => NONE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use shared::item_metric::PerMetric;

    use super::*;

    #[test]
    fn a_table_has_a_column_for_each_metric() {
        let mut figures = PerMetric::default();
        figures[ItemMetric::Ssim] = Some(0.4125);
        let style = |style: &str, items| StyleReport {
            style: style.to_owned(),
            items,
            planned: 20,
            fid: Some(81.369),
            kid: None,
            kid_standard_error: None,
            reference: None,
            figures,
            label_agreement: None,
            notes: Vec::new(),
            classes: std::collections::BTreeMap::new(),
        };
        let mut text = String::new();
        table(&[style("night", 12), style("fog", 7)], &mut text);
        let expected = [
            "  style   N    FID  KID x 1000   SSIM  LPIPS",
            "  night  12  81.37           -  0.412      -",
            "  fog     7  81.37           -  0.412      -",
        ];
        assert_eq!(text.lines().count(), expected.len());
        for (line, expected) in text.lines().zip(expected) {
            assert!(line.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn a_large_figure_is_shown_with_an_exponent() {
        assert_eq!(number(Some(12.345), 2), "12.35");
        assert_eq!(number(Some(1.5e301), 1), "1.5e301");
        assert_eq!(number(Some(-3e15), 2), "-3.00e15");
        assert_eq!(number(None, 2), NONE);
    }
}

//! The trade between realism and content as a plot: FID against a metric that a network gives, such as LPIPS, or against SSIM
//! where there is none of every style.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use shared::item_metric::ItemMetric;

use super::RunReport;

const SIZE: (u32, u32) = (720, 420);
/// Colours that people with any colour vision tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// A plot that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot cannot be drawn: {0}")]
pub struct PlotError(String);

struct Point<'a> {
    run: usize,
    style: &'a str,
    content: f64,
    fid: f64,
}

/// Returns the plot as SVG, a point for each run and style; none where fewer than two have figures.
///
/// # Errors
///
/// [`PlotError`] if it cannot be drawn.
pub fn trade_off(reports: &[&RunReport]) -> Result<Option<String>, PlotError> {
    let metric = shown(reports);
    let points: Vec<Point<'_>> = reports
        .iter()
        .enumerate()
        .flat_map(|(run, report)| {
            report.styles.iter().filter_map(move |style| {
                Some(Point {
                    run,
                    style: &style.style,
                    content: style.figures[metric]?,
                    fid: style.fid?,
                })
            })
        })
        .collect();
    if points.len() < 2 {
        return Ok(None);
    }
    let mut svg = String::new();
    draw(&mut svg, reports, &points, &label(metric))
        .map_err(|error| PlotError(error.to_string()))?;
    Ok(Some(svg))
}

/// Returns the first metric of a network that every style has a figure of, or SSIM.
fn shown(reports: &[&RunReport]) -> ItemMetric {
    let is_everywhere = |metric: &ItemMetric| {
        let mut styles = reports.iter().flat_map(|report| &report.styles);
        styles.all(|style| style.figures[*metric].is_some())
    };
    let mut of_networks = ItemMetric::ALL
        .into_iter()
        .filter(|metric| metric.network().is_some());
    of_networks.find(is_everywhere).unwrap_or(ItemMetric::Ssim)
}

fn label(metric: ItemMetric) -> String {
    format!(
        "{} to the content ({} keeps more)",
        metric.title(),
        metric.better().as_str()
    )
}

fn draw(
    svg: &mut String,
    reports: &[&RunReport],
    points: &[Point<'_>],
    label: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let contents = range(points.iter().map(|point| point.content));
    let middle = 0.5 * (contents.start + contents.end);
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(contents, range(points.iter().map(|point| point.fid)))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(label)
        .y_desc("FID (lower is closer)")
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .draw()?;
    for (run, report) in reports.iter().enumerate() {
        let colour = COLOURS[run % COLOURS.len()];
        let own = points.iter().filter(|point| point.run == run);
        let marks = own
            .clone()
            .map(|point| Circle::new((point.content, point.fid), 5, colour.filled()));
        chart
            .draw_series(marks)?
            .label(report.run.to_string())
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, colour.filled()));
        chart.draw_series(own.map(|point| {
            // Towards the middle, where there is room.
            let (side, offset) = if point.content > middle {
                (HPos::Right, -9)
            } else {
                (HPos::Left, 9)
            };
            let font = ("sans-serif", 12).into_font().color(&colour);
            let font = font.pos(Pos::new(side, VPos::Center));
            EmptyElement::at((point.content, point.fid))
                + Text::new(point.style.to_owned(), (offset, 0), font)
        }))?;
    }
    if reports.len() > 1 {
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .label_font(("sans-serif", 13))
            .draw()?;
    }
    area.present()?;
    Ok(())
}

/// Returns a range around values with a margin for labels.
fn range(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let margin = (0.15 * (high - low)).max(0.02 * high.abs()).max(1e-6);
    low - margin..high + margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_says_which_of_its_ends_keeps_more() {
        let labels = [ItemMetric::Ssim, ItemMetric::Lpips].map(label);
        let expected = [
            "SSIM to the content (higher keeps more)",
            "LPIPS to the content (lower keeps more)",
        ];
        assert_eq!(labels, expected);
    }
}

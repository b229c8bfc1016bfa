//! Reports as one page that needs nothing else: figures, a plot, and images before and after.

use std::collections::BTreeMap;

use askama::Template;
use shared::artifact::ArtifactKey;
use shared::clock::Clock;
use shared::item_metric::ItemMetric;
use shared::source::{self, Source};
use shared::storage::Storage;
use shared::wording::first_names;

use super::doubtful::{self, DoubtfulItem};
use super::pictures;
use super::plot::{self, PlotError};
use super::text::{figures, kid, networks, notes, number};
use super::{AgreementReport, RunReport};
use crate::output::class_maps;
use crate::output::contact_sheet::{Unshown, input_image, output_image, size_of};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Ledger;
use crate::run::tally::Tally;

/// Contents shown of each style.
const CONTENTS_OF_STYLE: usize = 2;
/// Styles shown.
const MAX_STYLES: usize = 12;
/// Width of the images on the page, in pixels.
const WIDTH: u32 = 512;

/// Why a page cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The template failed.
    #[error("the page cannot be rendered")]
    Template(#[from] askama::Error),
    /// The plot failed.
    #[error(transparent)]
    Plot(#[from] PlotError),
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    made_at: String,
    /// The titles of the metrics.
    metrics: Vec<&'static str>,
    runs: Vec<Run<'a>>,
    plot: Option<String>,
    comparisons: Vec<Comparison>,
}

struct Run<'a> {
    report: &'a RunReport,
    rows: Vec<Row>,
    /// What a segmenter predicts, for all styles and for each.
    labels: Vec<Labels>,
    /// Some items whose labels are doubtful.
    doubtful: Vec<DoubtfulItem>,
    /// The class maps of styles without labels.
    maps: Vec<ClassMap>,
    networks: Vec<String>,
    notes: Vec<(String, String)>,
    rate: String,
    seconds: String,
    evaluations: String,
    /// Device-hours and money; empty where none are known.
    hours: String,
}

/// The class map of a style without a label.
struct ClassMap {
    style: String,
    /// The share of each class.
    shares: String,
    /// What each picture shows, and the picture.
    pictures: Vec<(&'static str, String)>,
}

struct Row {
    style: String,
    items: String,
    fid: String,
    kid: String,
    /// A figure of each metric.
    figures: Vec<String>,
    reference: String,
    classes: Vec<[String; 4]>,
}

/// What a segmenter predicts for outputs of a style, or of all, and for their contents; in percent.
struct Labels {
    whose: String,
    items: String,
    doubtful: usize,
    accuracy: String,
    means: String,
    lost: String,
    /// Each class with the IoU in contents and in outputs, and what it gained.
    classes: Vec<[String; 4]>,
}

/// A content before, and after in each run.
struct Comparison {
    style: String,
    content: String,
    before: String,
    after: Vec<(String, String)>,
}

/// A run as the page shows it.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The run.
    pub run: &'a FrozenRun,
    /// What of it is committed.
    pub ledger: &'a Ledger,
    /// What is counted of that.
    pub tally: &'a Tally,
    /// What came out.
    pub report: &'a RunReport,
}

/// Returns a page about runs, made now by a clock.
///
/// # Errors
///
/// [`HtmlError`] if it cannot be rendered. Images that cannot be read are left out, and a warning names each.
pub async fn render(
    storage: &dyn Storage,
    shown: &[Shown<'_>],
    clock: &dyn Clock,
) -> Result<String, HtmlError> {
    let reports: Vec<&RunReport> = shown.iter().map(|shown| shown.report).collect();
    let names: Vec<&str> = reports.iter().map(|report| report.run.as_str()).collect();
    let unshown = Unshown::default();
    let page = Page {
        title: first_names(names),
        made_at: clock.now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
        metrics: ItemMetric::ALL.map(ItemMetric::title).to_vec(),
        plot: plot::trade_off(&reports)?,
        comparisons: comparisons(storage, shown, &unshown).await,
        runs: runs(storage, shown, &unshown).await,
    };
    Ok(page.render()?)
}

fn hours(report: &RunReport) -> String {
    let hours = report.cost.device_hours();
    hours.map_or_else(String::new, |hours| hours.told(report.price.as_ref()))
}

async fn runs<'a>(storage: &dyn Storage, shown: &[Shown<'a>], unshown: &Unshown) -> Vec<Run<'a>> {
    let mut runs = Vec::with_capacity(shown.len());
    for shown in shown {
        let doubtful = doubtful::items(storage, shown, unshown).await;
        let maps = maps(storage, shown, unshown).await;
        runs.push(run(shown.report, doubtful, maps));
    }
    runs
}

/// Returns the class maps of a run's styles, of as many as are shown.
async fn maps(storage: &dyn Storage, shown: &Shown<'_>, unshown: &Unshown) -> Vec<ClassMap> {
    let (run, changed) = (shown.run, &shown.ledger.decisions.changed_inputs);
    let styles = 0..run.plan.styles.len();
    let styles = styles.filter(|&style| run.has_class_map(style, changed));
    let mut styles = styles.peekable();
    if styles.peek().is_none() {
        return Vec::new();
    }
    let photographs = unshown.shown(source::open(&run.record.inputs.style).await);
    let size = size_of(&run.record.frozen.model);
    let mut maps = Vec::new();
    for style in styles.take(MAX_STYLES) {
        let photograph = match &photographs {
            Some(photographs) => {
                let listing = changed.style(&run.plan.styles[style]);
                unshown.shown(input_image(photographs.as_ref(), listing, None, size).await)
            }
            None => None,
        };
        let shown = class_maps::shown(storage, (run, changed), style, photograph.as_ref()).await;
        let Some(shown) = unshown.shown(shown).flatten() else {
            continue;
        };
        let mut pictures = Vec::new();
        for (what, image) in [
            ("photograph", photograph),
            ("classes over it", Some(shown.over)),
        ] {
            if let Some(image) = image {
                let picture = pictures::photograph(image, WIDTH).await;
                pictures.extend(picture.map(|picture| (what, picture)));
            }
        }
        maps.push(ClassMap {
            style: shown.style,
            shares: shown.shares.to_string(),
            pictures,
        });
    }
    maps
}

fn run(report: &RunReport, doubtful: Vec<DoubtfulItem>, maps: Vec<ClassMap>) -> Run<'_> {
    Run {
        doubtful,
        maps,
        rows: report.styles.iter().map(row).collect(),
        labels: labels(report),
        networks: networks(report),
        notes: notes(report),
        rate: number(report.cost.images_per_minute, 1),
        seconds: number(report.cost.seconds_per_image, 2),
        evaluations: number(report.cost.evaluations_per_image, 1),
        hours: hours(report),
        report,
    }
}

/// Returns what a segmenter predicts: for all styles first, if there are several.
fn labels(report: &RunReport) -> Vec<Labels> {
    let all = report.label_agreement.iter();
    let all = all.map(|agreement| labels_of("all styles", agreement));
    let of_styles = report.styles.iter().filter_map(|style| {
        let agreement = style.label_agreement.as_ref()?;
        Some(labels_of(&style.style, agreement))
    });
    let skipped = usize::from(report.styles.len() < 2);
    all.skip(skipped).chain(of_styles).collect()
}

fn labels_of(whose: &str, agreement: &AgreementReport) -> Labels {
    Labels {
        whose: whose.to_owned(),
        items: agreement.items.to_string(),
        doubtful: agreement.doubtful,
        accuracy: agreement.accuracies(),
        means: agreement.means(),
        lost: agreement.lost_in_words(),
        classes: agreement.classes(),
    }
}

fn row(style: &super::StyleReport) -> Row {
    let reference = style.reference.as_ref().map(|reference| {
        let items = reference
            .items
            .map_or_else(String::new, |n| format!(" ({n} images)"));
        format!("{}{items}", reference.path)
    });
    let class = |(name, figures): (&String, &super::ClassReport)| {
        [
            name.clone(),
            figures.items.to_string(),
            number(figures.fid, 2),
            number(figures.ssim, 3),
        ]
    };
    Row {
        style: style.style.clone(),
        items: format!("{} of {}", style.items, style.planned),
        fid: number(style.fid, 2),
        kid: kid(style),
        figures: figures(style).collect(),
        reference: reference.unwrap_or_else(|| "none".to_owned()),
        classes: style.classes.iter().map(class).collect(),
    }
}

/// Chooses items spread over what is committed of the first run, and shows what every run made of them.
async fn comparisons(
    storage: &dyn Storage,
    shown: &[Shown<'_>],
    unshown: &Unshown,
) -> Vec<Comparison> {
    let Some(first) = shown.first() else {
        return Vec::new();
    };
    let contents = source::open(&first.run.record.inputs.content).await;
    let Some(contents) = unshown.shown(contents) else {
        return Vec::new();
    };
    let mut comparisons = Vec::new();
    for (style, committed) in committed_contents(first).into_iter().take(MAX_STYLES) {
        let mut of_style = 0;
        for content in spread(&committed) {
            let of = (contents.as_ref(), unshown);
            let comparison = comparison(storage, shown, of, (style, content)).await;
            of_style += usize::from(comparison.is_some());
            comparisons.extend(comparison);
            if of_style == CONTENTS_OF_STYLE {
                break;
            }
        }
    }
    comparisons
}

/// The contents of each style in committed shards.
fn committed_contents(shown: &Shown<'_>) -> BTreeMap<usize, Vec<usize>> {
    let shards = shown.run.plan.shards.iter();
    let committed = shards.filter(|shard| shown.ledger.committed.contains(&shard.id));
    let mut contents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (style, content) in committed.flat_map(crate::run::plan::Shard::items) {
        contents.entry(style).or_default().push(content);
    }
    contents
}

/// Some of the contents, each once: those that are far apart first. An item may be quarantined, and then the next is
/// tried.
fn spread(contents: &[usize]) -> Vec<usize> {
    let mut chosen = Vec::new();
    for (part, whole) in [
        (1, 4),
        (3, 4),
        (1, 2),
        (1, 8),
        (5, 8),
        (3, 8),
        (7, 8),
        (0, 1),
    ] {
        if let Some(&content) = contents.get(part * contents.len() / whole)
            && !chosen.contains(&content)
        {
            chosen.push(content);
        }
    }
    chosen
}

async fn comparison(
    storage: &dyn Storage,
    shown: &[Shown<'_>],
    (contents, unshown): (&dyn Source, &Unshown),
    (style, content): (usize, usize),
) -> Option<Comparison> {
    let first = shown.first()?.run;
    let item = first.plan.item((style, content));
    let mut after = Vec::new();
    for record in shown.iter().map(|shown| &shown.run.record) {
        let run = &record.run;
        let key = ArtifactKey::Image(run.clone(), item.clone());
        let image = output_image(storage, &key, &record.frozen.model).await;
        let Some(image) = unshown.shown(image).flatten() else {
            continue;
        };
        if let Some(image) = pictures::photograph(image, WIDTH).await {
            after.push((run.to_string(), image));
        }
    }
    if after.is_empty() {
        return None;
    }
    // The content as the model saw it, so that it lies on its outputs pixel by pixel.
    let size = size_of(&first.record.frozen.model);
    let classes = first.record.frozen.content.classes.as_ref();
    let before = input_image(contents, &first.plan.contents[content], classes, size).await;
    let before = unshown.shown(before)?;
    Some(Comparison {
        before: pictures::photograph(before, WIDTH).await?,
        style: item.style,
        content: item.content,
        after,
    })
}

//! Reports as one page that needs nothing else: figures, a plot, and images before and after.

use std::collections::BTreeMap;
use std::io::Cursor;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};
use shared::artifact::ArtifactKey;
use shared::listing::Listing;
use shared::source;
use shared::storage::Storage;
use worker::dataset::{ImageSize, load};

use super::plot::{self, PlotError};
use super::text::{caution, kid, name_of_network, notes, number};
use super::{Network, RunReport};
use crate::freeze::FrozenRun;

/// Contents shown of each style.
const CONTENTS_OF_STYLE: usize = 2;
/// Styles shown.
const MAX_STYLES: usize = 12;
/// Width of the images on the page, in pixels.
const WIDTH: u32 = 512;
const JPEG_QUALITY: u8 = 82;

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
    runs: Vec<Run<'a>>,
    plot: Option<String>,
    comparisons: Vec<Comparison>,
}

struct Run<'a> {
    report: &'a RunReport,
    rows: Vec<Row>,
    networks: Vec<String>,
    notes: Vec<(String, String)>,
    rate: String,
    seconds: String,
    evaluations: String,
}

struct Row {
    style: String,
    items: String,
    fid: String,
    kid: String,
    ssim: String,
    lpips: String,
    reference: String,
    classes: Vec<[String; 4]>,
}

/// A content before, and after in each run.
struct Comparison {
    style: String,
    content: String,
    before: String,
    after: Vec<(String, String)>,
}

/// Returns a page about runs and their reports, which come in the same order.
///
/// # Errors
///
/// [`HtmlError`] if it cannot be rendered. Images that cannot be read are left out.
pub async fn render(
    storage: &dyn Storage,
    runs: &[FrozenRun],
    reports: &[RunReport],
) -> Result<String, HtmlError> {
    let names: Vec<&str> = reports.iter().map(|report| report.run.as_str()).collect();
    let page = Page {
        title: names.join(", "),
        made_at: jiff::Timestamp::now()
            .strftime("%Y-%m-%d %H:%M UTC")
            .to_string(),
        runs: reports.iter().map(run).collect(),
        plot: plot::trade_off(reports)?,
        comparisons: comparisons(storage, runs).await,
    };
    Ok(page.render()?)
}

fn run(report: &RunReport) -> Run<'_> {
    let named = |what: &str, network: &Option<Network>| {
        let network = network.as_ref()?;
        let caution = caution(network).map_or_else(String::new, |caution| format!(": {caution}"));
        Some(format!("{what} of {}{caution}", name_of_network(network)))
    };
    let networks = [
        named("FID and KID of features", &report.extractor),
        named("LPIPS", &report.lpips_network),
    ];
    Run {
        rows: report.styles.iter().map(row).collect(),
        networks: networks.into_iter().flatten().collect(),
        notes: notes(report),
        rate: number(report.cost.images_per_minute, 1),
        seconds: number(report.cost.seconds_per_image, 2),
        evaluations: number(report.cost.evaluations_per_image, 1),
        report,
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
        ssim: number(style.ssim, 3),
        lpips: number(style.lpips, 3),
        reference: reference.unwrap_or_else(|| "none".to_owned()),
        classes: style.classes.iter().map(class).collect(),
    }
}

/// Chooses items spread over the first run, and shows what every run made of them.
async fn comparisons(storage: &dyn Storage, runs: &[FrozenRun]) -> Vec<Comparison> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    let mut contents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (style, content) in first.plan.shards.iter().flat_map(crate::plan::Shard::items) {
        contents.entry(style).or_default().push(content);
    }
    let mut shown = Vec::new();
    for (style, contents) in contents.into_iter().take(MAX_STYLES) {
        for place in 0..CONTENTS_OF_STYLE {
            let content = contents[(2 * place + 1) * contents.len() / (2 * CONTENTS_OF_STYLE)];
            shown.extend(comparison(storage, runs, first, (style, content)).await);
        }
    }
    shown
}

async fn comparison(
    storage: &dyn Storage,
    runs: &[FrozenRun],
    first: &FrozenRun,
    position: (usize, usize),
) -> Option<Comparison> {
    let item = first.plan.item(position);
    let mut after = Vec::new();
    for run in runs {
        let key = ArtifactKey::Image(run.record.run.clone(), item.clone());
        let Ok(png) = storage.read(&key).await else {
            continue;
        };
        if let Some(image) = image::load_from_memory(&png)
            .ok()
            .as_ref()
            .and_then(data_uri)
        {
            after.push((run.record.run.to_string(), image));
        }
    }
    if after.is_empty() {
        return None;
    }
    Some(Comparison {
        before: before(first, position.1).await?,
        style: item.style,
        content: item.content,
        after,
    })
}

/// The content as the model saw it, so that it lies on its outputs pixel by pixel.
async fn before(run: &FrozenRun, content: usize) -> Option<String> {
    let Listing::Pair(pair) = &run.plan.contents[content] else {
        return None;
    };
    let model = &run.record.frozen.model;
    let size = ImageSize {
        width: model.width,
        height: model.height,
        latent_width: model.width / 8,
        latent_height: model.height / 8,
    };
    let source = source::open(&run.record.inputs.content).await.ok()?;
    let image = load(source.as_ref(), pair, size).await.ok()?.prepared.image;
    let pixels = image.into_raw_vec_and_offset().0;
    let image = RgbImage::from_raw(size.width as u32, size.height as u32, pixels)?;
    data_uri(&DynamicImage::ImageRgb8(image))
}

fn data_uri(image: &DynamicImage) -> Option<String> {
    let image = if image.width() > WIDTH {
        image.resize(WIDTH, u32::MAX, FilterType::Lanczos3)
    } else {
        image.clone()
    };
    let mut jpeg = Cursor::new(Vec::new());
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY);
    image.to_rgb8().write_with_encoder(encoder).ok()?;
    let base64 = STANDARD.encode(jpeg.into_inner());
    Some(format!("data:image/jpeg;base64,{base64}"))
}

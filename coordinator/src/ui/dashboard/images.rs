//! Contents, styles and outputs as browsers show them.
//!
//! A name in an address is looked up in the run's plan, and what the plan says is read: no address leads anywhere else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use imaging::resize::{CropBox, Size};
use imaging::{NamedBytes, as_labelled};
use serde::Deserialize;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::failure::chain;
use shared::location::Location;
use shared::source::{self, Source};
use tokio::sync::{OnceCell, Semaphore};

use super::Dashboard;
use super::budget::Budget;
use super::error::PageError;
use crate::output::contact_sheet::max_bytes_of_output;
use crate::work::collector::RunView;

/// The largest file of a dataset that is shown. Photographs have a tenth of it.
const MAX_SHOWN_BYTES: u64 = 64 << 20;
/// Images of a kind that are read at once. Those of another kind do not wait for a dataset that does not answer.
const READ_AT_ONCE: usize = 16;
/// Widths that can be asked for.
const WIDTHS: [u32; 3] = [160, 320, 640];
const QUALITY: u8 = 88;
/// How an output begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

type Opening = Arc<OnceCell<Arc<dyn Source>>>;

/// An output never changes: it is a function of what its tag names.
const FOREVER: &str = "private, max-age=31536000, immutable";
/// Whoever replaces an input in place sees the new one within the hour.
const AN_HOUR: &str = "private, max-age=3600";

/// What is needed to show images.
#[derive(Debug)]
pub(super) struct Images {
    /// Room to decode them.
    pub(super) budget: Budget,
    outputs: Semaphore,
    inputs: Semaphore,
    /// Opening a bucket takes requests, so each is opened once; whoever waits for one keeps no other waiting.
    sources: Mutex<HashMap<Location, Opening>>,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            outputs: Semaphore::new(READ_AT_ONCE),
            inputs: Semaphore::new(READ_AT_ONCE),
            sources: Mutex::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Look {
    /// Width in pixels; the output's own if it is none of those that can be asked for.
    #[serde(default)]
    w: u32,
}

impl Look {
    fn width(&self) -> Option<u32> {
        WIDTHS.into_iter().find(|&width| width == self.w)
    }
}

/// The files of an image.
struct Shown {
    bytes: Bytes,
    label: Option<Bytes>,
}

/// How an image is shown.
struct Showing {
    /// Of the output.
    size: Size,
    width: Option<u32>,
}

fn position(listings: &[DatasetEntry], name: &str) -> Result<usize, PageError> {
    let found = listings.iter().position(|listing| listing.name() == name);
    found.ok_or_else(|| PageError::Missing(format!("the run has no image {name:?}")))
}

/// Returns an output.
pub(super) async fn output(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, style, content)): Path<(String, String, String)>,
    Query(look): Query<Look>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let plan = &view.run.plan;
    let item = plan.item((
        position(&plan.styles, &style)?,
        position(&plan.contents, &content)?,
    ));
    let tag = tag(&view, &format!("{style}/{content}/{:?}", look.width()));
    if is_known(&headers, &tag) {
        return Ok(unchanged(tag, FOREVER));
    }
    let key = ArtifactKey::Image(view.id().clone(), item);
    // Held until it is decoded: what waits for that takes memory too.
    let _reading = dashboard.images.outputs.acquire().await.ok();
    let max_bytes = max_bytes_of_output(&view.run.record.frozen.model);
    let read = dashboard.storage.read_within(&key, max_bytes).await;
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) if error.kind == shared::storage::StorageErrorKind::NotFound => {
            return Err(PageError::Missing(chain(&error)));
        }
        Err(error) => return Err(error.into()),
    };
    match look.width() {
        None if !bytes.starts_with(PNG) => Err(PageError::Missing(format!(
            "the image cannot be shown: {} is no PNG file",
            dashboard.storage.locate(&key)
        ))),
        None => Ok(answer(bytes, "image/png", tag, FOREVER)),
        Some(_) => {
            let showing = showing(&view, &look);
            let shown = Shown { bytes, label: None };
            let jpeg = dashboard.images.resized(shown, showing).await?;
            Ok(answer(jpeg, "image/jpeg", tag, FOREVER))
        }
    }
}

/// Returns a content, cropped and resized as the model saw it.
pub(super) async fn content(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, content)): Path<(String, String)>,
    Query(look): Query<Look>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let contents = &view.run.plan.contents;
    let listing = &contents[position(contents, &content)?];
    let root = &view.run.record.inputs.content;
    input(&dashboard, &view, (root, listing), &look, &headers).await
}

/// Returns a style, cropped and resized as the model saw it.
pub(super) async fn style(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, style)): Path<(String, String)>,
    Query(look): Query<Look>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let styles = &view.run.plan.styles;
    let listing = &styles[position(styles, &style)?];
    let root = &view.run.record.inputs.style;
    input(&dashboard, &view, (root, listing), &look, &headers).await
}

async fn input(
    dashboard: &Dashboard,
    view: &RunView,
    (root, listing): (&Location, &DatasetEntry),
    look: &Look,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let source = dashboard.images.source(root).await?;
    let _reading = dashboard.images.inputs.acquire().await.ok();
    // A dataset that this machine does not have is no trouble of ours.
    let read = async |path: &std::path::Path| {
        let bytes = source.read_within(path, MAX_SHOWN_BYTES).await;
        bytes.map_err(|error| PageError::Missing(chain(&error)))
    };
    let bytes = read(&listing.image.path).await?;
    // An image may be turned as its label lies.
    let label = match &listing.label {
        Some(label) => read(&label.file.path).await.ok(),
        None => None,
    };
    let digest = shared::digest::sha256(&bytes);
    let tag = tag(view, &format!("{digest}/{:?}", look.width()));
    if is_known(headers, &tag) {
        return Ok(unchanged(tag, AN_HOUR));
    }
    let shown = Shown { bytes, label };
    let jpeg = dashboard.images.resized(shown, showing(view, look)).await?;
    Ok(answer(jpeg, "image/jpeg", tag, AN_HOUR))
}

fn showing(view: &RunView, look: &Look) -> Showing {
    let model = &view.run.record.frozen.model;
    Showing {
        size: Size {
            width: model.width,
            height: model.height,
        },
        width: look.width(),
    }
}

/// A tag that is another one for another run of the same name.
fn tag(view: &RunView, what: &str) -> String {
    let text = format!("{}/{what}", view.run.record.plan_hash);
    format!("\"{}\"", &shared::digest::sha256(text.as_bytes())[..32])
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.and_then(|known| known.to_str().ok());
    let mut known = known.into_iter().flat_map(|known| known.split(','));
    // A proxy that compresses makes tags weak.
    known.any(|known| known.trim().trim_start_matches("W/") == tag)
}

fn unchanged(tag: String, cache: &'static str) -> Response {
    let headers = [
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, tag),
    ];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

fn answer(bytes: Bytes, media_type: &'static str, tag: String, cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, tag),
    ];
    (headers, bytes).into_response()
}

impl Images {
    async fn source(&self, root: &Location) -> Result<Arc<dyn Source>, PageError> {
        let opening = {
            let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sources.entry(root.clone()).or_default())
        };
        let source = opening.get_or_try_init(|| source::open(root)).await?;
        Ok(Arc::clone(source))
    }

    async fn resized(&self, shown: Shown, showing: Showing) -> Result<Bytes, PageError> {
        let _room = self.budget.picture().await;
        let work = move || resized(&shown, &showing);
        let made = shared::blocking::run(work).await;
        made.map_err(|reason| PageError::Missing(format!("the image cannot be shown: {reason}")))
    }
}

/// Returns a JPEG of an image, or why there is none.
fn resized(shown: &Shown, showing: &Showing) -> Result<Bytes, String> {
    fn named<'a>(name: &'a str, bytes: &'a [u8]) -> NamedBytes<'a> {
        NamedBytes { name, bytes }
    }
    let label = shown.label.as_ref().map(|label| named("its label", label));
    let file = named("the file", &shown.bytes);
    // What is wrong with a label is said in its item's row; its image can be shown all the same.
    let pixels = as_labelled(file, label).or_else(|_| as_labelled(file, None));
    let pixels = pixels.map_err(|error| chain(&error))?;
    let (height, width, _) = pixels.dim();
    let image = RgbImage::from_raw(
        width as u32,
        height as u32,
        pixels.into_raw_vec_and_offset().0,
    )
    .ok_or("its pixels do not fit its size")?;
    let whole = Size {
        width: image.width() as usize,
        height: image.height() as usize,
    };
    let size = showing.size;
    let kept = CropBox::centred(whole, size);
    let (columns, rows) = (kept.columns, kept.rows);
    let cropped = image::imageops::crop_imm(
        &image,
        columns.start as u32,
        rows.start as u32,
        columns.len() as u32,
        rows.len() as u32,
    );
    let width = showing.width.unwrap_or(size.width as u32);
    let height = (width as usize * size.height).div_ceil(size.width.max(1));
    let resized = image::imageops::resize(
        &*cropped,
        width.max(1),
        (height as u32).max(1),
        FilterType::CatmullRom,
    );
    encode(&resized).map_err(|error| chain(&error))
}

fn encode(image: &RgbImage) -> Result<Bytes, image::ImageError> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(image)?;
    Ok(Bytes::from(jpeg))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn an_image_that_a_browser_has_is_kept_as_long_as_a_new_one() {
        let mut headers = HeaderMap::new();
        assert!(!is_known(&headers, "\"a\""));
        headers.insert(header::IF_NONE_MATCH, "\"b\", W/\"a\"".parse().unwrap());
        assert!(is_known(&headers, "\"a\"") && !is_known(&headers, "\"c\""));
        let kept = unchanged("\"a\"".to_owned(), AN_HOUR);
        assert_eq!(kept.headers()[header::CACHE_CONTROL], AN_HOUR);
    }

    #[test]
    fn an_image_is_cropped_to_the_proportions_of_the_output() {
        let wide = RgbImage::new(40, 10);
        let mut png = Cursor::new(Vec::new());
        wide.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let shown = |bytes: &[u8]| Shown {
            bytes: Bytes::copy_from_slice(bytes),
            label: None,
        };
        let showing = |width| Showing {
            size: Size {
                width: 512,
                height: 256,
            },
            width,
        };
        for (width, expected) in [(None, (512, 256)), (Some(160), (160, 80))] {
            let jpeg = resized(&shown(png.get_ref()), &showing(width)).unwrap();
            let shown = image::load_from_memory(&jpeg).unwrap();
            assert_eq!((shown.width(), shown.height()), expected);
        }
        assert!(resized(&shown(b"no image"), &showing(None)).is_err());
    }
}

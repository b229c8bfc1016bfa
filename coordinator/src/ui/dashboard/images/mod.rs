//! Images: contents, styles and outputs, labels, class maps and what was predicted, as browsers show them.
//!
//! A name in an address is looked up in the run's plan, and only the file that the plan names is read: no address leads
//! anywhere else.
//!
//! - `stored`: pictures that the run has stored; inputs are answered here
//! - `resize`: an image as it is shown; `budget`: how many are decoded at once

mod budget;
mod resize;
mod stored;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use imaging::resize::Size;
use serde::Deserialize;
use shared::dataset::entry::DatasetEntry;
use shared::failure::chain;
use shared::location::Location;
use shared::source::{self, Source};
use tokio::sync::{OnceCell, Semaphore};

use self::budget::Budget;
use self::resize::{ImageFiles, Target};
pub(super) use self::stored::{content_prediction, label, output, output_prediction, prior};
use super::Dashboard;
use super::error::PageError;
use crate::work::collector::RunView;

/// Most bytes of a dataset's file that is shown. Photographs have a tenth of it.
const MAX_INPUT_BYTES: u64 = 64 << 20;
/// Most inputs, and most outputs, that are read at once. Outputs do not wait for a dataset that does not answer.
const MAX_READS: usize = 16;
/// Widths in pixels that can be asked for.
const WIDTHS: [u32; 3] = [160, 320, 640];
/// A dataset that is opened once.
type SourceCell = Arc<OnceCell<Arc<dyn Source>>>;

/// An output never changes: it is a function of what its tag names. What was predicted for it is one of the output.
const FOREVER: &str = "private, max-age=31536000, immutable";
/// An input that is replaced in place is shown within the hour.
const AN_HOUR: &str = "private, max-age=3600";

/// Limits on reading and decoding images, and the datasets that were opened.
#[derive(Debug)]
pub(super) struct Images {
    /// Memory for decoding.
    pub(super) budget: Budget,
    outputs: Semaphore,
    inputs: Semaphore,
    /// Opening a bucket takes requests, so each is opened once; waiting for one holds up no other.
    sources: Mutex<HashMap<Location, SourceCell>>,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            outputs: Semaphore::new(MAX_READS),
            inputs: Semaphore::new(MAX_READS),
            sources: Mutex::default(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ImageQuery {
    /// Width in pixels; one that cannot be asked for, such as none, means the output's own.
    #[serde(default)]
    w: u32,
}

impl ImageQuery {
    fn width(&self) -> Option<u32> {
        WIDTHS.into_iter().find(|&width| width == self.w)
    }
}

/// Returns the position of an image in the plan by its name.
fn position(listings: &[DatasetEntry], name: &str) -> Result<usize, PageError> {
    let found = listings.iter().position(|listing| listing.name() == name);
    found.ok_or_else(|| PageError::NotFound(format!("the run has no image {name:?}")))
}

/// Answers with a content, cropped and resized as the model saw it.
pub(super) async fn content(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, content)): Path<(String, String)>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let contents = &view.run.plan.contents;
    let listing = &contents[position(contents, &content)?];
    let root = &view.run.record.inputs.content;
    input(&dashboard, &view, (root, listing), &query, &headers).await
}

/// Answers with a style, cropped and resized as the model saw it.
pub(super) async fn style(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, style)): Path<(String, String)>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let styles = &view.run.plan.styles;
    let listing = &styles[position(styles, &style)?];
    let root = &view.run.record.inputs.style;
    input(&dashboard, &view, (root, listing), &query, &headers).await
}

async fn input(
    dashboard: &Dashboard,
    view: &RunView,
    (root, listing): (&Location, &DatasetEntry),
    query: &ImageQuery,
    headers: &HeaderMap,
) -> Result<Response, PageError> {
    let source = dashboard.images.source(root).await?;
    let _reading = dashboard.images.inputs.acquire().await.ok();
    // A dataset that this machine does not have is no failure of the dashboard.
    let read = async |path: &std::path::Path| {
        let bytes = source.read_within(path, MAX_INPUT_BYTES).await;
        bytes.map_err(|error| PageError::NotFound(chain(&error)))
    };
    let bytes = read(&listing.image.path).await?;
    // An image may be rotated to the orientation of its label. One whose label cannot be read is shown without.
    let label = match &listing.label {
        Some(label) => read(&label.file.path).await.ok(),
        None => None,
    };
    let digest = shared::digest::sha256(&bytes);
    let tag = tag(view, &format!("{digest}/{:?}", query.width()));
    if is_known(headers, &tag) {
        return Ok(unchanged(tag, AN_HOUR));
    }
    let files = ImageFiles { bytes, label };
    let jpeg = dashboard.images.resized(files, target(view, query)).await?;
    Ok(answer(jpeg, "image/jpeg", tag, AN_HOUR))
}

fn target(view: &RunView, query: &ImageQuery) -> Target {
    let model = &view.run.record.frozen.model;
    Target {
        size: Size {
            width: model.width,
            height: model.height,
        },
        width: query.width(),
    }
}

/// Returns an entity tag, which differs for another run of the same name.
fn tag(view: &RunView, what: &str) -> String {
    let text = format!("{}/{what}", view.run.record.plan_hash);
    format!("\"{}\"", &shared::digest::sha256(text.as_bytes())[..32])
}

/// Returns whether the browser has the image already.
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

    async fn resized(&self, files: ImageFiles, target: Target) -> Result<Bytes, PageError> {
        let _room = self.budget.image().await;
        let work = move || resize::jpeg(&files, &target);
        let made = shared::blocking::run(work).await;
        made.map_err(|reason| PageError::NotFound(format!("the image cannot be shown: {reason}")))
    }
}

#[cfg(test)]
mod tests {
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
}

//! Pictures that a run has stored: outputs, labels, and what was predicted for doubtful outputs and their contents.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use imaging::{LabelFile, NamedBytes, class_colours, encode_png};
use shared::artifact::ArtifactKey;
use shared::dataset::LabelReading;
use shared::failure::chain;
use shared::storage::StorageErrorKind;

use super::resize::ImageFiles;
use super::{AN_HOUR, FOREVER, ImageQuery, answer, is_known, position, tag, target, unchanged};
use crate::output::contact_sheet::max_bytes_of_output;
use crate::ui::dashboard::Dashboard;
use crate::ui::dashboard::error::PageError;
use crate::work::collector::RunView;

/// The first bytes of a PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a browser asks for with the address of a picture.
struct Asked<'a> {
    query: &'a ImageQuery,
    headers: &'a HeaderMap,
}

/// Answers with an output.
pub(crate) async fn output(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, style, content)): Path<(String, String, String)>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let plan = &view.run.plan;
    let at = (
        position(&plan.styles, &style)?,
        position(&plan.contents, &content)?,
    );
    let key = ArtifactKey::Image(view.id().clone(), plan.item(at));
    let asked = Asked {
        query: &query,
        headers: &headers,
    };
    unchanging(&dashboard, &view, &key, asked).await
}

/// Answers with what was predicted for an output.
pub(crate) async fn output_prediction(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, style, content)): Path<(String, String, String)>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let plan = &view.run.plan;
    let at = (
        position(&plan.styles, &style)?,
        position(&plan.contents, &content)?,
    );
    let key = ArtifactKey::OutputPrediction(view.id().clone(), plan.item(at));
    let asked = Asked {
        query: &query,
        headers: &headers,
    };
    unchanging(&dashboard, &view, &key, asked).await
}

/// Answers with what was predicted for a content.
pub(crate) async fn content_prediction(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, content)): Path<(String, String)>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    position(&view.run.plan.contents, &content)?;
    let key = ArtifactKey::ContentPrediction(view.id().clone(), content);
    let asked = Asked {
        query: &query,
        headers: &headers,
    };
    unchanging(&dashboard, &view, &key, asked).await
}

/// Answers with the label of a content in the colours of its classes, however it is stored.
pub(crate) async fn label(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, content)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let contents = &view.run.plan.contents;
    let listing = &contents[position(contents, &content)?];
    let Some(label) = &listing.label else {
        return Err(PageError::NotFound(format!(
            "content {content} has no label"
        )));
    };
    // It is stored as what its dataset promises, by files or by settings.
    let reading = LabelReading {
        stated: label.reading.stated,
        ..LabelReading::promised(label.reading.stored_kind())
    };
    let key = ArtifactKey::Label(view.id().clone(), content);
    let _reading = dashboard.images.outputs.acquire().await.ok();
    let bytes = read(&dashboard, &view, &key).await?;
    let tag = tag(&view, &shared::digest::sha256(&bytes));
    if is_known(&headers, &tag) {
        return Ok(unchanged(tag, AN_HOUR));
    }
    let _room = dashboard.images.budget.image().await;
    let classes = view.run.record.frozen.content.classes.clone();
    let coloured = shared::blocking::run(move || {
        let file = NamedBytes {
            name: "the label",
            bytes: &bytes,
        };
        coloured(LabelFile::new(file, reading).with_classes(classes.as_ref()))
    })
    .await;
    let png = coloured.map_err(|why| cannot_be_shown(&why))?;
    Ok(answer(Bytes::from(png), "image/png", tag, AN_HOUR))
}

/// Returns a label in the colours of its classes, as a PNG.
fn coloured(label: LabelFile<'_>) -> Result<Vec<u8>, String> {
    let colours = class_colours(label).map_err(|error| chain(&error))?;
    encode_png(colours.view()).map_err(|error| chain(&error))
}

/// Answers with a picture that is what its key names as long as there is one.
async fn unchanging(
    dashboard: &Dashboard,
    view: &RunView,
    key: &ArtifactKey,
    Asked { query, headers }: Asked<'_>,
) -> Result<Response, PageError> {
    let tag = tag(view, &format!("{}/{:?}", key.path(), query.width()));
    if is_known(headers, &tag) {
        return Ok(unchanged(tag, FOREVER));
    }
    // Held until the image is decoded: one that waits for that takes memory too.
    let _reading = dashboard.images.outputs.acquire().await.ok();
    let bytes = read(dashboard, view, key).await?;
    match query.width() {
        None if !bytes.starts_with(PNG) => Err(cannot_be_shown(&format!(
            "{} is no PNG file",
            dashboard.storage.locate(key)
        ))),
        None => Ok(answer(bytes, "image/png", tag, FOREVER)),
        Some(_) => {
            let files = ImageFiles { bytes, label: None };
            let jpeg = dashboard.images.resized(files, target(view, query)).await?;
            Ok(answer(jpeg, "image/jpeg", tag, FOREVER))
        }
    }
}

/// Returns the bytes of a picture of the run's size.
async fn read(
    dashboard: &Dashboard,
    view: &RunView,
    key: &ArtifactKey,
) -> Result<Bytes, PageError> {
    let max_bytes = max_bytes_of_output(&view.run.record.frozen.model);
    match dashboard.storage.read_within(key, max_bytes).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind == StorageErrorKind::NotFound => {
            Err(PageError::NotFound(chain(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

fn cannot_be_shown(why: &str) -> PageError {
    PageError::NotFound(format!("the image cannot be shown: {why}"))
}

//! Pictures that a run has stored: outputs, labels, class maps of styles, and what was predicted for doubtful outputs and
//! their contents.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use imaging::{InputError, NamedBytes};
use shared::artifact::ArtifactKey;
use shared::dataset::{ClassTable, LabelKind};
use shared::failure::chain;
use shared::ids::{ItemId, RunId};
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

/// An item in an address: its run, style and content.
type ItemPath = Path<(String, String, String)>;

/// Answers with an output.
pub(crate) async fn output(
    State(dashboard): State<Arc<Dashboard>>,
    path: ItemPath,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    of_item(&dashboard, path, ArtifactKey::Image, (&query, &headers)).await
}

/// Answers with what was predicted for an output.
pub(crate) async fn output_prediction(
    State(dashboard): State<Arc<Dashboard>>,
    path: ItemPath,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let key = ArtifactKey::OutputPrediction;
    of_item(&dashboard, path, key, (&query, &headers)).await
}

/// Answers with what was predicted for the content of an output.
pub(crate) async fn content_prediction(
    State(dashboard): State<Arc<Dashboard>>,
    path: ItemPath,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let key = ArtifactKey::ContentPrediction;
    of_item(&dashboard, path, key, (&query, &headers)).await
}

/// Answers with the class map of a style that has no label.
pub(crate) async fn prior(
    State(dashboard): State<Arc<Dashboard>>,
    Path((run, style)): Path<(String, String)>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let position = position(&view.run.plan.styles, &style)?;
    let changed = &view.ledger.decisions.changed_inputs;
    if !view.run.has_class_map(position, changed) {
        return Err(PageError::NotFound(format!(
            "style {style} has no class map: its label is its own, or none is used"
        )));
    }
    let key = ArtifactKey::Prior(view.id().clone(), style);
    let (query, headers) = (&query, &headers);
    unchanging(&dashboard, &view, &key, Asked { query, headers }).await
}

/// Answers with a picture of an item that has its key.
async fn of_item(
    dashboard: &Dashboard,
    Path((run, style, content)): ItemPath,
    key: fn(RunId, ItemId) -> ArtifactKey,
    (query, headers): (&ImageQuery, &HeaderMap),
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let plan = &view.run.plan;
    let at = (
        position(&plan.styles, &style)?,
        position(&plan.contents, &content)?,
    );
    let key = key(view.id().clone(), plan.item(at));
    unchanging(dashboard, &view, &key, Asked { query, headers }).await
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
    let stored_as = label.reading.stored_kind();
    let key = ArtifactKey::Label(view.id().clone(), content);
    let _reading = dashboard.images.outputs.acquire().await.ok();
    let bytes = read(&dashboard, &view, &key).await?;
    let tag = tag(&view, &shared::digest::sha256(&bytes));
    if is_known(&headers, &tag) {
        return Ok(unchanged(tag, AN_HOUR));
    }
    let _room = dashboard.images.budget.image().await;
    let classes = view.run.record.frozen.content.classes.clone();
    let path = dashboard.storage.locate(&key);
    let coloured = shared::blocking::run(move || {
        let file = NamedBytes {
            name: &path,
            bytes: &bytes,
        };
        coloured(file, stored_as, classes.as_ref())
    })
    .await;
    let png = coloured.map_err(|error| cannot_be_shown(&chain(&error)))?;
    Ok(answer(Bytes::from(png), "image/png", tag, AN_HOUR))
}

/// Returns a label in the colours of what it shows, as a PNG. Nothing is guessed: it was stored as a kind.
fn coloured(
    file: NamedBytes<'_>,
    stored_as: LabelKind,
    classes: Option<&ClassTable>,
) -> Result<Vec<u8>, InputError> {
    imaging::label_ids(file, stored_as, classes)?.colour_png()
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{GrayImage, ImageFormat};

    use super::*;

    fn grey(levels: &[u8]) -> Vec<u8> {
        let width = levels.len() as u32;
        let image = GrayImage::from_raw(width, 1, levels.to_vec()).unwrap();
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn a_stored_label_is_shown_as_what_it_was_stored_as_and_not_guessed_anew() {
        // Unlabelled, ego vehicle and dynamic as label ids, which could be road, sidewalk and pole.
        let png = grey(&[0, 1, 5]);
        let colours = |stored_as| {
            let file = NamedBytes {
                name: "label.png",
                bytes: &png,
            };
            let shown = coloured(file, stored_as, None).unwrap();
            image::load_from_memory(&shown)
                .unwrap()
                .into_rgb8()
                .into_raw()
        };
        let of_label_ids: Vec<u8> = [[0, 0, 0], [0, 0, 0], [111, 74, 0]].concat();
        assert_eq!(colours(LabelKind::PaletteIds), of_label_ids);
        assert_eq!(colours(LabelKind::LabelIds), of_label_ids);
        let of_train_ids: Vec<u8> = [[128, 64, 128], [244, 35, 232], [153, 153, 153]].concat();
        assert_eq!(colours(LabelKind::TrainIds), of_train_ids);
    }

    #[test]
    fn a_label_that_cannot_be_read_is_named() {
        let file = NamedBytes {
            name: "out/runs/demo/labels/00001.png",
            bytes: b"no picture",
        };
        let error = coloured(file, LabelKind::LabelIds, None).unwrap_err();
        assert!(error.to_string().contains(file.name), "{error}");
    }
}

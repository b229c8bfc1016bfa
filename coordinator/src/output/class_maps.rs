//! The class maps of a run's styles without labels as people look at them: over their photographs, with the share of each
//! class.

use image::RgbImage;
use imaging::resize::Size;
use imaging::{ClassShares, decode_train_ids, overlay};
use ndarray::{Array2, Array3};
use shared::artifact::ArtifactKey;
use shared::decision::ChangedInputs;
use shared::failure::chain;
use shared::storage::{Storage, StorageError};

use super::contact_sheet::{max_bytes_of_output, rgb_image};
use crate::run::freeze::FrozenRun;

/// Why the class map of a style cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClassMapError {
    /// It cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It is something else: where it lies.
    #[error("{0} is no class map as a run stores it, or is not whole")]
    Other(String),
}

/// A class map as people look at it.
pub(crate) struct ShownMap {
    /// The style.
    pub(crate) style: String,
    pub(crate) shares: ClassShares,
    /// The photograph with the colours of its classes over it; these alone without a photograph.
    pub(crate) over: RgbImage,
}

/// Returns the class map of a style, by its position in the plan of a run some of whose inputs may be others; nothing if it
/// has none, or none is stored yet.
async fn stored(
    storage: &dyn Storage,
    (run, changed): (&FrozenRun, &ChangedInputs),
    style: usize,
) -> Result<Option<Array2<u8>>, ClassMapError> {
    if !run.has_class_map(style, changed) {
        return Ok(None);
    }
    let model = &run.record.frozen.model;
    let name = run.plan.styles[style].name().to_owned();
    let key = ArtifactKey::Prior(run.record.run.clone(), name);
    let bytes = match storage.read_within(&key, max_bytes_of_output(model)).await {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let size = Size {
        width: model.width,
        height: model.height,
    };
    let map = shared::blocking::run(move || decode_train_ids(&bytes, size)).await;
    let map = map.ok_or_else(|| ClassMapError::Other(storage.locate(&key)))?;
    Ok(Some(map))
}

/// Returns the share of each class in the class map of a style; nothing if it has none, or that cannot be read.
pub(crate) async fn shares(
    storage: &dyn Storage,
    run: (&FrozenRun, &ChangedInputs),
    style: usize,
) -> Option<ClassShares> {
    let map = stored(storage, run, style).await;
    let unread =
        |error: &ClassMapError| tracing::debug!(error = chain(error), "no shares of classes");
    let map = map.inspect_err(unread).ok().flatten()?;
    let shares = shared::blocking::run(move || ClassShares::of(map.view())).await;
    Some(shares)
}

/// Returns the class map of a style over its photograph as the model sees it, which may not be there; nothing if it has no
/// map, or none is stored yet.
///
/// # Errors
///
/// [`ClassMapError`] naming it.
pub(crate) async fn shown(
    storage: &dyn Storage,
    (run, changed): (&FrozenRun, &ChangedInputs),
    style: usize,
    photograph: Option<&RgbImage>,
) -> Result<Option<ShownMap>, ClassMapError> {
    let Some(map) = stored(storage, (run, changed), style).await? else {
        return Ok(None);
    };
    let name = run.plan.styles[style].name().to_owned();
    let pixels = photograph.map(|photograph| photograph.as_raw().clone());
    let work = move || {
        let (height, width) = map.dim();
        let below =
            pixels.and_then(|pixels| Array3::from_shape_vec((height, width, 3), pixels).ok());
        let below = below.unwrap_or_else(|| Array3::zeros((height, width, 3)));
        ShownMap {
            style: name,
            shares: ClassShares::of(map.view()),
            over: rgb_image(&overlay(below.view(), map.view())),
        }
    };
    Ok(Some(shared::blocking::run(work).await))
}

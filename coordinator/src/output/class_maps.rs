//! The class maps of a run's styles without labels as people look at them: over their photographs, with the share of each
//! class.

use image::RgbImage;
use imaging::resize::Size;
use imaging::{ClassShares, decode_train_ids, overlay};
use ndarray::{Array2, Array3};
use shared::artifact::ArtifactKey;
use shared::decision::ChangedInputs;
use shared::source::Source;
use shared::storage::Storage;

use super::contact_sheet::{input_image, max_bytes_of_output, size_of};
use crate::run::freeze::FrozenRun;

/// A class map beside its photograph.
pub(crate) struct ShownMap {
    /// The style.
    pub(crate) style: String,
    pub(crate) shares: ClassShares,
    /// The photograph as the model saw it; none if it cannot be read.
    pub(crate) photograph: Option<RgbImage>,
    /// The same with the colours of its classes over it; these alone without a photograph.
    pub(crate) over: RgbImage,
}

/// Returns the class map of a style, by its position in the plan of a run some of whose inputs may be others; nothing if it
/// has none, or that cannot be read.
async fn stored(
    storage: &dyn Storage,
    (run, changed): (&FrozenRun, &ChangedInputs),
    style: usize,
) -> Option<Array2<u8>> {
    if !run.has_class_map(style, changed) {
        return None;
    }
    let model = &run.record.frozen.model;
    let name = run.plan.styles[style].name().to_owned();
    let key = ArtifactKey::Prior(run.record.run.clone(), name);
    let bytes = storage.read_within(&key, max_bytes_of_output(model)).await;
    let bytes = bytes.ok()?;
    let size = Size {
        width: model.width,
        height: model.height,
    };
    shared::blocking::run(move || decode_train_ids(&bytes, size)).await
}

/// Returns the share of each class in the class map of a style; nothing if it has none, or that cannot be read.
pub(crate) async fn shares(
    storage: &dyn Storage,
    run: (&FrozenRun, &ChangedInputs),
    style: usize,
) -> Option<ClassShares> {
    let map = stored(storage, run, style).await?;
    let shares = shared::blocking::run(move || ClassShares::of(map.view())).await;
    Some(shares)
}

/// Returns the class map of a style beside its photograph out of a dataset; nothing if it has none, or that cannot be read.
pub(crate) async fn shown(
    storage: &dyn Storage,
    (run, changed): (&FrozenRun, &ChangedInputs),
    photographs: Option<&dyn Source>,
    style: usize,
) -> Option<ShownMap> {
    let map = stored(storage, (run, changed), style).await?;
    let listing = changed.style(&run.plan.styles[style]);
    let size = size_of(&run.record.frozen.model);
    let photograph = match photographs {
        Some(photographs) => input_image(photographs, listing, None, size).await,
        None => None,
    };
    let name = listing.name().to_owned();
    let work = move || {
        let (height, width) = map.dim();
        let below = photograph.as_ref().and_then(|photograph| {
            let pixels = photograph.as_raw().clone();
            Array3::from_shape_vec((height, width, 3), pixels).ok()
        });
        let below = below.unwrap_or_else(|| Array3::zeros((height, width, 3)));
        let over = overlay(below.view(), map.view());
        let over = over.into_raw_vec_and_offset().0;
        Some(ShownMap {
            style: name,
            shares: ClassShares::of(map.view()),
            over: RgbImage::from_raw(width as u32, height as u32, over)?,
            photograph,
        })
    };
    shared::blocking::run(work).await
}

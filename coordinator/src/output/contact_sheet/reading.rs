//! Images of inputs and of outputs, as people look at them: one that cannot be read is left out, and a warning names it.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use image::{Rgb, RgbImage};
use imaging::{LabelNeed, LabelUse, LoadError, NamedBytes, decode_image, encode_png, load};
use ndarray::Array3;
use shared::artifact::ArtifactKey;
use shared::dataset::ClassTable;
use shared::dataset::entry::DatasetEntry;
use shared::failure::chain;
use shared::model::{ImageSize, PIXELS_PER_LATENT};
use shared::run_record::FrozenModel;
use shared::source::Source;
use shared::storage::{Storage, StorageError, StorageErrorKind};

/// What could not be read of what is shown together: a warning names each once.
#[derive(Debug, Default)]
pub(crate) struct Unshown {
    told: Mutex<BTreeSet<String>>,
}

impl Unshown {
    /// Returns what was read; nothing if it could not be, which is told.
    pub(crate) fn shown<T, E: Error + 'static>(&self, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.tell(chain(&error))).ok()
    }

    /// Tells what is left out and why, once.
    fn tell(&self, what: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.contains(&what) {
            tracing::warn!("a picture is left out: {what}");
            told.insert(what);
        }
    }
}

/// Returns an input as the model sees it.
///
/// # Errors
///
/// [`LoadError`] naming its file.
pub(crate) async fn input_image(
    source: &dyn Source,
    listing: &DatasetEntry,
    classes: Option<&ClassTable>,
    size: ImageSize,
) -> Result<RgbImage, LoadError> {
    let labels = LabelUse {
        need: LabelNeed::Optional,
        classes: classes.cloned(),
    };
    let loaded = load(source, listing, &labels, size).await?;
    Ok(rgb_image(&loaded.prepared.image))
}

/// Returns an output; none if there is none.
///
/// # Errors
///
/// [`LoadError`] naming it, also if it is larger than any output of its model.
pub(crate) async fn output_image(
    storage: &dyn Storage,
    key: &ArtifactKey,
    model: &FrozenModel,
) -> Result<Option<RgbImage>, LoadError> {
    let bytes = match storage.read_within(key, max_bytes_of_output(model)).await {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let name = storage.locate(key);
    let decode = move || -> Result<Option<RgbImage>, LoadError> {
        let file = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        let pixels = decode_image(file)?;
        Ok(Some(rgb_image(&pixels)))
    };
    shared::blocking::run(decode).await
}

/// Returns the images of inputs of one dataset that are shown together; none of one that is damaged or gone.
///
/// # Errors
///
/// That of the first if no file of any can be read, for their dataset is away; or that of one whose storage does not answer.
pub(super) fn unless_away(
    read: Vec<Result<RgbImage, LoadError>>,
    unshown: &Unshown,
) -> Result<Vec<Option<RgbImage>>, StorageError> {
    let is_away = |read: &Result<RgbImage, LoadError>| matches!(read, Err(LoadError::Read(_)));
    let all_are_away = read.iter().all(is_away);
    let mut shown = Vec::with_capacity(read.len());
    for read in read {
        match read {
            Err(LoadError::Read(error)) if all_are_away || is_outage(&error) => return Err(error),
            read => shown.push(unshown.shown(read)),
        }
    }
    Ok(shown)
}

fn is_outage(error: &StorageError) -> bool {
    error.kind == StorageErrorKind::Unavailable
}

/// Returns RGB pixels `(height, width, 3)` as an image.
pub(crate) fn rgb_image(pixels: &Array3<u8>) -> RgbImage {
    let (height, width, _) = pixels.dim();
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        Rgb([0, 1, 2].map(|channel| pixels[[y as usize, x as usize, channel]]))
    })
}

/// Returns more bytes than any output of a model has, however badly it is compressed.
pub(crate) fn max_bytes_of_output(model: &FrozenModel) -> u64 {
    let pixels = (model.width as u64).saturating_mul(model.height as u64);
    pixels.saturating_mul(4).saturating_add(1 << 16)
}

/// Returns the sizes of a model's images and of its latents.
pub(crate) fn size_of(model: &FrozenModel) -> ImageSize {
    ImageSize {
        width: model.width,
        height: model.height,
        latent_width: model.width / PIXELS_PER_LATENT,
        latent_height: model.height / PIXELS_PER_LATENT,
    }
}

/// Returns a picture as a PNG.
pub(crate) fn encoded(picture: RgbImage) -> Option<Vec<u8>> {
    let (width, height) = picture.dimensions();
    let shape = (height as usize, width as usize, 3);
    let pixels = Array3::from_shape_vec(shape, picture.into_raw()).ok()?;
    encode_png(pixels.view()).ok()
}

#[cfg(test)]
mod tests {
    use imaging::InputError;

    use super::*;

    fn gone(path: &str) -> Result<RgbImage, LoadError> {
        unread(path, StorageErrorKind::NotFound)
    }

    fn unread(path: &str, kind: StorageErrorKind) -> Result<RgbImage, LoadError> {
        Err(LoadError::Read(StorageError {
            kind,
            operation: "read",
            path: path.to_owned(),
            source: None,
        }))
    }

    #[test]
    fn a_dataset_of_which_nothing_can_be_read_is_away_and_one_file_that_is_gone_is_left_out() {
        let unshown = Unshown::default();
        let image = || Ok(RgbImage::new(1, 1));
        let shown = unless_away(vec![gone("a.png"), image()], &unshown).unwrap();
        assert_eq!(shown, [None, Some(RgbImage::new(1, 1))]);
        let away = unless_away(vec![gone("a.png"), gone("b.png")], &unshown);
        assert_eq!(away.unwrap_err().path, "a.png");
        // The next may come when the bucket answers again.
        let timed_out = unread("b.png", StorageErrorKind::Unavailable);
        let outage = unless_away(vec![image(), timed_out], &unshown);
        assert_eq!(outage.unwrap_err().path, "b.png");
        let damaged = InputError::NoLabel {
            name: "b.png".to_owned(),
        };
        let damaged = vec![gone("a.png"), Err(damaged.into())];
        assert_eq!(unless_away(damaged, &unshown).unwrap(), [None, None]);
        assert_eq!(unless_away(Vec::new(), &unshown).unwrap(), []);
    }

    #[test]
    fn what_is_left_out_is_told_once_with_its_name() {
        let unshown = Unshown::default();
        for path in ["a.png", "b.png", "a.png"] {
            assert_eq!(unshown.shown(gone(path)), None);
        }
        let told = unshown.told.into_inner().unwrap();
        let expected = [
            "cannot read a.png: it is not there",
            "cannot read b.png: it is not there",
        ];
        assert!(told.iter().eq(expected), "{told:?}");
    }
}

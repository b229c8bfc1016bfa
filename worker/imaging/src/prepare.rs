//! Preparation of a pair, an image and its label: both at the size of the model, as the method and the converted dataset
//! need them.

use ndarray::{Array2, Array3};

use crate::decode::label_file;
use crate::decode::orientation::LabelSize;
use crate::decode::picture;
use crate::error::InputError;
use crate::files::{LabelFile, NamedBytes};
use crate::labels::encoding::{self, Label};
use crate::labels::label_map::LabelMap;
use crate::labels::stored::stored;
use crate::resize::{CropBox, Size, crop_centre, resize_bicubic, resize_nearest};
use shared::dataset::classes::UNKNOWN;
use shared::model::ImageSize;
use shared::warning::{ItemWarning, WarningKind};

fn image_of(size: ImageSize) -> Size {
    Size {
        width: size.width,
        height: size.height,
    }
}

fn latent_of(size: ImageSize) -> Size {
    Size {
        width: size.latent_width,
        height: size.latent_height,
    }
}

/// A pair at the size of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The image in RGB, `(height, width, 3)`.
    pub image: Array3<u8>,
    /// The train ids, `(height, width)`; all unknown without a label.
    pub label: Array2<u8>,
    /// The train ids at the size of the latent, `(latent height, latent width)`.
    pub label_latent: Array2<u8>,
    /// The label at the size of the image, as a PNG of what the layout promises; none without a label.
    pub stored_label: Option<Vec<u8>>,
    /// Warnings about the files; each names its file.
    pub warnings: Vec<ItemWarning>,
}

impl Prepared {
    /// Takes the class map that was made of an image without a label, train ids `(height, width)` of its size, as its label.
    /// Nothing of it is stored beside outputs.
    pub fn take_class_map(&mut self, train_ids: Array2<u8>) {
        let (height, width) = self.label_latent.dim();
        self.label_latent = resize_nearest(train_ids.view(), Size { width, height });
        self.label = train_ids;
    }
}

/// Returns an image and its label, cropped and resized.
///
/// The image is resized bicubically, the stored label to the nearest pixel, with all its ids or
/// colours. The train ids follow the authors' code: nearest for ids, blended for Cityscapes' colours. Those that a table
/// gives are nearest too.
///
/// # Errors
///
/// [`InputError`] if either file is damaged, it cannot be told what the label shows, or they do not fit.
pub fn prepare(
    image: NamedBytes<'_>,
    label: Option<LabelFile<'_>>,
    size: ImageSize,
) -> Result<Prepared, InputError> {
    let picture = picture::picture(image)?;
    let decoded = label.map(|file| Ok((file, encoding::read(file)?)));
    let decoded = decoded.transpose()?;
    let label_size = decoded.as_ref().map(|(file, (label, _))| LabelSize {
        name: file.file.name,
        size: label.size(),
    });
    let oriented = picture.oriented(image.name, label_size)?;
    let (pixels, mut warnings) = oriented.into_pixels(image)?;
    let (height, width, _) = pixels.dim();
    let kept = CropBox::centred(Size { width, height }, image_of(size)).size();
    if kept.width < size.latent_width.max(1) || kept.height < size.latent_height.max(1) {
        return Err(InputError::TooSmall {
            name: image.name.to_owned(),
            width,
            height,
            min_width: size.latent_width,
            min_height: size.latent_height,
        });
    }
    warnings.extend(framing(
        image.name,
        Size { width, height },
        kept,
        image_of(size),
    ));

    let resize_error = |name: &str| {
        let name = name.to_owned();
        |source| InputError::Resize { name, source }
    };
    let cropped = crop_centre(pixels.view(), image_of(size));
    let resized = resize_bicubic(cropped, image_of(size)).map_err(resize_error(image.name))?;
    let (map, stored_label) = match decoded {
        Some((file, (label, told))) => {
            warnings.extend(told);
            let map = label_map(&label, size).map_err(resize_error(file.file.name))?;
            if map.image.iter().all(|&train_id| train_id == UNKNOWN) {
                return Err(InputError::NoKnownClass {
                    name: file.file.name.to_owned(),
                    expected: encoding::expected(file.reading.kind),
                });
            }
            warnings.extend(converted(&file));
            let stored = stored(&label, file.reading.stored_kind(), image_of(size))?;
            (map, Some(stored))
        }
        None => (LabelMap::unknown(image_of(size), latent_of(size)), None),
    };
    Ok(Prepared {
        image: resized,
        label: map.image,
        label_latent: map.latent,
        stored_label,
        warnings,
    })
}

/// If more than this share of a picture is cut away, a warning says so: it no longer shows what its photographer saw.
const MUCH_CUT_AWAY: f64 = 0.25;

/// Returns what was done to a picture so that it has the size of the model, as far as it is much.
fn framing(name: &str, whole: Size, kept: Size, model: Size) -> Vec<ItemWarning> {
    let pixels = |size: Size| (size.width * size.height) as f64;
    let cut_away = 1.0 - pixels(kept) / pixels(whole);
    let shown = |size: Size| format!("{}x{}", size.width, size.height);
    let (of, model_shown) = (shown(whole), shown(model));
    let mut warnings = Vec::new();
    if cut_away > MUCH_CUT_AWAY {
        let kept = shown(kept);
        let text = format!(
            "{name} is {of} and was cropped to its middle {kept}, the shape of the model's {model_shown}: {:.0} % of it \
             were cut away",
            100.0 * cut_away
        );
        warnings.push(ItemWarning {
            kind: WarningKind::Cropped,
            text,
        });
    }
    if kept.width < model.width {
        let factor = model.width as f64 / kept.width as f64;
        let text = format!(
            "{name} is {of} and its middle {} was enlarged {factor:.2} times to {model_shown}",
            shown(kept)
        );
        warnings.push(ItemWarning {
            kind: WarningKind::Enlarged,
            text,
        });
    }
    warnings
}

/// Returns an image at its own size `(height, width, 3)`, turned or not as its label asks for.
///
/// # Errors
///
/// [`InputError`] if the image cannot be read, the label is no PNG, or they do not fit.
pub fn as_labelled(
    image: NamedBytes<'_>,
    label: Option<NamedBytes<'_>>,
) -> Result<Array3<u8>, InputError> {
    let label = label.map(|label| {
        Ok(LabelSize {
            name: label.name,
            size: label_file::size(label)?,
        })
    });
    let oriented = picture::picture(image)?.oriented(image.name, label.transpose()?)?;
    oriented.into_pixels(image).map(|(pixels, _)| pixels)
}

/// Returns that a label is stored as another kind than its own, if it is.
fn converted(label: &LabelFile<'_>) -> Option<ItemWarning> {
    let stored = label.reading.stored?;
    Some(ItemWarning {
        kind: WarningKind::LabelEncoding,
        text: format!(
            "{} is one of {} and is stored as {stored}, as all labels of the run are",
            label.file.name, label.reading.kind
        ),
    })
}

fn label_map(label: &Label, size: ImageSize) -> Result<LabelMap, crate::resize::ResizeError> {
    let (image, latent) = (image_of(size), latent_of(size));
    match label {
        Label::Ids(ids, values, _) => {
            let to_train_id = |id| ids.train_id(id);
            Ok(LabelMap::from_ids(
                values.view(),
                to_train_id,
                image,
                latent,
            ))
        }
        Label::Colours(colours) => LabelMap::from_colours(colours.view(), image, latent),
        Label::Mapped(mapped) => {
            let train_ids = mapped.train_ids.view();
            Ok(LabelMap::from_ids(train_ids, |id| id, image, latent))
        }
    }
}

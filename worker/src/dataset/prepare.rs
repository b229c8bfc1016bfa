//! From the files of a pair to what the method and the converted dataset need.

use ndarray::{Array2, Array3};

use super::decode::{self, Label};
use super::encode::{encode_ids, encode_png};
use super::error::InputError;
use crate::method::image::{
    CropBox, Size, crop_centre, resize_bicubic, resize_nearest, resize_nearest_rgb,
};
use crate::method::label_map::{LabelMap, UNKNOWN, train_id_of_label_id, train_id_of_train_id};
use shared::listing::LabelKind;
use shared::warning::{ItemWarning, WarningKind};

/// The sizes that a model works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// The columns of an image.
    pub width: usize,
    /// The rows of an image.
    pub height: usize,
    /// The columns of a latent.
    pub latent_width: usize,
    /// The rows of a latent.
    pub latent_height: usize,
}

impl ImageSize {
    fn image(self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    fn latent(self) -> Size {
        Size {
            width: self.latent_width,
            height: self.latent_height,
        }
    }
}

/// The bytes of a file.
#[derive(Clone, Copy, Debug)]
pub struct NamedBytes<'a> {
    /// The path that errors show.
    pub name: &'a str,
    /// What the file holds.
    pub bytes: &'a [u8],
}

/// A pair at the size of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The image in RGB, `(height, width, 3)`.
    pub image: Array3<u8>,
    /// The train ids, `(height, width)`.
    pub label: Array2<u8>,
    /// The train ids at the size of the latent.
    pub label_latent: Array2<u8>,
    /// The label at the size of the image, as a PNG in the format that it came in.
    pub stored_label: Vec<u8>,
    /// What a person should know about the files; each names its file.
    pub warnings: Vec<ItemWarning>,
}

/// Returns an image and its label, cropped and resized.
///
/// The image is resized bicubically, the stored label to the nearest pixel, with all its ids or
/// colours. The train ids follow the authors' code: nearest for ids, blended for colours.
///
/// # Errors
///
/// [`InputError`] if either file is damaged or not what its name promises, or they do not fit.
pub fn prepare(
    image: NamedBytes<'_>,
    label: NamedBytes<'_>,
    kind: LabelKind,
    size: ImageSize,
) -> Result<Prepared, InputError> {
    let (pixels, mut warnings) = decode::image(image)?;
    let decoded_label = decode::label(label, kind)?;
    let (height, width, _) = pixels.dim();
    if decoded_label.size() != (width, height) {
        return Err(InputError::LabelSize {
            label: label.name.to_owned(),
            label_size: decoded_label.size(),
            image: image.name.to_owned(),
            image_size: (width, height),
        });
    }
    let kept = CropBox::centred(Size { width, height }, size.image()).size();
    if kept.width < size.latent_width.max(1) || kept.height < size.latent_height.max(1) {
        return Err(InputError::TooSmall {
            name: image.name.to_owned(),
            width,
            height,
            min_width: size.latent_width,
            min_height: size.latent_height,
        });
    }
    if kept.width < size.width {
        warnings.push(ItemWarning {
            kind: WarningKind::Enlarged,
            text: format!(
                "{} is {width}x{height} and was enlarged to {}x{}",
                image.name, size.width, size.height
            ),
        });
    }

    let resize_error = |name: &str| {
        let name = name.to_owned();
        |source| InputError::Resize { name, source }
    };
    let cropped = crop_centre(pixels.view(), size.image());
    let resized = resize_bicubic(cropped, size.image()).map_err(resize_error(image.name))?;
    let map = label_map(&decoded_label, kind, size).map_err(resize_error(label.name))?;
    if map.image.iter().all(|&train_id| train_id == UNKNOWN) {
        return Err(InputError::NoKnownClass {
            name: label.name.to_owned(),
            expected: decode::expected(kind),
        });
    }
    Ok(Prepared {
        image: resized,
        label: map.image,
        label_latent: map.latent,
        stored_label: stored(&decoded_label, size.image())?,
        warnings,
    })
}

fn label_map(
    label: &Label,
    kind: LabelKind,
    size: ImageSize,
) -> Result<LabelMap, crate::method::image::ResizeError> {
    let (image, latent) = (size.image(), size.latent());
    match label {
        Label::Ids(ids, _) => {
            let to_train_id = match kind {
                LabelKind::TrainIds => train_id_of_train_id,
                LabelKind::PaletteIds | LabelKind::LabelIds | LabelKind::Colour => {
                    train_id_of_label_id
                }
            };
            Ok(LabelMap::from_ids(ids.view(), to_train_id, image, latent))
        }
        Label::Colours(colours) => LabelMap::from_colours(colours.view(), image, latent),
    }
}

/// Returns a label at another size in the format that it came in.
fn stored(label: &Label, size: Size) -> Result<Vec<u8>, InputError> {
    match label {
        Label::Ids(ids, palette) => {
            let ids = resize_nearest(crop_centre(ids.view(), size), size);
            encode_ids(ids.view(), palette.as_deref())
        }
        Label::Colours(colours) => {
            let colours = resize_nearest_rgb(crop_centre(colours.view(), size), size);
            encode_png(colours.view())
        }
    }
}

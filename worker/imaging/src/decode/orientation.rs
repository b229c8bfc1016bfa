//! Whether an image is turned as its EXIF orientation says.
//!
//! The label decides, which was drawn on what its author saw:
//!
//! - it has the size of the turned image: the image is turned
//! - it has the size of the stored image: the image is left as it is stored
//! - both are one size (upside down, mirrored, or a square): the sizes tell nothing, and the image is turned, since that
//!   is how viewers and annotation tools show it
//! - it has neither size: the pair is refused
//!
//! An image without a label is turned. Whatever was done is a warning.

use image::DynamicImage;
use image::metadata::Orientation;

use super::picture::Picture;
use crate::error::InputError;
use shared::warning::{ItemWarning, WarningKind};

/// An image as it lies against its label.
pub(crate) struct Oriented {
    pub(crate) image: DynamicImage,
    pub(crate) warnings: Vec<ItemWarning>,
}

/// The size of a label file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelSize<'a> {
    pub(crate) name: &'a str,
    /// Width and height.
    pub(crate) size: (usize, usize),
}

impl Picture {
    /// Returns the image turned, or not, as its label asks for.
    ///
    /// # Errors
    ///
    /// [`InputError::LabelSize`] if the label fits neither way.
    pub(crate) fn oriented(
        self,
        name: &str,
        label: Option<LabelSize<'_>>,
    ) -> Result<Oriented, InputError> {
        let Self {
            mut image,
            orientation,
            mut warnings,
        } = self;
        let stored = (image.width() as usize, image.height() as usize);
        let turned = if swaps_sides(orientation) {
            (stored.1, stored.0)
        } else {
            stored
        };
        let is_fit = label.is_none_or(|label| label.size == stored || label.size == turned);
        if let Some(label) = label.filter(|_| !is_fit) {
            let exif = orientation.to_exif();
            return Err(InputError::LabelSize {
                label: label.name.to_owned(),
                label_size: label.size,
                image: name.to_owned(),
                image_size: stored,
                turned: (exif != 1).then_some((exif, turned)),
            });
        }
        if orientation != Orientation::NoTransforms {
            let is_turned = label.is_none_or(|label| label.size == turned);
            let outcome = if is_turned {
                image.apply_orientation(orientation);
                "which was applied"
            } else {
                "which was not applied: its label has the size of the image as it is stored"
            };
            warnings.push(ItemWarning {
                kind: WarningKind::Orientation,
                text: format!(
                    "{name} has EXIF orientation {} ({}), {outcome}",
                    orientation.to_exif(),
                    describe(orientation)
                ),
            });
        }
        Ok(Oriented { image, warnings })
    }
}

fn swaps_sides(orientation: Orientation) -> bool {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => true,
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    }
}

fn describe(orientation: Orientation) -> &'static str {
    match orientation {
        Orientation::NoTransforms => "as it is stored",
        Orientation::FlipHorizontal => "mirrored",
        Orientation::Rotate180 => "upside down",
        Orientation::FlipVertical => "mirrored upside down",
        Orientation::Rotate90FlipH => "a quarter turn, mirrored",
        Orientation::Rotate90 => "a quarter turn to the right",
        Orientation::Rotate270FlipH => "a quarter turn to the left, mirrored",
        Orientation::Rotate270 => "a quarter turn to the left",
    }
}

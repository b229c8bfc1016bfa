//! Label maps: from what a dataset stores to the 19 Cityscapes train ids, at the sizes the method needs.
//!
//! The map of the latent's size is made from the map of the image's size, not from the original.
//!
//! **Source:** Cordts et al. 2016 (arXiv:1604.01685) and cityscapesScripts' `labels.py`.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Zip};

use shared::dataset::classes::{UNKNOWN, train_id_of_colour};

use crate::resize::{ResizeError, Size, crop_centre, resize_bicubic, resize_nearest};

/// The train ids of one image at both sizes, [`UNKNOWN`] where there is no class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LabelMap {
    /// `(height, width)` of the image.
    pub(crate) image: Array2<u8>,
    /// `(height, width)` of the latent.
    pub(crate) latent: Array2<u8>,
}

impl LabelMap {
    /// Returns the label map of an image of which nothing is known.
    pub(crate) fn unknown(image: Size, latent: Size) -> Self {
        let at = |size: Size| Array2::from_elem((size.height, size.width), UNKNOWN);
        Self {
            image: at(image),
            latent: at(latent),
        }
    }

    /// Returns the label map of an image of ids, with `to_train_id` for each of the 256 ids.
    ///
    /// `ids` is `(height, width)` as stored; it is cropped like its image and takes the nearest id.
    pub(crate) fn from_ids(
        ids: ArrayView2<u8>,
        to_train_id: impl Fn(u8) -> u8,
        image: Size,
        latent: Size,
    ) -> Self {
        let ids = resize_nearest(crop_centre(ids, image), image);
        let table: [u8; 256] = std::array::from_fn(|id| to_train_id(id as u8));
        let image = ids.mapv(|id| table[usize::from(id)]);
        let latent = resize_nearest(image.view(), latent);
        Self { image, latent }
    }

    /// Returns the label map of an image of class colours, `(height, width, 3)` as stored.
    ///
    /// Colours are blended like those of an image, so that the borders of classes become unknown.
    ///
    /// # Errors
    ///
    /// [`ResizeError`] if a size cannot be resized to.
    pub(crate) fn from_colours(
        colours: ArrayView3<u8>,
        image: Size,
        latent: Size,
    ) -> Result<Self, ResizeError> {
        let at_image = resize_bicubic(crop_centre(colours, image), image)?;
        let at_latent = resize_bicubic(at_image.view(), latent)?;
        Ok(Self {
            image: matched(&at_image),
            latent: matched(&at_latent),
        })
    }
}

fn matched(colours: &Array3<u8>) -> Array2<u8> {
    let (height, width, _) = colours.dim();
    let pixels = colours.rows();
    let mut train_ids = Array2::zeros((height, width));
    Zip::from(&mut train_ids)
        .and(pixels)
        .for_each(|train_id, colour| {
            *train_id = train_id_of_colour([colour[0], colour[1], colour[2]]);
        });
    train_ids
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use shared::dataset::classes::train_id_of_label_id;

    use super::*;

    #[test]
    fn a_map_of_ids_has_train_ids_at_both_sizes() {
        let ids = array![[7, 7, 26, 0], [7, 7, 26, 0]];
        let size = |width, height| Size { width, height };
        let map = LabelMap::from_ids(ids.view(), train_id_of_label_id, size(4, 2), size(2, 1));
        assert_eq!(map.image, array![[0, 0, 13, 255], [0, 0, 13, 255]]);
        assert_eq!(map.latent, array![[0, 255]]);
    }
}

//! Label maps: from what a dataset stores to the 19 Cityscapes train ids, at the sizes the method needs.
//!
//! The map of the latent's size is made from the map of the image's size, not from the original.
//!
//! **Source:** Cordts et al. 2016 (arXiv:1604.01685) and cityscapesScripts' `labels.py`.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Zip};

use super::image::{ResizeError, Size, crop_centre, resize_bicubic, resize_nearest};

/// The label of a position that belongs to none of the classes.
pub const UNKNOWN: u8 = 255;

/// The number of classes, whose train ids are `0..NUM_CLASSES`.
pub const NUM_CLASSES: usize = 19;

/// A class as Cityscapes defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The name of the class.
    pub name: &'static str,
    /// The id that label files use.
    pub label_id: u8,
    /// The colour that colour files use.
    pub colour: [u8; 3],
}

/// The classes by train id.
pub const CLASSES: [Class; NUM_CLASSES] = [
    class("road", 7, [128, 64, 128]),
    class("sidewalk", 8, [244, 35, 232]),
    class("building", 11, [70, 70, 70]),
    class("wall", 12, [102, 102, 156]),
    class("fence", 13, [190, 153, 153]),
    class("pole", 17, [153, 153, 153]),
    class("traffic light", 19, [250, 170, 30]),
    class("traffic sign", 20, [220, 220, 0]),
    class("vegetation", 21, [107, 142, 35]),
    class("terrain", 22, [152, 251, 152]),
    class("sky", 23, [70, 130, 180]),
    class("person", 24, [220, 20, 60]),
    class("rider", 25, [255, 0, 0]),
    class("car", 26, [0, 0, 142]),
    class("truck", 27, [0, 0, 70]),
    class("bus", 28, [0, 60, 100]),
    class("train", 31, [0, 80, 100]),
    class("motorcycle", 32, [0, 0, 230]),
    class("bicycle", 33, [119, 11, 32]),
];

const fn class(name: &'static str, label_id: u8, colour: [u8; 3]) -> Class {
    Class {
        name,
        label_id,
        colour,
    }
}

/// Returns the train id of a label id, or [`UNKNOWN`].
pub fn train_id_of_label_id(label_id: u8) -> u8 {
    train_id(|class| class.label_id == label_id)
}

/// Returns the train id of a colour, or [`UNKNOWN`] if it is not exactly that of a class.
pub fn train_id_of_colour(colour: [u8; 3]) -> u8 {
    train_id(|class| class.colour == colour)
}

/// Returns `stored` if it is a train id, or [`UNKNOWN`].
pub fn train_id_of_train_id(stored: u8) -> u8 {
    if usize::from(stored) < NUM_CLASSES {
        stored
    } else {
        UNKNOWN
    }
}

fn train_id(is_it: impl Fn(&Class) -> bool) -> u8 {
    let found = CLASSES.iter().position(is_it);
    found.map_or(UNKNOWN, |train_id| train_id as u8)
}

/// The train ids of one image at both sizes, [`UNKNOWN`] where there is no class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    /// `(height, width)` of the image.
    pub image: Array2<u8>,
    /// `(height, width)` of the latent.
    pub latent: Array2<u8>,
}

impl LabelMap {
    /// Returns the label map of an image of which nothing is known.
    pub fn unknown(image: Size, latent: Size) -> Self {
        let at = |size: Size| Array2::from_elem((size.height, size.width), UNKNOWN);
        Self {
            image: at(image),
            latent: at(latent),
        }
    }

    /// Returns the label map of an image of ids, with `to_train_id` for each of the 256 ids.
    ///
    /// `ids` is `(height, width)` as stored; it is cropped like its image and takes the nearest id.
    pub fn from_ids(
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
    pub fn from_colours(
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
    use super::*;
    use ndarray::array;

    #[test]
    fn ids_and_colours_name_the_same_classes() {
        for (train_id, class) in CLASSES.iter().enumerate() {
            assert_eq!(usize::from(train_id_of_label_id(class.label_id)), train_id);
            assert_eq!(usize::from(train_id_of_colour(class.colour)), train_id);
        }
        assert_eq!(train_id_of_label_id(0), UNKNOWN);
        assert_eq!(train_id_of_colour([1, 2, 3]), UNKNOWN);
        assert_eq!(train_id_of_train_id(18), 18);
        assert_eq!(train_id_of_train_id(19), UNKNOWN);
    }

    #[test]
    fn a_map_of_ids_has_train_ids_at_both_sizes() {
        let ids = array![[7, 7, 26, 0], [7, 7, 26, 0]];
        let size = |width, height| Size { width, height };
        let map = LabelMap::from_ids(ids.view(), train_id_of_label_id, size(4, 2), size(2, 1));
        assert_eq!(map.image, array![[0, 0, 13, 255], [0, 0, 13, 255]]);
        assert_eq!(map.latent, array![[0, 255]]);
    }
}

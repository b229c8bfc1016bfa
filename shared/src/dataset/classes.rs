//! The 19 classes of Cityscapes, by train id, label id and colour.
//!
//! **Source:** Cordts et al. 2016 (arXiv:1604.01685) and cityscapesScripts' `labels.py`.

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
#[inline]
pub fn train_id_of_label_id(label_id: u8) -> u8 {
    train_id(|class| class.label_id == label_id)
}

/// Returns the train id of a colour, or [`UNKNOWN`] if it is not exactly that of a class.
#[inline]
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

#[inline]
fn train_id(is_it: impl Fn(&Class) -> bool) -> u8 {
    let found = CLASSES.iter().position(is_it);
    found.map_or(UNKNOWN, |train_id| train_id as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

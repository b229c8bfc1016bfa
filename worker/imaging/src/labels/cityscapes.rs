//! The labels of Cityscapes, with those that are no classes, and which colours they have.
//!
//! **Source:** cityscapesScripts' `labels.py`, and the palette of GTA5's label files.
//! **Differs:** GTA5 gives `static` a colour of its own and stores the license plate as 34.

use ndarray::{Array2, Array3};
use shared::dataset::classes::{CLASSES, UNKNOWN, train_id_of_colour, train_id_of_label_id};

/// The label id of what has no label.
pub(super) const UNLABELLED: u8 = 0;

/// The highest label id, GTA5's license plate.
pub(super) const LAST_LABEL_ID: u8 = 34;

/// Labels that are no classes, each with a colour. An id may have several colours and a colour several ids.
const OTHER_LABELS: [(u8, [u8; 3]); 17] = [
    (UNLABELLED, [0, 0, 0]),
    (1, [0, 0, 0]),
    (2, [0, 0, 0]),
    (3, [0, 0, 0]),
    (4, [0, 0, 0]),
    (4, [20, 20, 20]),
    (5, [111, 74, 0]),
    (6, [81, 0, 81]),
    (9, [250, 170, 160]),
    (10, [230, 150, 140]),
    (14, [180, 165, 180]),
    (15, [150, 100, 100]),
    (16, [150, 120, 90]),
    (18, [153, 153, 153]),
    (29, [0, 0, 90]),
    (30, [0, 0, 110]),
    (LAST_LABEL_ID, [0, 0, 142]),
];

/// The colour of label ids that are none.
const BLACK: [u8; 3] = [0; 3];
/// The colour that many tools fill with where nothing is labelled.
const WHITE: [u8; 3] = [255; 3];

/// Returns whether Cityscapes gives a label id that colour.
pub(super) fn has_colour(label_id: u8, colour: [u8; 3]) -> bool {
    let mut others = OTHER_LABELS.iter();
    let is_class = |train_id: u8| CLASSES[usize::from(train_id)].colour == colour;
    let train_id = train_id_of_label_id(label_id);
    train_id != UNKNOWN && is_class(train_id)
        || others.any(|(id, of_label)| *id == label_id && *of_label == colour)
}

/// Returns the label id of a colour, that of the class where several have it; none if no label has it.
pub(super) fn label_id_of_colour(colour: [u8; 3]) -> Option<u8> {
    let train_id = train_id_of_colour(colour);
    if train_id != UNKNOWN {
        return Some(CLASSES[usize::from(train_id)].label_id);
    }
    if colour == WHITE {
        return Some(UNLABELLED);
    }
    let mut others = OTHER_LABELS.iter();
    others.find_map(|(id, of_label)| (*of_label == colour).then_some(*id))
}

/// Returns the colour of a label id, black where there is no such label.
fn colour_of_label_id(label_id: u8) -> [u8; 3] {
    let train_id = train_id_of_label_id(label_id);
    if train_id != UNKNOWN {
        return CLASSES[usize::from(train_id)].colour;
    }
    let mut others = OTHER_LABELS.iter();
    let found = others.find_map(|(id, colour)| (*id == label_id).then_some(*colour));
    found.unwrap_or(BLACK)
}

/// Returns label ids `(height, width)` in the colours of their labels `(height, width, 3)`.
pub(super) fn in_colours(label_ids: &Array2<u8>) -> Array3<u8> {
    painted(label_ids, colour_of_label_id)
}

/// Returns label ids `(height, width)` as a picture `(height, width, 3)` that has a colour for each.
pub(super) fn painted(label_ids: &Array2<u8>, colour: impl Fn(u8) -> [u8; 3]) -> Array3<u8> {
    let colours: [[u8; 3]; 256] = std::array::from_fn(|id| colour(id as u8));
    let (height, width) = label_ids.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, channel)| {
        colours[usize::from(label_ids[(y, x)])][channel]
    })
}

/// Returns the label id of a train id, that of no label where there is no such class.
pub(super) fn label_id_of_train_id(train_id: u8) -> u8 {
    let class = CLASSES.get(usize::from(train_id));
    class.map_or(UNLABELLED, |class| class.label_id)
}

/// Returns the palette of train ids, as a PNG has it; what is none of the classes is black.
pub(super) fn palette_of_train_ids() -> Vec<u8> {
    let colour = |train_id: u8| {
        let class = CLASSES.get(usize::from(train_id));
        class.map_or(BLACK, |class| class.colour)
    };
    (0..=u8::MAX).flat_map(colour).collect()
}

/// Returns the palette of label ids, as a PNG has it.
pub(super) fn palette() -> Vec<u8> {
    (0..=u8::MAX).flat_map(colour_of_label_id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::classes::NUM_CLASSES;

    #[test]
    fn every_label_has_a_colour_and_every_colour_a_label() {
        for label_id in 0..=LAST_LABEL_ID {
            let colour = colour_of_label_id(label_id);
            assert!(has_colour(label_id, colour), "{label_id}");
            let back = label_id_of_colour(colour).unwrap();
            assert!(has_colour(back, colour), "{label_id} and {back}");
        }
        for train_id in 0..NUM_CLASSES as u8 {
            let label_id = label_id_of_train_id(train_id);
            assert_eq!(train_id_of_label_id(label_id), train_id);
            assert_eq!(
                label_id_of_colour(colour_of_label_id(label_id)),
                Some(label_id)
            );
        }
        assert_eq!(label_id_of_train_id(UNKNOWN), 0);
        assert_eq!(label_id_of_colour([1, 2, 3]), None);
        assert_eq!(palette().len(), 3 * 256);
    }
}

//! The classes of a label: counted, and as colours.

use ndarray::{Array2, Array3};

use super::encoding::{self, Label};
use crate::{InputError, LabelFile};
use shared::dataset::classes::{CLASSES, NUM_CLASSES, train_id_of_colour};

const BLACK: [u8; 3] = [0; 3];

/// Returns how many pixels of each class a label has, at its own size.
///
/// # Errors
///
/// [`InputError`] if the file is damaged, or it cannot be told what it shows.
pub fn count_classes(label: LabelFile<'_>) -> Result<[u64; NUM_CLASSES], InputError> {
    let mut counts = [0; NUM_CLASSES];
    let mut count = |train_id: u8| {
        if let Some(count) = counts.get_mut(usize::from(train_id)) {
            *count += 1;
        }
    };
    match encoding::read(label)? {
        (Label::Ids(ids, values, _), _) => {
            let table: [u8; 256] = std::array::from_fn(|id| ids.train_id(id as u8));
            values.iter().for_each(|&id| count(table[usize::from(id)]));
        }
        (Label::Colours(colours), _) => {
            for colour in colours.lanes(ndarray::Axis(2)) {
                count(train_id_of_colour([colour[0], colour[1], colour[2]]));
            }
        }
        (Label::Mapped(mapped), _) => mapped.train_ids.iter().for_each(|&id| count(id)),
    }
    Ok(counts)
}

/// Returns a label in the colours of its classes, `(height, width, 3)`, at its own size; ids that are none of the classes are
/// black.
///
/// # Errors
///
/// [`InputError`] if the file is damaged, or it cannot be told what it shows.
pub fn class_colours(label: LabelFile<'_>) -> Result<Array3<u8>, InputError> {
    match encoding::read(label)? {
        (Label::Ids(ids, values, _), _) => {
            let colours: [[u8; 3]; 256] =
                std::array::from_fn(|id| colour_of_train_id(usize::from(ids.train_id(id as u8))));
            Ok(coloured(&values, &colours))
        }
        (Label::Colours(colours), _) => Ok(colours),
        (Label::Mapped(mapped), _) => {
            let colours: [[u8; 3]; 256] = std::array::from_fn(colour_of_train_id);
            Ok(coloured(&mapped.train_ids, &colours))
        }
    }
}

fn colour_of_train_id(train_id: usize) -> [u8; 3] {
    CLASSES.get(train_id).map_or(BLACK, |class| class.colour)
}

/// Returns ids `(height, width)` as the colours that they have, `(height, width, 3)`.
fn coloured(ids: &Array2<u8>, colours: &[[u8; 3]; 256]) -> Array3<u8> {
    let (height, width) = ids.dim();
    let colour_at =
        |(y, x, channel): (usize, usize, usize)| colours[usize::from(ids[(y, x)])][channel];
    Array3::from_shape_fn((height, width, 3), colour_at)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use shared::dataset::entry::{LabelKind, LabelReading};

    use super::*;
    use crate::NamedBytes;
    use crate::encode::encode_ids;

    fn colours(ids: &Array2<u8>, kind: LabelKind) -> Vec<u8> {
        let file = encode_ids(ids.view(), None).unwrap();
        let file = NamedBytes {
            name: "label.png",
            bytes: &file,
        };
        let label = LabelFile::new(file, LabelReading::stated(kind));
        class_colours(label).unwrap().into_raw_vec_and_offset().0
    }

    #[test]
    fn ids_of_either_kind_have_the_colours_of_their_classes() {
        let expected: Vec<u8> = [[128, 64, 128], [0, 0, 142], [0, 0, 0], [70, 130, 180]].concat();
        let label_ids = array![[7, 26], [0, 23]];
        assert_eq!(colours(&label_ids, LabelKind::LabelIds), expected);
        let train_ids = array![[0, 13], [255, 10]];
        assert_eq!(colours(&train_ids, LabelKind::TrainIds), expected);
    }
}

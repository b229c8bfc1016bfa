//! Counting the classes of a label.

use super::decode::{self, Label};
use super::{InputError, LabelKind, NamedBytes};
use crate::method::label_map::{
    NUM_CLASSES, train_id_of_colour, train_id_of_label_id, train_id_of_train_id,
};

/// Returns how many pixels of each class a label has, at its own size.
///
/// # Errors
///
/// [`InputError`] if the file is damaged or not what its name promises.
pub fn count_classes(
    label: NamedBytes<'_>,
    kind: LabelKind,
) -> Result<[u64; NUM_CLASSES], InputError> {
    let mut counts = [0; NUM_CLASSES];
    let mut count = |train_id: u8| {
        if let Some(count) = counts.get_mut(usize::from(train_id)) {
            *count += 1;
        }
    };
    match (decode::label(label, kind)?, kind) {
        (Label::Ids(ids, _), LabelKind::TrainIds) => {
            ids.iter().for_each(|&id| count(train_id_of_train_id(id)));
        }
        (Label::Ids(ids, _), LabelKind::PaletteIds | LabelKind::LabelIds | LabelKind::Colour) => {
            ids.iter().for_each(|&id| count(train_id_of_label_id(id)));
        }
        (Label::Colours(colours), _) => {
            for colour in colours.lanes(ndarray::Axis(2)) {
                count(train_id_of_colour([colour[0], colour[1], colour[2]]));
            }
        }
    }
    Ok(counts)
}

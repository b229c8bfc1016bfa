//! The classes of a label, counted.

use super::encoding::{self, Label};
use crate::{InputError, LabelFile};
use shared::dataset::classes::{NUM_CLASSES, train_id_of_colour};

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

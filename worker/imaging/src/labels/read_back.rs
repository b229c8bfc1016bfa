//! A label as those read it who train on it: ids and colours of Cityscapes at the label's own size.

use ndarray::{Array2, Array3};
use shared::dataset::ClassTable;
use shared::dataset::classes::{UNKNOWN, train_id_of_label_id};
use shared::dataset::entry::{LabelKind, LabelReading};

use super::cityscapes::{
    LAST_LABEL_ID, UNLABELLED, in_colours, label_id_of_colour, label_id_of_train_id, painted,
};
use super::encoding::{self, Ids, Label};
use crate::encode::{encode_ids, encode_png};
use crate::{InputError, LabelFile, NamedBytes};

/// What a label shows, in ids that cityscapesScripts knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelIds {
    /// Label ids `(height, width)`; 0, unlabelled, where Cityscapes has no such label. Its license plate has no id in files.
    pub label_ids: Array2<u8>,
    /// Train ids `(height, width)`, [`UNKNOWN`] where there is no class.
    pub train_ids: Array2<u8>,
}

impl LabelIds {
    fn of(label_ids: Array2<u8>) -> Self {
        let train_ids: [u8; 256] = std::array::from_fn(|id| train_id_of_label_id(id as u8));
        Self {
            train_ids: label_ids.mapv(|id| train_ids[usize::from(id)]),
            label_ids,
        }
    }

    /// Returns the label ids as a grey PNG.
    ///
    /// # Errors
    ///
    /// [`InputError::Encode`] if the label is empty, or larger than a PNG can be.
    pub fn label_id_png(&self) -> Result<Vec<u8>, InputError> {
        encode_ids(self.label_ids.view(), None)
    }

    /// Returns the train ids as a grey PNG.
    ///
    /// # Errors
    ///
    /// [`InputError::Encode`] if the label is empty, or larger than a PNG can be.
    pub fn train_id_png(&self) -> Result<Vec<u8>, InputError> {
        encode_ids(self.train_ids.view(), None)
    }

    /// Returns the colours of the labels as an RGB PNG.
    ///
    /// # Errors
    ///
    /// [`InputError::Encode`] if the label is empty, or larger than a PNG can be.
    pub fn colour_png(&self) -> Result<Vec<u8>, InputError> {
        encode_png(self.colours().view())
    }

    /// Returns the colours of the labels `(height, width, 3)`.
    #[must_use]
    pub fn colours(&self) -> Array3<u8> {
        in_colours(&self.label_ids)
    }

    /// Returns the segments as a PNG of COCO's panoptic format: each class is one segment, whose id is its label id, and
    /// what is of no class has none.
    ///
    /// # Errors
    ///
    /// [`InputError::Encode`] if the label is empty, or larger than a PNG can be.
    pub fn panoptic_png(&self) -> Result<Vec<u8>, InputError> {
        let segments = painted(&self.label_ids, |id| {
            let is_class = train_id_of_label_id(id) != UNKNOWN;
            [if is_class { id } else { UNLABELLED }, 0, 0]
        });
        encode_png(segments.view())
    }
}

/// Returns what a label shows that was stored beside outputs as files of a kind, and with the classes of a table if that kind
/// is one of a table's.
///
/// # Errors
///
/// [`InputError`] if the file is damaged, or is not what it was stored as.
pub fn label_ids(
    file: NamedBytes<'_>,
    stored_as: LabelKind,
    classes: Option<&ClassTable>,
) -> Result<LabelIds, InputError> {
    // Levels are stored without a palette, whatever the layout promises of them.
    let kind = match stored_as {
        LabelKind::PaletteIds => LabelKind::LabelIds,
        other => other,
    };
    let label = LabelFile::new(file, LabelReading::stated(kind)).with_classes(classes);
    let (label, _) = encoding::read(label)?;
    let known = |id: u8| if id < LAST_LABEL_ID { id } else { UNLABELLED };
    Ok(LabelIds::of(match label {
        Label::Ids(ids, values, _) => {
            let label_id = |id: u8| match ids {
                Ids::Label => known(id),
                Ids::Train => label_id_of_train_id(id),
            };
            let table: [u8; 256] = std::array::from_fn(|id| label_id(id as u8));
            values.mapv(|id| table[usize::from(id)])
        }
        Label::Colours(colours) => {
            let (height, width, _) = colours.dim();
            Array2::from_shape_fn((height, width), |(y, x)| {
                let colour = [0, 1, 2].map(|channel| colours[(y, x, channel)]);
                label_id_of_colour(colour).map_or(UNLABELLED, known)
            })
        }
        Label::Mapped(mapped) => mapped.train_ids.mapv(label_id_of_train_id),
    }))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};
    use shared::dataset::classes::CLASSES;

    use super::*;
    use crate::encode::encode_ids;
    use crate::labels::cityscapes::palette;

    fn read(bytes: &[u8], stored_as: LabelKind) -> LabelIds {
        let file = NamedBytes {
            name: "label.png",
            bytes,
        };
        label_ids(file, stored_as, None).unwrap()
    }

    #[test]
    fn a_label_shows_the_same_whatever_it_was_stored_as() {
        // Every class, what is unlabelled, a label that is no class, and GTA5's license plate.
        let classes = CLASSES.iter().map(|class| class.label_id);
        let ids: Array1<u8> = classes.chain([0, 5, 34]).collect();
        let ids = ids.into_shape_with_order((2, 11)).unwrap();
        let expected = ids.mapv(|id| if id == 34 { 0 } else { id });
        let train_ids = ids.mapv(train_id_of_label_id);

        let with_palette = encode_ids(ids.view(), Some(&palette())).unwrap();
        let grey = encode_ids(ids.view(), None).unwrap();
        for (file, kind) in [
            (&with_palette, LabelKind::PaletteIds),
            (&grey, LabelKind::PaletteIds),
            (&grey, LabelKind::LabelIds),
        ] {
            let found = read(file, kind);
            assert_eq!(found.label_ids, expected, "{kind}");
            assert_eq!(found.train_ids, train_ids, "{kind}");
        }
        let found = read(&grey, LabelKind::LabelIds);
        let colours = read(&found.colour_png().unwrap(), LabelKind::Colour);
        assert_eq!(colours, found);
        let only_classes = expected.mapv(|id| match train_id_of_label_id(id) {
            UNKNOWN => 0,
            _ => id,
        });
        let of_train = read(&found.train_id_png().unwrap(), LabelKind::TrainIds);
        assert_eq!(of_train.label_ids, only_classes);
        assert_eq!(of_train.train_ids, train_ids);
        assert_eq!(
            read(&found.label_id_png().unwrap(), LabelKind::LabelIds),
            found
        );
    }

    #[test]
    fn colours_are_those_of_the_picture_that_is_made_of_them() {
        let label = LabelIds::of(array![[7, 26, 5], [0, 23, 11]]);
        let colours = label.colours();
        assert_eq!(colours.dim(), (2, 3, 3));
        assert_eq!(
            [0, 1, 2].map(|channel| colours[(0, 0, channel)]),
            [128, 64, 128]
        );
        let png = label.colour_png().unwrap();
        let file = NamedBytes {
            name: "label.png",
            bytes: &png,
        };
        assert_eq!(crate::decode_image(file).unwrap(), colours);
    }

    #[test]
    fn a_class_is_a_segment_by_its_label_id_and_what_is_none_is_no_segment() {
        let label = LabelIds::of(array![[7, 26], [5, 0]]);
        let png = label.panoptic_png().unwrap();
        let file = NamedBytes {
            name: "label.png",
            bytes: &png,
        };
        let pixels = crate::decode_image(file).unwrap();
        let red = |y, x| pixels[(y, x, 0)];
        assert_eq!([red(0, 0), red(0, 1), red(1, 0), red(1, 1)], [7, 26, 0, 0]);
    }
}

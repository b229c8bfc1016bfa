//! Labels as a converted dataset stores them.
//!
//! A label keeps its ids or colours and how its file stored them, if they are what the dataset's layout promises. If not,
//! it is written as promised, so that reading the converted dataset by its layout gives the right classes. All labels of a
//! run are stored as one kind: where the layout has files of several, as its label ids, which every class and every colour
//! has one of. A label of which a table says what its ids or colours are keeps its pixels to the last bit and channel, unless
//! what is left of a frame of CARLA would be read as something else than the whole.

use ndarray::{Array2, Array3, ArrayView2};
use shared::dataset::entry::LabelKind;

use super::cityscapes::{
    UNLABELLED, in_colours, label_id_of_colour, label_id_of_train_id, palette, palette_of_train_ids,
};
use super::encoding::{Ids, Label};
use crate::decode::label_file::{self, Pixels};
use crate::encode::{encode_ids, encode_pixels, encode_png};
use crate::error::InputError;
use crate::files::NamedBytes;
use crate::resize::{Size, crop_centre, resize_nearest, resize_nearest_pixels};
use shared::dataset::classes::{NUM_CLASSES, UNKNOWN, train_id_of_label_id};

/// Returns a label at another size as a PNG of what was promised.
pub(crate) fn stored(
    label: &Label,
    promised: LabelKind,
    size: Size,
) -> Result<Vec<u8>, InputError> {
    match label {
        Label::Ids(ids, values, own_palette) => {
            let values = resize_nearest(crop_centre(values.view(), size), size);
            match (ids, promised) {
                (Ids::Label, LabelKind::PaletteIds | LabelKind::LabelIds)
                | (Ids::Train, LabelKind::TrainIds) => {
                    encode_ids(values.view(), own_palette.as_deref())
                }
                (Ids::Label, _) => encode_label_ids(&values, promised),
                (Ids::Train, _) => encode_label_ids(&values.mapv(label_id_of_train_id), promised),
            }
        }
        Label::Colours(colours) => {
            let colours = resize_nearest_pixels(crop_centre(colours.view(), size), size);
            if promised == LabelKind::Colour {
                encode_png(colours.view())
            } else {
                encode_label_ids(&label_ids(&colours), promised)
            }
        }
        Label::Mapped(mapped) => {
            let pixels =
                mapped.stored(|bytes| resize_nearest_pixels(crop_centre(bytes, size), size));
            encode_pixels(&pixels.format, pixels.bytes.view())
        }
    }
}

/// Returns what was predicted for an image, train ids `(height, width)`, as a PNG of these ids in the colours of Cityscapes.
/// The same ids always make the same bytes.
///
/// # Errors
///
/// [`InputError::Encode`] if there are no pixels, or more than a PNG can have.
pub fn encode_train_ids(train_ids: ArrayView2<'_, u8>) -> Result<Vec<u8>, InputError> {
    encode_ids(train_ids, Some(&palette_of_train_ids()))
}

/// Returns whether a file is a prediction of a size as [`encode_train_ids`] makes them.
#[must_use]
pub fn is_prediction(bytes: &[u8], size: Size) -> bool {
    decode_train_ids(bytes, size).is_some()
}

/// Returns the train ids `(height, width)` of a file of a size as [`encode_train_ids`] makes them; nothing of any other file.
#[must_use]
pub fn decode_train_ids(bytes: &[u8], size: Size) -> Option<Array2<u8>> {
    let file = NamedBytes {
        name: "a prediction",
        bytes,
    };
    // Before its pixels are unpacked.
    if !label_file::size(file).is_ok_and(|found| found == (size.width, size.height)) {
        return None;
    }
    match label_file::read(file).map(|label| label.pixels) {
        Ok(Pixels::Indices(ids, palette)) => {
            let is_train_id = |&id: &u8| usize::from(id) < NUM_CLASSES || id == UNKNOWN;
            let is_whole = palette == palette_of_train_ids() && ids.iter().all(is_train_id);
            is_whole.then_some(ids)
        }
        Ok(Pixels::Levels(_) | Pixels::Colours(_)) | Err(_) => None,
    }
}

/// Returns label ids as a PNG of what was promised.
fn encode_label_ids(label_ids: &Array2<u8>, promised: LabelKind) -> Result<Vec<u8>, InputError> {
    match promised {
        LabelKind::PaletteIds => encode_ids(label_ids.view(), Some(&palette())),
        // Of a kind that a table maps to classes a label keeps its pixels, so that this is none of them.
        LabelKind::LabelIds
        | LabelKind::SynthiaIds
        | LabelKind::CarlaTags
        | LabelKind::OldCarlaTags
        | LabelKind::TableIds
        | LabelKind::TableFirstChannel
        | LabelKind::TableColours => encode_ids(label_ids.view(), None),
        LabelKind::TrainIds => encode_ids(label_ids.mapv(train_id_of_label_id).view(), None),
        LabelKind::Colour => encode_png(in_colours(label_ids).view()),
    }
}

fn label_ids(colours: &Array3<u8>) -> Array2<u8> {
    let (height, width, _) = colours.dim();
    Array2::from_shape_fn((height, width), |(y, x)| {
        let colour = [0, 1, 2].map(|channel| colours[(y, x, channel)]);
        label_id_of_colour(colour).unwrap_or(UNLABELLED)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ndarray::{Array2, array};
    use shared::dataset::classes::CLASSES;

    use super::*;

    #[test]
    fn a_prediction_is_stored_as_its_train_ids_with_the_colours_of_their_classes() {
        let train_ids = array![[0, 18, UNKNOWN], [10, 5, 5]];
        let file = encode_train_ids(train_ids.view()).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(&file)).read_info().unwrap();
        let info = reader.info();
        assert_eq!(info.size(), (3, 2));
        assert_eq!(info.color_type, png::ColorType::Indexed);
        let palette = info.palette.as_ref().unwrap().to_vec();
        let colour = |train_id: usize| &palette[3 * train_id..][..3];
        assert_eq!(colour(18), CLASSES[18].colour);
        assert_eq!(colour(usize::from(UNKNOWN)), [0, 0, 0]);
        let mut ids = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut ids).unwrap();
        assert_eq!(ids, [0, 18, UNKNOWN, 10, 5, 5]);
        assert!(encode_train_ids(Array2::zeros((1, 0)).view()).is_err());
    }

    #[test]
    fn a_file_is_a_prediction_only_if_it_is_whole_of_its_size_and_shows_train_ids_alone() {
        let size = |width, height| Size { width, height };
        let whole = encode_train_ids(array![[0, 18, 3], [10, 5, 5]].view()).unwrap();
        assert!(is_prediction(&whole, size(3, 2)));
        assert!(!is_prediction(&whole, size(2, 3)));
        for kept in [0, 8, 33, whole.len() / 2, whole.len() - 30] {
            assert!(!is_prediction(&whole[..kept], size(3, 2)), "{kept} bytes");
        }
        let unknown = encode_train_ids(array![[0, UNKNOWN]].view()).unwrap();
        assert!(is_prediction(&unknown, size(2, 1)));
        let read = decode_train_ids(&unknown, size(2, 1));
        assert_eq!(read, Some(array![[0, UNKNOWN]]));
        let other = encode_train_ids(array![[0, 19]].view()).unwrap();
        assert!(!is_prediction(&other, size(2, 1)));
        let grey = encode_ids(array![[0, 18]].view(), None).unwrap();
        assert!(!is_prediction(&grey, size(2, 1)));
        let of_label_ids = encode_ids(array![[7, 11]].view(), Some(&palette())).unwrap();
        assert!(!is_prediction(&of_label_ids, size(2, 1)));
        assert!(!is_prediction(b"", size(0, 0)));
    }
}

//! Labels as a converted dataset stores them.
//!
//! A label keeps its ids or colours and how its file stored them, if they are what the dataset's layout promises. If not,
//! it is written as promised, so that reading the converted dataset by its layout gives the right classes. All labels of a
//! run are stored as one kind: where the layout has files of several, as its label ids, which every class and every colour
//! has one of. A label of which a table says what its ids or colours are keeps its pixels to the last bit and channel.

use ndarray::{Array2, Array3, ArrayView2};
use shared::dataset::entry::LabelKind;

use super::cityscapes::{
    UNLABELLED, colour_of_label_id, label_id_of_colour, label_id_of_train_id, palette,
    palette_of_train_ids,
};
use super::encoding::{Ids, Label};
use crate::encode::{encode_ids, encode_pixels, encode_png};
use crate::error::InputError;
use crate::resize::{Size, crop_centre, resize_nearest, resize_nearest_pixels};
use shared::dataset::classes::train_id_of_label_id;

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
            let pixels = &mapped.pixels;
            let bytes = resize_nearest_pixels(crop_centre(pixels.bytes.view(), size), size);
            encode_pixels(&pixels.format, bytes.view())
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
        LabelKind::Colour => encode_png(colours(label_ids).view()),
    }
}

fn colours(label_ids: &Array2<u8>) -> Array3<u8> {
    let (height, width) = label_ids.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, channel)| {
        colour_of_label_id(label_ids[(y, x)])[channel]
    })
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
    use shared::dataset::classes::{CLASSES, UNKNOWN};

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
}

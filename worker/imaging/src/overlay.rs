//! A class map as people look at it and correct it: in colours over its photograph, and as a label of the photograph's size.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Slice};
use shared::dataset::classes::{CLASSES, UNKNOWN};

use crate::resize::{CropBox, Size, resize_nearest};

/// How much of a pixel is the colour of its class, in parts of [`WHOLE`].
const COLOUR: u16 = 2;
/// All of a pixel.
const WHOLE: u16 = 4;

/// Returns an RGB image `(height, width, 3)` with the colours of its classes over it; what is of no class stays as it is.
/// `train_ids` are of its size: where they are not, the image is returned as it is.
#[must_use]
pub fn overlay(image: ArrayView3<'_, u8>, train_ids: ArrayView2<'_, u8>) -> Array3<u8> {
    let mut over = image.to_owned();
    let (height, width, _) = image.dim();
    if train_ids.dim() != (height, width) {
        return over;
    }
    for ((y, x, channel), value) in over.indexed_iter_mut() {
        if let Some(class) = CLASSES.get(usize::from(train_ids[(y, x)])) {
            let colour = u16::from(class.colour[channel]);
            let blended = COLOUR * colour + (WHOLE - COLOUR) * u16::from(*value);
            *value = (blended / WHOLE) as u8;
        }
    }
    over
}

/// Returns a class map, of the middle of a photograph, as a label of the whole of it: what was cut away is of no class. As the
/// photograph's label it gives the same map again, unless the photograph is smaller than the map.
#[must_use]
pub fn class_map_of_whole(train_ids: ArrayView2<'_, u8>, photograph: Size) -> Array2<u8> {
    let (height, width) = train_ids.dim();
    let kept = CropBox::centred(photograph, Size { width, height });
    let middle = resize_nearest(train_ids, kept.size());
    let mut whole = Array2::from_elem((photograph.height, photograph.width), UNKNOWN);
    let mut of_middle = whole.view_mut();
    of_middle.slice_axis_inplace(Axis(0), Slice::from(kept.rows));
    of_middle.slice_axis_inplace(Axis(1), Slice::from(kept.columns));
    of_middle.assign(&middle);
    whole
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::resize::crop_centre;

    #[test]
    fn classes_are_half_seen_and_what_is_of_none_stays() {
        let image = Array3::from_elem((1, 2, 3), 101);
        let over = overlay(image.view(), array![[0, UNKNOWN]].view());
        let [red, green, blue] = CLASSES[0].colour.map(|c| (u16::from(c) + 101) / 2);
        let pixel = [over[(0, 0, 0)], over[(0, 0, 1)], over[(0, 0, 2)]];
        assert_eq!(pixel.map(u16::from), [red, green, blue]);
        assert!((0..3).all(|channel| over[(0, 1, channel)] == 101));
        let other = Array2::zeros((2, 2));
        assert_eq!(overlay(image.view(), other.view()), image);
    }

    #[test]
    fn a_map_of_a_whole_photograph_gives_the_map_again() {
        let size = |width, height| Size { width, height };
        let map = Array2::from_shape_fn((4, 8), |(y, x)| ((y * 8 + x) % 19) as u8);
        for photograph in [size(8, 4), size(11, 5), size(31, 29), size(100, 50)] {
            let whole = class_map_of_whole(map.view(), photograph);
            assert_eq!(whole.dim(), (photograph.height, photograph.width));
            let again = resize_nearest(crop_centre(whole.view(), size(8, 4)), size(8, 4));
            assert_eq!(again, map, "{photograph:?}");
        }
        let whole = class_map_of_whole(array![[3, 3]].view(), size(2, 3));
        assert_eq!(whole, array![[UNKNOWN; 2], [3; 2], [UNKNOWN; 2]]);
    }
}

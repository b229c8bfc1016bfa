//! Frames of CARLA's semantic camera, which do not say what they hold: tags, or the colours of its palette.

use ndarray::{Array3, Axis};
use png::{BitDepth, ColorType};

use super::{Classified, carla};
use crate::decode::raw_pixels::{PixelFormat, RawPixels};

/// How a frame was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The train id of each tag.
    train_id: fn(u8) -> Option<u8>,
    holds: Holds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Tags,
    Colours,
}

impl Frame {
    /// Returns how a frame is read, and its classes; none if 8 bits do not hold what may be tags.
    pub(super) fn read(
        pixels: &RawPixels,
        train_id: fn(u8) -> Option<u8>,
    ) -> Option<(Self, Classified)> {
        let frame = |holds| Self { train_id, holds };
        let of_tags = Classified::of_ids(&pixels.first_channel()?, train_id);
        let may_be_colours = match pixels.format.colour {
            ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => true,
            ColorType::Grayscale | ColorType::GrayscaleAlpha => false,
        };
        let colours = may_be_colours.then(|| pixels.colours()).flatten();
        if let Some(colours) = colours {
            let of_colours = Classified::of_colours(colours.view(), carla::train_id_of_colour);
            // The palette gives the classes Cityscapes' colours. Whichever names more is meant: by a limit of its own, a
            // part of a frame would be the other wherever odd pixels have a larger share of it.
            if of_colours.shows_a_class() && of_colours.unnamed <= of_tags.unnamed {
                return Some((frame(Holds::Colours), of_colours));
            }
        }
        Some((frame(Holds::Tags), of_tags))
    }

    /// Returns pixels of this frame in a form that is read as it was: as they are, or where they alone would be read as the
    /// other, tags as levels and colours without those that nothing names.
    pub(super) fn read_alike(self, pixels: RawPixels) -> RawPixels {
        let alone = Self::read(&pixels, self.train_id);
        if alone.is_some_and(|(frame, _)| frame.holds == self.holds) {
            return pixels;
        }
        let plain = match self.holds {
            Holds::Tags => {
                let tags = pixels.first_channel();
                tags.map(|tags| (ColorType::Grayscale, tags.insert_axis(Axis(2))))
            }
            Holds::Colours => {
                let colours = pixels.colours();
                colours.map(|colours| (ColorType::Rgb, named(colours)))
            }
        };
        // As 8 bits held the whole, they hold a part.
        let Some((colour, bytes)) = plain else {
            return pixels;
        };
        RawPixels {
            format: PixelFormat {
                colour,
                depth: BitDepth::Eight,
                palette: None,
            },
            bytes,
            described: pixels.described,
        }
    }
}

/// Returns colours `(height, width, 3)` with black, which is unlabelled, in place of those that the palette does not have.
fn named(mut colours: Array3<u8>) -> Array3<u8> {
    for mut pixel in colours.rows_mut() {
        if carla::train_id_of_colour([pixel[0], pixel[1], pixel[2]]).is_none() {
            pixel.fill(0);
        }
    }
    colours
}

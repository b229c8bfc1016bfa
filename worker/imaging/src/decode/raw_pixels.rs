//! Pixels of a label file as it stores them: with all channels and levels, so that they can be stored again.

use ndarray::{Array2, Array3, Axis};
use png::{BitDepth, ColorType};

/// How a file stores pixels.
#[derive(Clone, Debug)]
pub(crate) struct PixelFormat {
    pub(crate) colour: ColorType,
    /// 8 or 16 bits a channel.
    pub(crate) depth: BitDepth,
    /// The palette of palette indices; none of anything else.
    pub(crate) palette: Option<Vec<u8>>,
}

/// The pixels of a label file as it stores them, but for indices and levels of fewer than 8 bits, which have 8.
#[derive(Debug)]
pub(crate) struct RawPixels {
    pub(crate) format: PixelFormat,
    /// `(height, width, bytes of a pixel)`.
    pub(crate) bytes: Array3<u8>,
    /// How the file stores them, for messages.
    pub(crate) described: String,
}

impl PixelFormat {
    /// Returns how many bytes a pixel has.
    pub(crate) fn bytes_of_pixel(&self) -> usize {
        self.colour.samples() * self.bytes_of_level()
    }

    fn bytes_of_level(&self) -> usize {
        if self.depth == BitDepth::Sixteen {
            2
        } else {
            1
        }
    }
}

impl RawPixels {
    /// Returns indices or levels `(height, width)` of 8 bits; none of colours, and of levels that 8 bits do not hold.
    pub(crate) fn values(&self) -> Option<Array2<u8>> {
        if self.format.colour == ColorType::Indexed {
            return Some(self.bytes.index_axis(Axis(2), 0).to_owned());
        }
        let is_grey = match self.format.colour {
            ColorType::Rgb | ColorType::Rgba => {
                let bytes_of_level = self.format.bytes_of_level();
                let channel = |number: usize| {
                    let bytes = number * bytes_of_level..(number + 1) * bytes_of_level;
                    self.bytes.slice_axis(Axis(2), bytes.into())
                };
                channel(0) == channel(1) && channel(1) == channel(2)
            }
            ColorType::Grayscale | ColorType::GrayscaleAlpha | ColorType::Indexed => true,
        };
        if is_grey { self.channel(0) } else { None }
    }

    /// Returns red `(height, width)` in 8 bits, that of their palette for palette indices; none of levels that 8 bits do
    /// not hold.
    pub(crate) fn first_channel(&self) -> Option<Array2<u8>> {
        let values = self.channel(0)?;
        Some(match &self.format.palette {
            Some(palette) => values.mapv_into(|index| colour_at(palette, index)[0]),
            None => values,
        })
    }

    /// Returns the colours `(height, width, 3)` in 8 bits; none of levels that 8 bits do not hold.
    pub(crate) fn colours(&self) -> Option<Array3<u8>> {
        let (height, width, _) = self.bytes.dim();
        let first = self.channel(0)?;
        if let Some(palette) = &self.format.palette {
            return Some(Array3::from_shape_fn(
                (height, width, 3),
                |(y, x, channel)| colour_at(palette, first[(y, x)])[channel],
            ));
        }
        let (green, blue) = match self.format.colour {
            ColorType::Rgb | ColorType::Rgba => (self.channel(1)?, self.channel(2)?),
            ColorType::Grayscale | ColorType::GrayscaleAlpha | ColorType::Indexed => {
                (first.clone(), first.clone())
            }
        };
        let channels = [first, green, blue];
        Some(Array3::from_shape_fn(
            (height, width, 3),
            |(y, x, channel)| channels[channel][(y, x)],
        ))
    }

    /// Returns a channel `(height, width)` in 8 bits: levels of 16 are below 256, or levels of 8 spread out.
    fn channel(&self, number: usize) -> Option<Array2<u8>> {
        if self.format.depth != BitDepth::Sixteen {
            return Some(self.bytes.index_axis(Axis(2), number).to_owned());
        }
        let high = self.bytes.index_axis(Axis(2), 2 * number);
        let low = self.bytes.index_axis(Axis(2), 2 * number + 1);
        let is_small = high.iter().all(|&byte| byte == 0);
        (is_small || high == low).then(|| low.to_owned())
    }
}

/// Returns the colour of an index; black where the palette has none.
pub(crate) fn colour_at(palette: &[u8], index: u8) -> [u8; 3] {
    let at = 3 * usize::from(index);
    let colour = palette.get(at..at + 3);
    colour.map_or([0; 3], |colour| [colour[0], colour[1], colour[2]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(colour: ColorType, depth: BitDepth, bytes: &[u8]) -> RawPixels {
        let palette = vec![0, 0, 0, 9, 8, 7];
        let format = PixelFormat {
            colour,
            depth,
            palette: (colour == ColorType::Indexed).then_some(palette),
        };
        let shape = (1, 2, format.bytes_of_pixel());
        RawPixels {
            bytes: Array3::from_shape_vec(shape, bytes.to_vec()).unwrap(),
            described: String::new(),
            format,
        }
    }

    fn values(found: Option<Array2<u8>>) -> Option<Vec<u8>> {
        found.map(|values| values.iter().copied().collect())
    }

    #[test]
    fn each_way_of_storing_has_values_a_first_channel_and_colours() {
        use BitDepth::{Eight, Sixteen};
        use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
        type Case = (RawPixels, Option<[u8; 2]>, Option<[u8; 2]>);
        let cases: [Case; 9] = [
            (
                pixels(Grayscale, Eight, &[3, 4]),
                Some([3, 4]),
                Some([3, 4]),
            ),
            (
                pixels(GrayscaleAlpha, Eight, &[3, 255, 4, 0]),
                Some([3, 4]),
                Some([3, 4]),
            ),
            (
                pixels(Grayscale, Sixteen, &[0, 3, 0, 4]),
                Some([3, 4]),
                Some([3, 4]),
            ),
            (
                pixels(Grayscale, Sixteen, &[3, 3, 4, 4]),
                Some([3, 4]),
                Some([3, 4]),
            ),
            (pixels(Grayscale, Sixteen, &[1, 3, 0, 4]), None, None),
            (pixels(Indexed, Eight, &[0, 1]), Some([0, 1]), Some([0, 9])),
            (
                pixels(Rgb, Eight, &[3, 3, 3, 4, 4, 4]),
                Some([3, 4]),
                Some([3, 4]),
            ),
            (
                pixels(Rgba, Eight, &[3, 0, 0, 255, 4, 1, 0, 255]),
                None,
                Some([3, 4]),
            ),
            // The second channel may hold more than 8 bits do.
            (
                pixels(Rgb, Sixteen, &[0, 3, 0, 1, 0, 0, 0, 4, 2, 1, 0, 0]),
                None,
                Some([3, 4]),
            ),
        ];
        for (found, expected, first) in cases {
            let shown = format!("{:?}", found.format);
            assert_eq!(values(found.values()), expected.map(Vec::from), "{shown}");
            assert_eq!(
                values(found.first_channel()),
                first.map(Vec::from),
                "{shown}"
            );
        }
        let colours = |found: RawPixels| found.colours().map(|it| it.into_raw_vec_and_offset().0);
        let expected = Some(vec![0, 0, 0, 9, 8, 7]);
        assert_eq!(colours(pixels(Indexed, Eight, &[0, 1])), expected);
        let rgba = pixels(Rgba, Eight, &[0, 0, 0, 255, 9, 8, 7, 255]);
        assert_eq!(colours(rgba), expected);
        let deep = pixels(Rgb, Sixteen, &[0, 0, 0, 0, 0, 0, 0, 9, 0, 8, 0, 7]);
        assert_eq!(colours(deep), expected);
        let grey = pixels(Grayscale, Eight, &[0, 9]);
        assert_eq!(colours(grey), Some(vec![0, 0, 0, 9, 9, 9]));
    }
}

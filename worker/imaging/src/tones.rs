//! Whether a content, a style or an output shows one colour, and whether an output is out of all proportion to its
//! content: what a finite image may still be, found without a network.
//!
//! Such an item is done, for a black frame of a dataset is what it is; who trains on it should know.

use ndarray::ArrayView3;
use shared::warning::{ItemWarning, WarningKind};

/// A pixel is of the image's colour where each channel is so near the channel's median: what compression and dithering do
/// to a plain colour.
const ONE_COLOUR_TOLERANCE: u8 = 5;
/// An image shows one colour if so many of its pixels are of it: a caption or a pointer makes no scene of a black frame.
const ONE_COLOUR_SHARE: f64 = 0.99;
/// An output keeps at least one part in so many of its content's contrast, and has at most so many times as much. Styles
/// change contrast: fog and night divide that of a clear day by two to five.
const CONTRAST_RATIO: f64 = 8.0;
/// The contrast that a content is taken to have at least where an output has more, in levels: what noise alone gives.
const LEAST_CONTRAST: f64 = 2.0;
/// How much larger the share of clipped pixels may be in the output. Numbers beyond their range decode to pure colours;
/// a sky that is burnt out takes up less.
const CLIPPED_SHARE: f64 = 0.5;

/// The tones of an RGB image.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tones {
    /// The median of each channel.
    median: [u8; 3],
    /// The share of pixels that are of that colour.
    of_one_colour: f64,
    /// The standard deviation of luma, in levels.
    contrast: f64,
    /// The share of pixels in which each channel is 0 or 255.
    clipped: f64,
}

/// Returns what a person should know about the tones of an output and its content, both `(height, width, 3)`.
#[must_use]
pub fn warnings(
    content_name: &str,
    content: ArrayView3<'_, u8>,
    output: ArrayView3<'_, u8>,
) -> Vec<ItemWarning> {
    let (before, after) = (Tones::of(content), Tones::of(output));
    let mut warnings = Vec::new();
    if before.is_one_colour() {
        warnings.push(ItemWarning {
            kind: WarningKind::ConstantContent,
            text: format!(
                "content {content_name} shows one colour, {}",
                before.colour()
            ),
        });
    }
    if after.is_one_colour() {
        warnings.push(ItemWarning {
            kind: WarningKind::ConstantOutput,
            text: format!("the output shows one colour, {}", after.colour()),
        });
    } else if let Some(how) = before.disproportion(&after) {
        warnings.push(ItemWarning {
            kind: WarningKind::DisproportionateOutput,
            text: format!("the output is out of all proportion to its content: {how}"),
        });
    }
    warnings
}

/// Returns what a person should know about the tones of a style `(height, width, 3)`: every output in it lacks contrast.
#[must_use]
pub fn style_warning(style_name: &str, style: ArrayView3<'_, u8>) -> Option<ItemWarning> {
    let tones = Tones::of(style);
    tones.is_one_colour().then(|| ItemWarning {
        kind: WarningKind::ConstantStyle,
        text: format!("style {style_name} shows one colour, {}", tones.colour()),
    })
}

impl Tones {
    fn of(image: ArrayView3<'_, u8>) -> Self {
        let mut levels = [[0_u64; 256]; 3];
        let (mut luma_sum, mut luma_squares, mut clipped) = (0_u64, 0_u128, 0_u64);
        for pixel in image.rows() {
            let [red, green, blue] = [0, 1, 2].map(|channel| pixel[channel]);
            for (levels, value) in levels.iter_mut().zip([red, green, blue]) {
                levels[usize::from(value)] += 1;
            }
            // ITU-R BT.601, in thousandths of a level.
            let luma = 299 * u64::from(red) + 587 * u64::from(green) + 114 * u64::from(blue);
            luma_sum += luma;
            luma_squares += u128::from(luma * luma);
            clipped += u64::from([red, green, blue].iter().all(|&v| v == 0 || v == 255));
        }
        let (height, width, _) = image.dim();
        let num_pixels = (height * width).max(1);
        let median = levels.map(|levels| median(&levels, num_pixels as u64));
        let is_near = |(value, median): (&u8, u8)| value.abs_diff(median) <= ONE_COLOUR_TOLERANCE;
        let near = image
            .rows()
            .into_iter()
            .filter(|pixel| pixel.iter().zip(median).all(is_near))
            .count();
        let num = num_pixels as f64;
        let mean = luma_sum as f64 / num;
        let variance = (luma_squares as f64 / num - mean * mean).max(0.0);
        Self {
            median,
            of_one_colour: near as f64 / num,
            contrast: variance.sqrt() / 1000.0,
            clipped: clipped as f64 / num,
        }
    }

    fn is_one_colour(&self) -> bool {
        self.of_one_colour >= ONE_COLOUR_SHARE
    }

    fn colour(&self) -> String {
        let [red, green, blue] = self.median;
        let name = match self.median {
            [0, 0, 0] => "black ",
            [255, 255, 255] => "white ",
            _ => "",
        };
        format!("{name}rgb({red}, {green}, {blue})")
    }

    /// Returns how an output is out of proportion to this content, if it is.
    fn disproportion(&self, output: &Self) -> Option<String> {
        if output.clipped - self.clipped > CLIPPED_SHARE {
            return Some(format!(
                "{:.0} % of its pixels are at the ends of their range, and {:.0} % of the content's",
                100.0 * output.clipped,
                100.0 * self.clipped
            ));
        }
        if self.is_one_colour() {
            return None;
        }
        let least = self.contrast / CONTRAST_RATIO;
        let most = self.contrast.max(LEAST_CONTRAST) * CONTRAST_RATIO;
        (!(least..=most).contains(&output.contrast)).then(|| {
            format!(
                "its contrast is {:.1} levels, and the content's {:.1}",
                output.contrast, self.contrast
            )
        })
    }
}

/// Returns the lower median of levels that occur so often.
fn median(levels: &[u64; 256], num_values: u64) -> u8 {
    let mut below = 0;
    for (level, count) in (0..=u8::MAX).zip(levels) {
        below += count;
        if 2 * below >= num_values {
            return level;
        }
    }
    u8::MAX
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    const SHAPE: (usize, usize, usize) = (40, 60, 3);

    fn plain(colour: [u8; 3]) -> Array3<u8> {
        Array3::from_shape_fn(SHAPE, |(_, _, channel)| colour[channel])
    }

    /// A scene of some contrast about a level.
    fn scene(level: f64, contrast: f64) -> Array3<u8> {
        Array3::from_shape_fn(SHAPE, |(y, x, _)| {
            let wave = (0.37 * x as f64 + 0.61 * y as f64).sin();
            (level + contrast * std::f64::consts::SQRT_2 * wave).clamp(0.0, 255.0) as u8
        })
    }

    fn kinds(content: &Array3<u8>, output: &Array3<u8>) -> Vec<WarningKind> {
        let found = warnings("00001", content.view(), output.view());
        found.iter().map(|warning| warning.kind).collect()
    }

    #[test]
    fn one_colour_is_told_whatever_the_colour_and_in_spite_of_a_little_noise() {
        let output = scene(120.0, 40.0);
        for colour in [[0; 3], [255; 3], [127; 3], [40, 90, 200]] {
            let mut content = plain(colour);
            assert_eq!(kinds(&content, &output), [WarningKind::ConstantContent]);
            for (i, value) in content.iter_mut().enumerate() {
                *value = value.saturating_add((i * 7 % 5) as u8);
            }
            content[(3, 3, 0)] = 99;
            assert_eq!(kinds(&content, &output), [WarningKind::ConstantContent]);
            assert_eq!(kinds(&output, &content), [WarningKind::ConstantOutput]);
            let both = [WarningKind::ConstantContent, WarningKind::ConstantOutput];
            assert_eq!(kinds(&content, &content), both);
        }
        let black = warnings("00001", plain([0; 3]).view(), output.view());
        assert_eq!(
            black[0].text,
            "content 00001 shows one colour, black rgb(0, 0, 0)"
        );
    }

    #[test]
    fn a_style_of_one_colour_is_told_by_its_name() {
        let told = style_warning("night/a.png", plain([0; 3]).view()).unwrap();
        assert_eq!(told.kind, WarningKind::ConstantStyle);
        assert_eq!(
            told.text,
            "style night/a.png shows one colour, black rgb(0, 0, 0)"
        );
        assert_eq!(style_warning("night/a.png", scene(12.0, 8.0).view()), None);
    }

    #[test]
    fn scenes_of_little_contrast_are_no_one_colour() {
        for level in [12.0, 128.0, 240.0] {
            let faint = scene(level, 8.0);
            assert_eq!(kinds(&faint, &faint), []);
        }
        let half = Array3::from_shape_fn(SHAPE, |(_, x, _)| if x < 30 { 90 } else { 110 });
        assert_eq!(kinds(&half, &half), []);
    }

    #[test]
    fn colours_of_one_luma_are_a_scene() {
        let content = Array3::from_shape_fn(SHAPE, |(_, x, channel)| {
            [[200, 60, 60], [60, 132, 60]][x / 3 % 2][channel]
        });
        assert_eq!(kinds(&content, &content), []);
    }

    #[test]
    fn an_output_out_of_all_proportion_is_told_and_what_a_style_does_is_not() {
        let day = scene(120.0, 50.0);
        for style in [scene(30.0, 12.0), scene(200.0, 10.0), scene(128.0, 80.0)] {
            assert_eq!(kinds(&day, &style), []);
        }
        let disproportionate = [WarningKind::DisproportionateOutput];
        assert_eq!(kinds(&day, &scene(120.0, 5.9)), disproportionate);
        assert_eq!(
            kinds(&scene(120.0, 6.0), &scene(120.0, 90.0)),
            disproportionate
        );
        let clipped = Array3::from_shape_fn(SHAPE, |(y, x, channel)| {
            255 * ((y / 4 + x / 4 + channel) % 2) as u8
        });
        assert_eq!(kinds(&day, &clipped), disproportionate);
        assert_eq!(kinds(&clipped, &clipped), []);
        let told = warnings("c", day.view(), clipped.view());
        assert!(told[0].text.contains("100 % of its pixels"), "{}", told[0]);
    }
}

//! Histogram matching: each level of a channel of the content becomes the level that as many pixels of the style's are
//! below.
//!
//! **Source:** Gonzalez and Woods, Digital Image Processing, 3.3.2, with scikit-image's `match_histograms`: between two levels
//! that the style shows, a share is interpolated.
//! **Differs:** rounded, where scikit-image cuts off what is behind the point.

use ndarray::{Array3, ArrayView3, Axis, Zip};

use super::level;

/// Pixels of each level, of each channel.
#[derive(Debug, Clone)]
pub(super) struct Histograms([[u64; 256]; 3]);

impl Histograms {
    /// Returns those of an image.
    pub(super) fn of(image: ArrayView3<u8>) -> Self {
        let mut counts = [[0; 256]; 3];
        for (channel, counts) in image.axis_iter(Axis(2)).zip(&mut counts) {
            channel
                .iter()
                .for_each(|&level| counts[usize::from(level)] += 1);
        }
        Self(counts)
    }

    /// Returns a content whose channels are distributed as these.
    pub(super) fn lent_to(&self, content: ArrayView3<u8>) -> Array3<u8> {
        let own = Self::of(content);
        let mut output = Array3::zeros(content.dim());
        let channels = output
            .axis_iter_mut(Axis(2))
            .zip(content.axis_iter(Axis(2)));
        for ((mut output, content), (own, style)) in channels.zip(own.0.iter().zip(&self.0)) {
            let levels = matched(own, style);
            Zip::from(&mut output)
                .and(content)
                .for_each(|output, &level| *output = levels[usize::from(level)]);
        }
        output
    }
}

/// Returns what each level becomes.
fn matched(own: &[u64; 256], style: &[u64; 256]) -> [u8; 256] {
    // The levels that the style shows, each with the share of pixels up to it.
    let shares = shares(style);
    let shown: Vec<(f64, f64)> = (0..256)
        .filter(|&level| style[level] > 0)
        .map(|level| (shares[level], level as f64))
        .collect();
    let mut levels = [0; 256];
    for (to, share) in levels.iter_mut().zip(self::shares(own)) {
        *to = level(interpolated(&shown, share));
    }
    levels
}

/// Returns the share of pixels up to each level.
fn shares(counts: &[u64; 256]) -> [f64; 256] {
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let mut sum = 0;
    counts.map(|count| {
        sum += count;
        sum as f64 / all
    })
}

/// Returns the height at `x` of the line through points that are sorted by `x`; beyond the ends that of the end.
fn interpolated(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|&(at, _)| at <= x);
    match (
        after.checked_sub(1).map(|before| points[before]),
        points.get(after),
    ) {
        (Some((x0, y0)), Some(&(x1, y1))) => (y1 - y0) / (x1 - x0) * (x - x0) + y0,
        (Some((_, y0)), None) => y0,
        (None, Some(&(_, y1))) => y1,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_takes_its_own_histogram_stays() {
        let image = Array3::from_shape_fn((4, 5, 3), |(y, x, c)| (50 * y + 7 * x + c) as u8);
        assert_eq!(Histograms::of(image.view()).lent_to(image.view()), image);
    }

    #[test]
    fn shares_of_the_content_become_levels_of_the_style_channel_by_channel() {
        // Half dark and half light, in the style at other levels and in one channel the other way round.
        let half = |dark: [u8; 3], light: [u8; 3]| {
            Array3::from_shape_fn(
                (2, 2, 3),
                |(y, _, c)| if y == 0 { dark[c] } else { light[c] },
            )
        };
        let content = half([10, 10, 10], [20, 20, 20]);
        let style = half([100, 5, 0], [200, 6, 255]);
        let output = Histograms::of(style.view()).lent_to(content.view());
        assert_eq!(output, style);
    }

    #[test]
    fn between_two_levels_of_the_style_a_share_is_interpolated() {
        let points = [(0.25, 10.0), (0.75, 20.0), (1.0, 200.0)];
        for (x, y) in [
            (0.0, 10.0),
            (0.25, 10.0),
            (0.5, 15.0),
            (0.875, 110.0),
            (1.0, 200.0),
        ] {
            assert_eq!(interpolated(&points, x), y);
        }
        assert_eq!(interpolated(&[], 0.5), 0.0);
    }
}

//! CIELAB, in which a distance is about what an eye sees: lightness, green to red, blue to yellow.
//!
//! **Source:** CIE 1976 for the 2° observer and D65; IEC 61966-2-1 for sRGB, with the numbers that scikit-image's `rgb2lab` and
//! `lab2rgb` have.
//! **Differs:** nothing.

/// Linear sRGB to XYZ.
const TO_XYZ: [[f64; 3]; 3] = [
    [0.412_453, 0.357_580, 0.180_423],
    [0.212_671, 0.715_160, 0.072_169],
    [0.019_334, 0.119_193, 0.950_227],
];
/// Its inverse.
const FROM_XYZ: [[f64; 3]; 3] = [
    [
        3.240_481_343_200_526,
        -1.537_151_516_271_318_5,
        -0.498_536_326_168_887_8,
    ],
    [
        -0.969_254_949_996_568_2,
        1.875_990_001_489_890_7,
        0.041_555_926_558_292_84,
    ],
    [
        0.055_646_639_135_177_16,
        -0.204_041_338_366_511_23,
        1.057_311_069_645_344_3,
    ],
];
/// The XYZ of white.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];
/// Where the cube root of darkness becomes a line.
const LINE: f64 = 16.0 / 116.0;

/// The colour space, with what each level of sRGB is in linear light.
#[derive(Debug, Clone)]
pub(super) struct Lab {
    linear: [f64; 256],
}

impl Lab {
    pub(super) fn new() -> Self {
        let linear = std::array::from_fn(|level| {
            let level = level as f64 / 255.0;
            if level > 0.040_45 {
                ((level + 0.055) / 1.055).powf(2.4)
            } else {
                level / 12.92
            }
        });
        Self { linear }
    }

    /// Returns lightness, a and b of an sRGB pixel.
    pub(super) fn of(&self, pixel: [u8; 3]) -> [f64; 3] {
        let linear = pixel.map(|level| self.linear[usize::from(level)]);
        let xyz = times(&TO_XYZ, linear);
        let [x, y, z] = std::array::from_fn(|at| {
            let share = xyz[at] / WHITE[at];
            if share > 0.008_856 {
                share.cbrt()
            } else {
                7.787 * share + LINE
            }
        });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }
}

/// Returns the sRGB of a colour in 0..=1, as near as sRGB has it.
pub(super) fn to_srgb([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let y = (lightness + 16.0) / 116.0;
    let roots = [a / 500.0 + y, y, (y - b / 200.0).max(0.0)];
    let xyz = std::array::from_fn(|at| {
        let root = roots[at];
        let share = if root > 0.206_896_6 {
            root.powi(3)
        } else {
            (root - LINE) / 7.787
        };
        share * WHITE[at]
    });
    times(&FROM_XYZ, xyz).map(|linear| {
        let value = if linear > 0.003_130_8 {
            1.055 * linear.powf(1.0 / 2.4) - 0.055
        } else {
            12.92 * linear
        };
        value.clamp(0.0, 1.0)
    })
}

fn times(matrix: &[[f64; 3]; 3], [x, y, z]: [f64; 3]) -> [f64; 3] {
    matrix.map(|[a, b, c]| a * x + b * y + c * z)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::level;

    #[test]
    fn every_grey_and_primary_survives_the_way_there_and_back() {
        let lab = Lab::new();
        let greys = (0..=255).map(|level| [level; 3]);
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 128, 254]];
        for pixel in greys.chain(colours) {
            let back = to_srgb(lab.of(pixel)).map(|value| level(255.0 * value));
            assert_eq!(back, pixel);
        }
    }

    #[test]
    fn colours_are_what_scikit_image_says() {
        // skimage.color.rgb2lab(np.uint8([[[255, 255, 255], [255, 0, 0], [3, 2, 1]]]))
        let expected = [
            ([255, 255, 255], [100.0, -0.002_454_94, 0.004_653_42]),
            ([255, 0, 0], [53.240_587_9, 80.092_308_2, 67.202_751_0]),
            ([3, 2, 1], [0.586_868_92, 0.122_420_68, 0.470_628_06]),
        ];
        let lab = Lab::new();
        for (pixel, expected) in expected {
            for (found, expected) in lab.of(pixel).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{pixel:?}: {found}");
            }
        }
    }
}

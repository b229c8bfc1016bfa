//! The four ways to choose contents for styles.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use shared::settings::{Pairing, PairingMode};

use super::rare_class;

/// Pixels of each of the 19 classes in a content's label map.
pub type ClassPixels = [u64; 19];

/// Returns, for each style, the positions of its contents, in ascending order.
///
/// `num_contents` and `num_styles` are the lengths of the listings; `class_pixels` is asked for only by rare-class
/// sampling. Every random choice follows from `seed`.
#[must_use]
pub fn pair(
    pairing: &Pairing,
    num_contents: usize,
    num_styles: usize,
    seed: u64,
    class_pixels: &[ClassPixels],
) -> Vec<Vec<usize>> {
    let wanted = pairing
        .contents_per_style
        .unwrap_or(num_contents)
        .min(num_contents);
    let random = |style: usize| {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(style as u64);
        rng
    };
    (0..num_styles)
        .map(|style| {
            let mut contents: Vec<usize> = match pairing.mode {
                PairingMode::EveryStyle => (0..wanted).collect(),
                PairingMode::Ordered => {
                    ordered(style, num_contents, num_styles, pairing.contents_per_style)
                }
                PairingMode::Uniform => {
                    rand::seq::index::sample(&mut random(style), num_contents, wanted).into_vec()
                }
                PairingMode::RareClass => {
                    rare_class::sample(&mut random(style), class_pixels, wanted)
                }
            };
            contents.sort_unstable();
            contents
        })
        .collect()
}

/// Each style gets its own next contents: as many as asked for while there are any, or an equal share.
fn ordered(
    style: usize,
    num_contents: usize,
    num_styles: usize,
    per_style: Option<usize>,
) -> Vec<usize> {
    let (start, end) = match per_style {
        Some(count) => (style * count, (style + 1) * count),
        None => (
            style * num_contents / num_styles,
            (style + 1) * num_contents / num_styles,
        ),
    };
    (start.min(num_contents)..end.min(num_contents)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(mode: PairingMode, contents_per_style: Option<usize>) -> Vec<Vec<usize>> {
        let classes: Vec<ClassPixels> = (0..10)
            .map(|content| {
                let mut pixels = [0; 19];
                pixels[0] = 100_000;
                if content == 7 {
                    pixels[18] = 5_000;
                }
                pixels
            })
            .collect();
        pair(
            &Pairing {
                mode,
                contents_per_style,
            },
            10,
            3,
            42,
            &classes,
        )
    }

    #[test]
    fn every_style_gets_the_same_first_contents() {
        assert_eq!(pairs(PairingMode::EveryStyle, Some(2)), vec![vec![0, 1]; 3]);
        assert_eq!(pairs(PairingMode::EveryStyle, None)[2].len(), 10);
    }

    #[test]
    fn ordered_styles_share_no_content() {
        assert_eq!(
            pairs(PairingMode::Ordered, Some(4)),
            vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]
        );
        assert_eq!(
            pairs(PairingMode::Ordered, None).concat(),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn uniform_contents_differ_by_style_and_repeat_by_seed() {
        let chosen = pairs(PairingMode::Uniform, Some(4));
        assert_eq!(chosen, pairs(PairingMode::Uniform, Some(4)));
        assert_ne!(chosen[0], chosen[1]);
        assert!(
            chosen
                .iter()
                .all(|contents| contents.len() == 4 && contents.is_sorted_by(|a, b| a < b))
        );
    }

    #[test]
    fn rare_class_sampling_prefers_contents_with_the_rare_class() {
        let chosen = pairs(PairingMode::RareClass, Some(2));
        assert!(
            chosen.iter().all(|contents| contents.contains(&7)),
            "{chosen:?}"
        );
        assert!(
            chosen.iter().all(|contents| contents.len() == 2),
            "{chosen:?}"
        );
    }
}

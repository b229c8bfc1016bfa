//! The four ways to choose contents for styles.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use shared::settings::{Pairing, PairingMode};
use shared::wording::counted;

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

/// Returns that styles get fewer contents than `contents_per_style` asks for, if some do, for a warning.
#[must_use]
pub fn shortage(pairing: &Pairing, num_contents: usize, pairs: &[Vec<usize>]) -> Option<String> {
    let wanted = pairing.contents_per_style?;
    let found: usize = pairs.iter().map(Vec::len).sum();
    let asked = wanted.saturating_mul(pairs.len());
    let own = match pairing.mode {
        PairingMode::Ordered => ", each style its own (pairing.mode = \"ordered\")",
        PairingMode::EveryStyle | PairingMode::Uniform | PairingMode::RareClass => "",
    };
    let styles = counted(pairs.len(), "style", "styles");
    let contents = counted(num_contents, "content", "contents");
    (found < asked).then(|| {
        format!(
            "pairing.contents_per_style ({wanted}) asks {asked} items of {styles}{own}, and {contents} make {found}"
        )
    })
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
    fn styles_that_get_fewer_contents_than_asked_for_are_told_with_both_numbers() {
        let told = |mode, contents_per_style, num_contents, num_styles| {
            let pairing = Pairing {
                mode,
                contents_per_style,
            };
            let pairs = pair(&pairing, num_contents, num_styles, 42, &[]);
            shortage(&pairing, num_contents, &pairs)
        };
        assert_eq!(
            told(PairingMode::EveryStyle, Some(50), 2, 1).unwrap(),
            "pairing.contents_per_style (50) asks 50 items of 1 style, and 2 contents make 2"
        );
        assert_eq!(
            told(PairingMode::Ordered, Some(2), 3, 2).unwrap(),
            "pairing.contents_per_style (2) asks 4 items of 2 styles, each style its own \
             (pairing.mode = \"ordered\"), and 3 contents make 3"
        );
        assert!(told(PairingMode::Uniform, Some(usize::MAX), 2, 3).is_some());
        for (mode, contents_per_style) in [
            (PairingMode::EveryStyle, None),
            (PairingMode::EveryStyle, Some(4)),
            (PairingMode::Ordered, None),
            (PairingMode::Ordered, Some(2)),
            (PairingMode::Uniform, Some(4)),
        ] {
            assert_eq!(
                told(mode, contents_per_style, 4, 2),
                None,
                "{contents_per_style:?}"
            );
        }
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

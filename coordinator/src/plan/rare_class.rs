//! Rare-class sampling: draw a class, rarer ones more often, then a content that shows it.
//!
//! **Source:** Hoyer et al. 2022, DAFormer (arXiv:2111.14887), section 3.3; temperature 0.01 and at least 3000 pixels.
//! **Differs:** without replacement, for a content is converted into a style once; when no content with a drawn class
//! is left, the class drops out, and when no class is left the rest is drawn uniformly.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha12Rng;

use super::ClassPixels;

const TEMPERATURE: f64 = 0.01;
const MIN_PIXELS: u64 = 3000;

/// Returns the positions of `wanted` distinct contents.
pub(super) fn sample(rng: &mut ChaCha12Rng, contents: &[ClassPixels], wanted: usize) -> Vec<usize> {
    let weights = class_weights(contents);
    let mut left: Vec<bool> = vec![true; contents.len()];
    let mut chosen = Vec::with_capacity(wanted);
    while chosen.len() < wanted {
        let with_class = |class: usize| -> Vec<usize> {
            (0..contents.len())
                .filter(|&i| left[i] && contents[i][class] >= MIN_PIXELS)
                .collect()
        };
        let candidates: Vec<Vec<usize>> = (0..weights.len()).map(with_class).collect();
        let mass = |class: usize| {
            if candidates[class].is_empty() {
                0.0
            } else {
                weights[class]
            }
        };
        let total: f64 = (0..weights.len()).map(mass).sum();
        let among = if total > 0.0 {
            let mut point = rng.random_range(0.0..total);
            let drawn = (0..weights.len())
                .filter(|&class| mass(class) > 0.0)
                .find(|&class| {
                    point -= mass(class);
                    point < 0.0
                });
            drawn.map_or_else(Vec::new, |class| candidates[class].clone())
        } else {
            (0..contents.len()).filter(|&i| left[i]).collect()
        };
        let Some(&content) = among.choose(rng) else {
            break;
        };
        left[content] = false;
        chosen.push(content);
    }
    chosen
}

/// `softmax((1 - frequency) / temperature)` over the classes that occur.
fn class_weights(contents: &[ClassPixels]) -> Vec<f64> {
    let mut pixels = [0u64; 19];
    for content in contents {
        for (sum, count) in pixels.iter_mut().zip(content) {
            *sum += count;
        }
    }
    let total = pixels.iter().sum::<u64>().max(1) as f64;
    let scores = pixels.map(|count| (1.0 - count as f64 / total) / TEMPERATURE);
    let largest = scores.iter().copied().fold(f64::MIN, f64::max);
    pixels
        .iter()
        .zip(scores)
        .map(|(&count, score)| {
            if count == 0 {
                0.0
            } else {
                (score - largest).exp()
            }
        })
        .collect()
}

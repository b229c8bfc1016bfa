//! Rare-class sampling: draw a class, rarer ones more often, then a content that shows it.
//!
//! **Source:** Hoyer et al. 2022, DAFormer (arXiv:2111.14887), section 3.3; temperature 0.01 and at least 3000 pixels.
//! **Differs:** without replacement, for a content is converted into a style once; when no content with a drawn class
//! is left, the class drops out, and when no class is left the rest is drawn uniformly.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha12Rng;

use super::ClassPixels;

const NUM_CLASSES: usize = 19;
const TEMPERATURE: f64 = 0.01;
const MIN_PIXELS: u64 = 3000;

/// Returns the positions of `wanted` distinct contents.
pub(super) fn sample(rng: &mut ChaCha12Rng, contents: &[ClassPixels], wanted: usize) -> Vec<usize> {
    let weights = class_weights(contents);
    let mut showing: [Group; NUM_CLASSES] = std::array::from_fn(|class| {
        Group::of(contents.len(), |i| contents[i][class] >= MIN_PIXELS)
    });
    let mut left = Group::of(contents.len(), |_| true);
    let mut chosen = Vec::with_capacity(wanted);
    while chosen.len() < wanted {
        let among = draw_class(rng, &weights, &showing).map_or(&left, |class| &showing[class]);
        let Some(&content) = among.members.choose(rng) else {
            break;
        };
        left.remove(content);
        showing.iter_mut().for_each(|group| group.remove(content));
        chosen.push(content);
    }
    chosen
}

/// Returns a class of which contents are left, by the weights of those; none if there is none.
fn draw_class(
    rng: &mut ChaCha12Rng,
    weights: &[f64; NUM_CLASSES],
    showing: &[Group; NUM_CLASSES],
) -> Option<usize> {
    let mass = |class: usize| {
        if showing[class].members.is_empty() {
            0.0
        } else {
            weights[class]
        }
    };
    let total: f64 = (0..NUM_CLASSES).map(mass).sum();
    if total <= 0.0 {
        return None;
    }
    let mut point = rng.random_range(0.0..total);
    (0..NUM_CLASSES)
        .filter(|&class| mass(class) > 0.0)
        .find(|&class| {
            point -= mass(class);
            point < 0.0
        })
}

/// Positions of contents, from which one is removed at once wherever it is.
struct Group {
    members: Vec<usize>,
    /// Where each content is in `members`.
    places: Vec<Option<usize>>,
}

impl Group {
    fn of(count: usize, belongs: impl Fn(usize) -> bool) -> Self {
        let members: Vec<usize> = (0..count).filter(|&i| belongs(i)).collect();
        let mut places = vec![None; count];
        for (place, &content) in members.iter().enumerate() {
            places[content] = Some(place);
        }
        Self { members, places }
    }

    fn remove(&mut self, content: usize) {
        let Some(place) = self.places[content].take() else {
            return;
        };
        self.members.swap_remove(place);
        if let Some(&moved) = self.members.get(place) {
            self.places[moved] = Some(place);
        }
    }
}

/// `softmax((1 - frequency) / temperature)` over the classes that occur.
fn class_weights(contents: &[ClassPixels]) -> [f64; NUM_CLASSES] {
    let mut pixels = [0_u64; NUM_CLASSES];
    for content in contents {
        for (sum, count) in pixels.iter_mut().zip(content) {
            *sum += count;
        }
    }
    let total = pixels.iter().sum::<u64>().max(1) as f64;
    let scores = pixels.map(|count| (1.0 - count as f64 / total) / TEMPERATURE);
    let largest = scores.iter().copied().fold(f64::MIN, f64::max);
    std::array::from_fn(|class| {
        if pixels[class] == 0 {
            0.0
        } else {
            (scores[class] - largest).exp()
        }
    })
}

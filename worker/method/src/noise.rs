//! Standard normal draws that depend on nothing but what they are for.
//!
//! Each (seed, image, schedule index) has a ChaCha stream of its own: the key is the seed and two
//! hashes of the image's id, the stream number is the index. Any worker, in any order, draws the same.
//!
//! **Source:** Huberman-Spiegelglas et al. 2024, section 3 (arXiv:2304.06140): independent noise at every timestep.
//! **Differs:** every draw has a stream of its own, in place of one generator that all draws take from in turn.

use ndarray::Array3;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Marks the keys of this derivation; another derivation takes another mark.
const DERIVATION: u64 = u64::from_le_bytes(*b"s2rnoise");

/// Returns independent standard normal values of `shape`, as `(channels, height, width)`.
pub fn standard_normal(
    seed: u64,
    image_id: &str,
    index: usize,
    shape: (usize, usize, usize),
) -> Array3<f32> {
    let mut rng = ChaCha12Rng::from_seed(key(seed, image_id));
    rng.set_stream(index as u64);
    Array3::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

/// The four little-endian words `DERIVATION`, `seed`, and two FNV-1a hashes of the id that begin apart.
fn key(seed: u64, image_id: &str) -> [u8; 32] {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let words = [
        DERIVATION,
        seed,
        fnv1a(OFFSET_BASIS, image_id.as_bytes()),
        fnv1a(!OFFSET_BASIS, image_id.as_bytes()),
    ];
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    key
}

fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(start, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_never_change_between_versions() {
        let noise = standard_normal(42, "00001", 30, (1, 1, 4));
        let drawn: Vec<f32> = noise.iter().copied().collect();
        assert_eq!(
            drawn,
            [0.316_739_6, -1.107_197_4, -0.966_078_34, -0.186_975_37]
        );
    }

    #[test]
    fn seed_image_and_index_each_make_another_draw() {
        let shape = (4, 8, 8);
        let draws = [
            standard_normal(1, "a", 0, shape),
            standard_normal(2, "a", 0, shape),
            standard_normal(1, "b", 0, shape),
            standard_normal(1, "a", 1, shape),
        ];
        for (i, draw) in draws.iter().enumerate() {
            assert!(draws[..i].iter().all(|other| other != draw), "{i}");
        }
    }

    #[test]
    fn draws_have_mean_zero_and_variance_one() {
        let noise = standard_normal(7, "night 夜", 3, (4, 64, 128));
        let count = noise.len() as f64;
        let mean = noise.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = noise
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / count;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }
}

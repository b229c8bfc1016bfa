//! Numbers for tests.

use ndarray::Array3;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Returns independent standard normal values of `shape`, the same for the same seed, name and index.
pub(crate) fn standard_normal(
    seed: u64,
    name: &str,
    index: usize,
    shape: (usize, usize, usize),
) -> Array3<f32> {
    let name = name.bytes().fold(seed, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let mut rng = ChaCha12Rng::seed_from_u64(name);
    rng.set_stream(index as u64);
    Array3::from_shape_simple_fn(shape, || StandardNormal.sample(&mut rng))
}

//! Time of what judges outputs: similarity of an image, statistics of a dataset's features, Fréchet and kernel distance.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark tells what it measured"
)]

use std::hint::black_box;
use std::time::Instant;

use coordinator::output::quality::fid::Gaussian;
use coordinator::output::quality::kid::kernel_distance;
use coordinator::output::quality::sample::Sample;
use coordinator::output::quality::statistics::Accumulator;
use imaging::ssim::ssim;
use ndarray::Array3;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Frames of GTA5.
const ITEMS: usize = 24_966;
/// Features of Inception.
const FEATURES: usize = 2_048;
const SEED: u64 = 1;

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = black_box(work());
    println!("{what:<64} {:>8.3} s", started.elapsed().as_secs_f64());
    done
}

fn sums(seed: u64, items: usize) -> (Accumulator, Sample) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut sums, mut sample) = (Accumulator::new(FEATURES), Sample::default());
    for item in 0..items {
        let common: f32 = random.random();
        let features: Vec<f32> = (0..FEATURES)
            .map(|_| (random.random::<f32>() + common).max(0.6))
            .collect();
        sums.add(&features);
        sample.offer(&item.to_string(), &features);
    }
    (sums, sample)
}

fn main() {
    println!("seed {SEED}");
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut image = || Array3::from_shape_fn((512, 1024, 3), |_| random.random::<u8>());
    let (before, after) = (image(), image());
    measured("SSIM of an image of 1024x512", || {
        ssim(before.view(), after.view()).unwrap()
    });
    let (first, first_sample) = measured(
        &format!("features of {ITEMS} items drawn and folded, {FEATURES} each"),
        || sums(SEED, ITEMS),
    );
    let (second, second_sample) = sums(SEED + 1, 5_000);
    let reference = Gaussian::of(&second.statistics().unwrap()).unwrap();
    let fid = measured("FID against a reference that is decomposed", || {
        let statistics = first.statistics().unwrap();
        Gaussian::of(&statistics).unwrap().distance(&reference)
    });
    let kid = measured("KID over 100 subsets of 1,000", || {
        let (a, b) = (first_sample.matrix(), second_sample.matrix());
        kernel_distance(a.as_ref(), b.as_ref())
    });
    println!("FID {:.4}, KID {:?}", fid.unwrap(), kid.unwrap());
}

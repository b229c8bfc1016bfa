//! Products of matrices in Rust's own library.

use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, get_global_parallelism};

/// Rows and columns of the matrices, as on Python's side.
const ORDER: usize = 4096;
const REPEAT: usize = 5;

/// Returns the floating-point operations that faer does in a second in a product of float32 matrices.
pub(super) fn operations_a_second() -> f64 {
    let matrix = |shift: usize| {
        Mat::<f32>::from_fn(ORDER, ORDER, |row, column| {
            ((row * 31 + column * 17 + shift) % 101) as f32 / 101.0
        })
    };
    let (left, right) = (matrix(0), matrix(5));
    let mut product = Mat::<f32>::zeros(ORDER, ORDER);
    let seconds = (0..REPEAT).map(|_| {
        let started = Instant::now();
        let all_cores = get_global_parallelism();
        matmul(&mut product, Accum::Replace, &left, &right, 1.0, all_cores);
        std::hint::black_box(&product);
        started.elapsed().as_secs_f64()
    });
    2.0 * (ORDER as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
}

//! Timing of kernels.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The time for which one kernel is repeated.
const TIME: Duration = Duration::from_secs(1);

/// Returns the seconds of the shortest of several runs: what the machine can do undisturbed. They run on one of the
/// threads that share the work, as in the engine.
pub(crate) fn shortest<R>(mut kernel: impl FnMut() -> R + Send) -> f64 {
    rayon::scope(|_| {
        let begun = Instant::now();
        let mut shortest = f64::INFINITY;
        while begun.elapsed() < TIME {
            let started = Instant::now();
            black_box(kernel());
            shortest = shortest.min(started.elapsed().as_secs_f64());
        }
        shortest
    })
}

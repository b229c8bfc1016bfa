//! What every fuzz target needs: a limit for what an input may allocate, and damage below checksums.

use std::alloc::System;

use cap::Cap;
use corpus::damage::Damage;

pub use libfuzzer_sys;

/// What an input may allocate.
const MAX_BYTES: usize = 1 << 30;

/// Aborts the process above its limit, which counts as a crash.
#[global_allocator]
pub static ALLOCATOR: Cap<System> = Cap::new(System, MAX_BYTES);

/// Changes an input in place and returns its new length: half of the times as libFuzzer does, else within the parts
/// that a PNG or an archive packs, with its checksums made right again.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut damage = Damage::of_seed(u64::from(seed));
    let within = if seed % 2 == 0 { damage.within(&data[..size], &[]) } else { None };
    match within.filter(|bytes| bytes.len() <= max_size) {
        Some(bytes) => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}

/// Makes the program of a target.
#[macro_export]
macro_rules! target {
    ($target:expr) => {
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $target.run(data));

        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate(data, size, max_size, seed)
        });
    };
}

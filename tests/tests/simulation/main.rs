//! Random histories of everything that can happen to workers, broker, storage and clocks, in simulated time.
//!
//! After every step, what storage says is true is true; and whatever happened, a run that is resumed ends with every
//! item once, with the bytes that an undisturbed run makes.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod clock;
mod history;
mod invariants;
mod named;
mod spans;
mod storage;
mod world;

use proptest::test_runner::{Config, RngSeed, TestRunner};

const SEED: &str = "SYNTH2REAL_TEST_SEED";
const HISTORIES: &str = "SYNTH2REAL_TEST_HISTORIES";

fn given(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    let value = given.map_or(default, |value| value.parse().unwrap());
    println!("{variable}={value}");
    value
}

#[test]
fn whatever_happens_every_item_is_made_once_with_the_same_bytes() {
    let config = Config {
        cases: given(HISTORIES, 300) as u32,
        rng_seed: RngSeed::Fixed(given(SEED, 1)),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&history::histories(), |history| {
        history::play(&history);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("keep this history as a named test: {error}");
    }
}

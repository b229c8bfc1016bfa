//! Every fuzz target on the corpus, and on seeded damage to it: no panic, no hang, no gigabyte.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::alloc::System;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use cap::Cap;
use corpus::damage::Damage;
use corpus::table::{Row, rows};
use corpus::targets::Target;

/// What an input may allocate, beside what the test itself has.
const MAX_BYTES: usize = 1 << 30;
/// How long an input may take, on a busy machine.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Damaged files for each target.
const DAMAGED: usize = 2_000;
/// Files that are larger are not damaged: a test is to end within seconds.
const MAX_DAMAGED_BYTES: usize = 1 << 16;
/// Gives another seed, and others that follow it.
const SEED: &str = "SYNTH2REAL_FUZZ_SEED";

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Runs inputs one by one, and keeps the one in hand where it can be looked at if it ends the process.
struct Runner {
    target: Target,
    in_hand: PathBuf,
    watchdog: mpsc::Sender<()>,
}

impl Runner {
    fn new(target: Target) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let in_hand = folder.join(format!("fuzz-{}-{}", target.name(), std::process::id()));
        let (watchdog, alive) = mpsc::channel();
        let hanging = in_hand.clone();
        std::thread::spawn(move || {
            loop {
                match alive.recv_timeout(MAX_TIME) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        say(&format!(
                            "{} takes more than {MAX_TIME:?}",
                            hanging.display()
                        ));
                        std::process::abort();
                    }
                }
            }
        });
        say(&format!("the input in hand is {}", in_hand.display()));
        ALLOCATOR
            .set_limit(ALLOCATOR.allocated() + MAX_BYTES)
            .unwrap();
        Self {
            target,
            in_hand,
            watchdog,
        }
    }

    fn run(&self, what: &str, bytes: &[u8]) {
        std::fs::write(&self.in_hand, bytes).unwrap();
        self.watchdog.send(()).unwrap();
        let ended = catch_unwind(AssertUnwindSafe(|| self.target.run(bytes)));
        assert!(
            ended.is_ok(),
            "{what} panics, it lies at {}",
            self.in_hand.display()
        );
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.in_hand);
        }
    }
}

/// Says something that is shown even if the process is aborted.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn seed() -> u64 {
    let given = std::env::var(SEED).ok();
    given.map_or(0, |seed| seed.parse().unwrap())
}

fn fuzz(target: Target) {
    let rows: Vec<Row> = rows()
        .into_iter()
        .filter(|row| row.reads.target() == target)
        .collect();
    assert!(
        !rows.is_empty(),
        "no row of the corpus is for {}",
        target.name()
    );
    let runner = Runner::new(target);
    for row in &rows {
        runner.run(&row.name, &row.bytes);
    }
    let small = |row: &&Row| row.bytes.len() <= MAX_DAMAGED_BYTES;
    let rows: Vec<&Row> = rows.iter().filter(small).collect();
    let first = seed();
    for position in 0..DAMAGED {
        let seed = first.wrapping_add(position as u64);
        let mut damage = Damage::of_seed(seed);
        let row = rows[damage.below(rows.len())];
        let other = &rows[damage.below(rows.len())].bytes;
        let within = damage.below(2) == 0;
        let damaged = if within {
            damage.within(&row.bytes, other)
        } else {
            None
        };
        let damaged = damaged.unwrap_or_else(|| damage.of(&row.bytes, other));
        runner.run(
            &format!("{SEED}={seed}: {} with damage", row.name),
            &damaged,
        );
    }
}

#[test]
fn pictures_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Pictures);
}

#[test]
fn labels_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Labels);
}

#[test]
fn arrays_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Arrays);
}

#[test]
fn contracts_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Contracts);
}

#[test]
fn records_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Records);
}

#[test]
fn settings_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Settings);
}

#[test]
fn messages_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Messages);
}

#[test]
fn shards_of_any_bytes_are_read_or_refused() {
    fuzz(Target::Shards);
}

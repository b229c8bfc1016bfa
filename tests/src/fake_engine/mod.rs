//! A fake engine that makes tiny images from a hash: for tests of everything around the engine.
//!
//! - `names`: what becomes of contents and styles, by their names
//! - `pictures`: the images that it makes, their labels and figures
//! - `context`: a run's context with it, and the inputs that it loads
//! - `backend`, `evaluator`: what it does with them

mod backend;
mod context;
mod evaluator;
mod names;
mod pictures;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordinator::run::freeze::FrozenRun;
use coordinator::work::embedded::{EmbeddedRun, Stopped};
use shared::queue::InProcessBroker;
use shared::storage::Storage;
use tokio_util::sync::CancellationToken;

pub use self::context::FakeContextProvider;
pub use self::names::{
    AWAY, BAD, BROKEN, CURSED, DENIED, FATAL, GONE, HANGING, OVERFLOWING, SEGMENTED, UNCERTAIN,
    UNJUDGED,
};
pub use self::pictures::{image, label, quality};

/// Makes what is open of a run, as `synth2real run` does in one process; returns why it stopped.
///
/// # Panics
///
/// If nothing will work.
pub async fn make(
    storage: &Arc<dyn Storage>,
    run: &FrozenRun,
    engine: &Arc<FakeEngine>,
) -> Stopped {
    let embedded = EmbeddedRun {
        run,
        storage: Arc::clone(storage),
        broker: InProcessBroker::with_delivery_limit(u64::MAX),
        run_contexts: Arc::new(FakeContextProvider(Arc::clone(engine))),
        only: None,
        repairs: BTreeSet::new(),
        progress: Arc::new(()),
        drain: CancellationToken::new(),
    };
    embedded.go().await.expect("a run that can go on")
}

/// A fake engine that makes tiny images from a hash, after a time.
#[derive(Debug, Default)]
pub struct FakeEngine {
    /// Time that a conversion takes.
    pub takes: Duration,
    /// Whether every conversion runs out of memory.
    is_full: bool,
    /// How many it was asked for at once, each time.
    passes: Mutex<Vec<usize>>,
    conversions: AtomicU64,
    /// Styles that it was asked to record.
    records: AtomicU64,
    /// Whether its inputs were mended.
    mended: AtomicBool,
    /// Whether inputs are away that can be.
    away: AtomicBool,
    /// Whether every conversion fails.
    cursed: AtomicBool,
}

impl FakeEngine {
    /// Returns an engine whose conversions take a time.
    #[must_use]
    pub fn new(takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            takes,
            ..Self::default()
        })
    }

    /// Returns an engine that runs out of memory at every conversion.
    #[must_use]
    pub fn that_is_full() -> Arc<Self> {
        Arc::new(Self {
            is_full: true,
            ..Self::default()
        })
    }

    /// Returns how many outputs it was asked for at once, each time.
    ///
    /// # Panics
    ///
    /// If a test has panicked meanwhile.
    pub fn passes(&self) -> Vec<usize> {
        self.passes.lock().expect("no holder panics").clone()
    }

    /// Notes a pass; returns whether it fits in memory.
    fn begins(&self, outputs: usize) -> bool {
        let mut passes = self.passes.lock().expect("no holder panics");
        passes.push(outputs);
        !self.is_full
    }

    /// Returns how often it was asked to record a style.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Mends every bad input.
    pub fn mend(&self) {
        self.mended.store(true, Ordering::Relaxed);
    }

    /// Takes inputs away that can be, or brings them back.
    pub fn take_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    /// Lets every conversion fail, or no longer.
    pub fn curse(&self, cursed: bool) {
        self.cursed.store(cursed, Ordering::Relaxed);
    }

    /// Returns how many images it has made.
    pub fn conversions(&self) -> u64 {
        self.conversions.load(Ordering::Relaxed)
    }
}

struct FakeEngineHandle(Arc<FakeEngine>);

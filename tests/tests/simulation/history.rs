//! What can happen, and how a history of it is played.

use std::time::Duration;

use coordinator::run::ledger::Ledger;
use coordinator::work::resume::{Only, Quarantined};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::invariants::{Witness, check_end};
use crate::storage::Fault;
use crate::world::{MAX_WORKERS, World};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// A worker joins.
    Join(usize),
    /// A worker dies where it stands.
    Crash(usize),
    /// A worker is told to stop and stops.
    Drain(usize),
    /// The next write of some worker fails.
    FailWrite(Fault),
    /// Storage refuses this many writes.
    Outage(u8),
    /// Everything in hand is delivered again.
    RestartBroker,
    /// Every message and connection is lost.
    LoseBroker,
    /// Somebody publishes what is missing: what is in hand, too.
    ResumeMissing,
    /// Somebody has failed shards tried anew.
    ResumeFailed,
    /// Bad inputs are mended.
    Mend,
    /// Somebody has quarantined items tried again.
    ResumeQuarantined,
    /// Somebody halts the run.
    Cancel,
    /// The clock of a worker's place, or after those of the collector, is ahead by so many seconds from now on, or back.
    SetClock(usize, i64),
    /// A collector begins to watch.
    Collect,
    /// It goes.
    StopCollecting,
}

fn steps() -> impl Strategy<Value = Step> {
    let place = || 0..MAX_WORKERS;
    prop_oneof![
        8 => (1_u64..400).prop_map(Step::Pass),
        2 => (400_u64..100_000).prop_map(Step::Pass),
        5 => place().prop_map(Step::Join),
        3 => place().prop_map(Step::Crash),
        2 => place().prop_map(Step::Drain),
        3 => any::<bool>().prop_map(|after| {
            Step::FailWrite(if after { Fault::After } else { Fault::Before })
        }),
        1 => (2_u8..30).prop_map(Step::Outage),
        2 => Just(Step::RestartBroker),
        1 => Just(Step::LoseBroker),
        2 => Just(Step::ResumeMissing),
        1 => Just(Step::ResumeFailed),
        1 => Just(Step::Mend),
        2 => Just(Step::ResumeQuarantined),
        1 => Just(Step::Cancel),
        2 => (0..=MAX_WORKERS, -100_000_i64..100_000)
            .prop_map(|(place, seconds)| Step::SetClock(place, seconds)),
        1 => Just(Step::Collect),
        1 => Just(Step::StopCollecting),
    ]
}

/// Returns random histories.
pub(crate) fn histories() -> impl Strategy<Value = Vec<Step>> {
    vec(steps(), 1..40)
}

/// Plays a history, lets the run end without trouble, and checks it.
pub(crate) fn play(history: &[Step]) {
    in_simulated_time(async {
        let (mut world, mut witness) = begin(history).await;
        world.heal().await;
        witness.check(&world).await;
        check_end(&world).await;
    });
}

/// Plays a history and returns what storage says then.
pub(crate) fn play_until<T>(history: &[Step], look: impl FnOnce(&Ledger) -> T) -> T {
    in_simulated_time(async {
        let (world, _) = begin(history).await;
        look(&world.ledger().await)
    })
}

fn in_simulated_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

async fn begin(history: &[Step]) -> (World, Witness) {
    let mut world = World::new().await;
    let mut witness = Witness::default();
    for &step in history {
        take(&mut world, step).await;
        witness.check(&world).await;
    }
    (world, witness)
}

async fn take(world: &mut World, step: Step) {
    match step {
        Step::Pass(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        Step::Join(place) => world.join(place),
        Step::Crash(place) => world.crash(place).await,
        Step::Drain(place) => world.drain(place).await,
        Step::FailWrite(fault) => world.faults.lock().unwrap().push_back(fault),
        Step::Outage(writes) => {
            let outage = (0..writes).map(|_| Fault::Before);
            world.faults.lock().unwrap().extend(outage);
        }
        Step::RestartBroker => world.restart_broker(),
        Step::LoseBroker => world.lose_broker().await,
        Step::ResumeMissing => {
            world.resume(Some(Only::Missing)).await;
        }
        Step::ResumeFailed => {
            world.resume(Some(Only::Failed)).await;
        }
        Step::Mend => world.mend(),
        Step::ResumeQuarantined => {
            let all = Quarantined::default();
            world.resume(Some(Only::Quarantined(all))).await;
        }
        Step::Cancel => world.cancel().await,
        Step::SetClock(place, seconds) => world.clocks[place].set_ahead(seconds),
        Step::Collect => world.collect(),
        Step::StopCollecting => world.stop_collecting().await,
    }
}

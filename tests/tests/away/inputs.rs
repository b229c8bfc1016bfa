//! Inputs that are away for a while or for good, and a share that answers late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use coordinator::run::ledger::{Ledger, ShardState};
use futures::StreamExt;
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::ids::ShardId;
use shared::model::ImageSize;
use shared::queue::message::EventKind;
use shared::queue::{EventBus, WorkQueue};
use shared::run_record::RunRecord;
use shared::settings::WatchdogConfig;
use tests::fake_engine::FakeContextProvider;
use worker::attempt::{InputKind, Inputs, LoadedInput, Progress, RunContext, Unusable};
use worker::consumer::Consumer;
use worker::run_context::{RunContextError, RunContextProvider};

use super::fixture::{Fixture, TakenUp};

#[tokio::test(start_paused = true)]
async fn an_input_that_is_away_for_minutes_is_waited_for_and_costs_no_attempt() {
    let fixture = Fixture::new().await;
    let mut events = fixture.broker.events.subscribe().await;
    let back = fixture.after(400, || fixture.engine.take_away(false));
    tokio::join!(fixture.work_until_drained(), back);
    assert_eq!(fixture.done().await, 2);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    // Who watches is told what the worker waits for.
    let waits = |kind: EventKind| match kind {
        EventKind::Heartbeat { work, .. } => work.map(|work| work.step),
        _ => None,
    };
    loop {
        let event = events.next().await.unwrap();
        match waits(event.kind) {
            Some(step) if step == "waiting for inputs: away is away" => break,
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_that_stays_away_sends_its_shard_back_uncounted_and_the_worker_makes_other_runs() {
    let fixture = Fixture::new().await;
    let other = fixture.publish_another_run().await;
    // Longer than the run waits, and long enough for a few more tries.
    let back = async {
        tokio::time::sleep(Duration::from_secs(700)).await;
        let of_other = Ledger::read(fixture.storage.as_ref(), &other)
            .await
            .unwrap();
        assert_eq!(of_other.state(ShardId(0), 3), ShardState::Committed);
        fixture
            .after(2500, || fixture.engine.take_away(false))
            .await;
    };
    tokio::join!(fixture.work_until_drained(), back);
    assert_eq!(fixture.done().await, 2);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_an_input_gives_its_shard_back_when_it_is_told_to_stop() {
    let fixture = Fixture::new().await;
    let stop = fixture.after(100, || fixture.drain.cancel());
    let (worked, ()) = tokio::join!(fixture.work(), stop);
    worked.unwrap();
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.num_failed_attempts(), 0);
    assert_eq!(ledger.state(ShardId(0), 3), ShardState::Open);
    assert_eq!(
        fixture.broker.work.depth().await.unwrap().ready,
        1,
        "it was given back"
    );
}

/// Inputs of a share that takes its time for each answer, the first of which is a refusal.
struct SlowShare {
    others: Arc<dyn Inputs>,
    has_refused: Arc<AtomicBool>,
}

#[async_trait]
impl Inputs for SlowShare {
    async fn load(
        &self,
        kind: InputKind,
        listing: &DatasetEntry,
        size: ImageSize,
    ) -> Result<LoadedInput, Unusable> {
        tokio::time::sleep(Duration::from_secs(20)).await;
        if !self.has_refused.swap(true, Ordering::Relaxed) {
            return Err(Unusable::Away("the share was busy".to_owned()));
        }
        self.others.load(kind, listing, size).await
    }
}

/// A provider of run contexts whose inputs lie on a slow share.
struct OnSlowShare {
    others: FakeContextProvider,
    has_refused: Arc<AtomicBool>,
}

#[async_trait]
impl RunContextProvider for OnSlowShare {
    async fn load(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<RunContext, RunContextError> {
        let context = self.others.load(run, changed).await?;
        let inputs = SlowShare {
            others: Arc::clone(&context.inputs),
            has_refused: Arc::clone(&self.has_refused),
        };
        Ok(RunContext {
            inputs: Arc::new(inputs),
            ..context
        })
    }

    fn device(&self) -> String {
        self.others.device()
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_that_answers_late_is_not_away_meanwhile() {
    let fixture = Fixture::of_patience(10).await;
    fixture.engine.take_away(false);
    let taken_up = Arc::<TakenUp>::default();
    let run_contexts = OnSlowShare {
        others: FakeContextProvider(Arc::clone(&fixture.engine)),
        has_refused: Arc::default(),
    };
    let consumer = Consumer {
        run_contexts: Arc::new(run_contexts),
        watchdog: WatchdogConfig::default(),
        progress: Arc::clone(&taken_up) as Arc<dyn Progress>,
        ..fixture.consumer()
    };
    fixture.has_worked_until_drained(consumer).await;
    assert_eq!(fixture.done().await, 2);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(taken_up.0.load(Ordering::Relaxed), 1, "it was given back");
}

//! What becomes of a shard: each class of failure, and each message that is no shard to be made.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::output::audit;
use coordinator::run::decisions;
use coordinator::run::decisions::Resolution;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::gone::Gone;
use coordinator::run::ledger::{Ledger, ShardState};
use coordinator::run::redo::{Redo, Why};
use coordinator::run::tally::Tally;
use coordinator::work::collector::{Collector, Mode};
use coordinator::work::dispatch;
use coordinator::work::resume::{self, Choice, Only, ResumeError};
use engine::EngineError;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::clock::SystemClock;
use shared::decision::{ChangedInputs, Decision, DecisionError, DecisionKind};
use shared::failure::{FailedAttempt, FailureClass, MAX_ATTEMPT, chain};
use shared::ids::{ItemId, MAX_NAME_BYTES, RunId, ShardId};
use shared::item_metric::ItemMetric;
use shared::manifest::{self, ManifestRow, Status};
use shared::model::ContractError;
use shared::queue::message::{ControlRequest, EventKind, ShardTask};
use shared::queue::{
    DeadLetterReason, EventBus, InProcessBroker, Settlement, WorkQueue, WorkerControl,
};
use shared::run_record::RunRecord;
use shared::seal::Seal;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{LocalStorage, MemoryStorage, Storage, StorageError, StorageErrorKind};
use shared::warning::WarningKind;
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::planned;
use tests::power::Recorder;
use tests::power::recorder::Record;
use tests::vanishing::Vanishing;
use tokio_util::sync::CancellationToken;
use worker::attempt::RunContext;
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::{RunContextError, RunContextProvider};

const ONE: ShardSize = ShardSize {
    contents: 1,
    styles: 1,
};

/// A run of some contents in one style, a shard each, and everything around it.
struct Fixture {
    storage: Arc<dyn Storage>,
    broker: InProcessBroker,
    run: FrozenRun,
    engine: Arc<FakeEngine>,
}

impl Fixture {
    async fn of(contents: &[&str]) -> Self {
        Self::on(Arc::new(MemoryStorage::new()), contents).await
    }

    async fn on(storage: Arc<dyn Storage>, contents: &[&str]) -> Self {
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let run = planned::run("staged", &contents, &["night".to_owned()], ONE);
        let engine = FakeEngine::new(Duration::from_millis(10));
        Self::of_run(storage, run, engine).await
    }

    /// One shard of two contents in five styles, of which some fit in the engine's memory at once.
    async fn that_fits(outputs: usize) -> Self {
        let named =
            |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let size = ShardSize {
            contents: 2,
            styles: 5,
        };
        let styles = named(&["night", "snow", "rain", "fog", "day"]);
        let run = planned::run("staged", &named(&["a", "b"]), &styles, size);
        let engine = FakeEngine::that_fits(outputs);
        Self::of_run(Arc::new(MemoryStorage::new()), run, engine).await
    }

    async fn of_run(storage: Arc<dyn Storage>, run: FrozenRun, engine: Arc<FakeEngine>) -> Self {
        planned::store(storage.as_ref(), &run).await;
        Self {
            storage,
            broker: InProcessBroker::new(),
            run,
            engine,
        }
    }

    async fn publish(&self, only: Option<Only>) -> Vec<Redo> {
        let mut ledger = self.ledger().await;
        let choice = Choice {
            only,
            ..Choice::default()
        };
        let storage = self.storage.as_ref();
        let redo = resume::find(storage, &self.run, &ledger, &choice)
            .await
            .unwrap();
        resume::decide(storage, &self.run, &mut ledger, &redo, Vec::new())
            .await
            .unwrap();
        let tasks = resume::tasks(&self.run, &ledger, &redo);
        dispatch::publish(&self.broker.work, tasks, |_| {})
            .await
            .unwrap();
        redo
    }

    fn consumer(&self, drain: &CancellationToken) -> Consumer {
        Consumer {
            name: "worker".to_owned(),
            storage: Arc::clone(&self.storage),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default(),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
        }
    }

    /// Another run in the same storage root, whose shards wait in the same queue.
    async fn beside(&self) -> Self {
        let run = planned::run("other", &["b".to_owned()], &["night".to_owned()], ONE);
        planned::store(self.storage.as_ref(), &run).await;
        Self {
            storage: Arc::clone(&self.storage),
            broker: self.broker.clone(),
            run,
            engine: Arc::clone(&self.engine),
        }
    }

    /// The record of a failed attempt at the first shard.
    async fn failure(&self, number: u32) -> FailedAttempt {
        let (storage, run) = (self.storage.as_ref(), &self.run.record.run);
        let failure = coordinator::run::ledger::failed_attempt(storage, run, ShardId(0), number);
        failure.await.unwrap()
    }

    /// A worker works until nothing is left to do, or until it stops by itself.
    async fn work(&self) -> Result<(), ConsumerError> {
        self.work_in(Arc::new(FakeContextProvider(Arc::clone(&self.engine))))
            .await
    }

    async fn work_in(
        &self,
        run_contexts: Arc<dyn RunContextProvider>,
    ) -> Result<(), ConsumerError> {
        let drain = CancellationToken::new();
        let consumer = Consumer {
            run_contexts,
            ..self.consumer(&drain)
        };
        let work = consumer.run();
        tokio::pin!(work);
        tokio::select! {
            ended = &mut work => return ended,
            () = self.broker.work.drained() => drain.cancel(),
        }
        work.await
    }

    fn collector(&self) -> Collector {
        Collector {
            storage: Arc::clone(&self.storage),
            queue: Some(self.broker.ports().work),
            events: Some(self.broker.ports().events),
            mode: Mode::Manage,
            every: Duration::from_secs(1),
            live: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// A collector watches for some seconds.
    async fn collect(&self) {
        let collector = self.collector();
        let _ = tokio::time::timeout(Duration::from_secs(3), collector.run()).await;
    }

    /// A worker works and a collector watches until every shard is committed.
    async fn work_until_committed(&self) {
        let (collector, drain) = (self.collector(), CancellationToken::new());
        let consumer = self.consumer(&drain);
        let done = async {
            while !self.are_committed().await {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            drain.cancel();
        };
        let work = async { tokio::join!(consumer.run(), done).0 };
        let work = tokio::time::timeout(Duration::from_secs(24 * 3600), work);
        tokio::select! {
            worked = work => worked.expect("the run ends by itself").unwrap(),
            () = collector.run() => panic!("the collector stopped"),
        }
    }

    async fn are_committed(&self) -> bool {
        let states = self.states().await;
        states.iter().all(|&state| state == ShardState::Committed)
    }

    /// The same run and queue, as they are seen with another storage root.
    fn seen_in(&self, storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            broker: self.broker.clone(),
            run: self.run.clone(),
            engine: Arc::clone(&self.engine),
        }
    }

    /// What is asked for each shard at first.
    fn tasks(&self) -> Vec<ShardTask> {
        let shards = self.run.plan.shards.iter();
        let task = |shard| self.run.plan.task(&self.run.record.run, shard);
        shards.map(task).collect()
    }

    /// Puts something else in the place of the run's plan.
    async fn damage_plan(&self) {
        let record = &self.run.record;
        let key = ArtifactKey::Plan(record.run.clone(), record.frozen.plan_sha256.clone());
        let damaged = Bytes::from_static(b"{}");
        self.storage.replace(&key, damaged).await.unwrap();
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    async fn states(&self) -> Vec<ShardState> {
        let ledger = self.ledger().await;
        let shards = self.run.plan.shards.iter();
        shards.map(|shard| ledger.state(shard.id, 3)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_always_fails_is_given_up_and_the_others_are_made() {
    let fixture = Fixture::of(&["a", "cursed", "z"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let failed = ShardState::Failed { last: 3 };
    assert_eq!(
        fixture.states().await,
        [ShardState::Committed, failed, ShardState::Committed]
    );
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    let manifest = ArtifactKey::Manifest(fixture.run.record.run.clone());
    let rows = manifest::read(fixture.storage.read(&manifest).await.unwrap()).unwrap();
    let status: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(status, [Status::Done, Status::Failed, Status::Done]);
    assert_eq!(rows[1].error_class, Some(FailureClass::Transient));

    // It is tried anew when somebody asks for it, and only then.
    assert_eq!(fixture.publish(Some(Only::Missing)).await, []);
    let redo = fixture.publish(Some(Only::Failed)).await;
    assert!(
        matches!(redo[0].why, Why::Failed { last: 3, .. }),
        "{redo:?}"
    );
    assert_eq!(fixture.states().await[1], ShardState::Open);
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await[1], ShardState::Failed { last: 6 });
}

#[tokio::test(start_paused = true)]
async fn of_two_who_halt_a_run_at_its_limit_one_does_and_a_resume_meanwhile_is_not_undone() {
    let mut fixture = Fixture::of(&["bad", "a"]).await;
    let first = resume::task(
        &fixture.run,
        &fixture.ledger().await,
        &fixture.run.plan.shards[0],
    );
    fixture.broker.work.publish(&[first]).await.unwrap();
    fixture.work().await.unwrap();
    fixture.run.record.limits.max_failed = 0.0;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run);
    let mut tally = Tally::stored(storage, &run.record.run).await.unwrap();
    tally
        .update(storage, run, &fixture.ledger().await)
        .await
        .unwrap();
    // None of them knows of the others.
    let (mut here, mut there) = (fixture.ledger().await, fixture.ledger().await);
    let mut late = fixture.ledger().await;
    let halted = decisions::keep_limit(storage, run, &mut here, &tally).await;
    let halted = halted.unwrap();
    assert!(
        matches!(halted, Resolution::Decides(DecisionKind::Halt { .. })),
        "{halted:?}"
    );
    let seen = decisions::keep_limit(storage, run, &mut there, &tally).await;
    assert!(matches!(seen.unwrap(), Resolution::IsHalted(_)));
    assert_eq!(fixture.ledger().await.decisions.count, 1);

    resume::decide(storage, run, &mut there, &[], Vec::new())
        .await
        .unwrap();
    let kept = decisions::keep_limit(storage, run, &mut late, &tally).await;
    assert_eq!(
        kept.unwrap(),
        Resolution::Nothing,
        "it was seen and forgiven"
    );
    let decisions = fixture.ledger().await.decisions;
    assert_eq!((decisions.count, decisions.halted), (2, None));
}

#[tokio::test]
async fn a_content_whose_name_no_file_can_have_is_quarantined_at_its_first_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    // A name of ours may be so long, and with its ending no file's.
    let long = "x".repeat(MAX_NAME_BYTES);
    let fixture = Fixture::on(storage, &["a", &long]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    let key = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(1));
    let rows = manifest::read(fixture.storage.read(&key).await.unwrap()).unwrap();
    assert_eq!(rows[0].status, Status::Quarantined);
    assert_eq!(rows[0].error_class, Some(FailureClass::BadInput));
    let reason = rows[0].error.as_deref().unwrap_or_default();
    assert!(
        reason.contains("longer than the file system takes"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_folder_in_the_place_of_an_image_costs_its_item_and_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a", "b"]).await;
    let place = folder.path().join("runs/staged/images/night/a.png");
    std::fs::create_dir_all(&place).unwrap();
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    let key = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(0));
    let rows = manifest::read(fixture.storage.read(&key).await.unwrap()).unwrap();
    let reason = rows[0].error.as_deref().unwrap_or_default();
    assert!(reason.contains("a folder is in its place"), "{reason}");
    assert!(place.is_dir(), "it is left");
}

#[tokio::test(start_paused = true)]
async fn the_record_of_a_failed_attempt_is_sealed_and_one_changed_byte_is_noticed() {
    let fixture = Fixture::of(&["cursed"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let key = ArtifactKey::FailedAttempt(fixture.run.record.run.clone(), ShardId(0), 1);
    let stored = fixture.storage.read(&key).await.unwrap();
    assert_eq!(shared::seal::open(&stored, &key).seal, Seal::Whole);
    let text = String::from_utf8(stored.to_vec()).unwrap();
    let changed = text.replace("\"worker\": \"worker\"", "\"worker\": \"another\"");
    assert_ne!(changed, text);
    let changed = Bytes::from(changed.into_bytes());
    fixture.storage.replace(&key, changed).await.unwrap();
    let failure = fixture.failure(1).await;
    assert!(failure.error.contains("cannot be read"), "{failure:?}");
    assert!(
        failure.error.contains("attempts/000000/1.json"),
        "{failure:?}"
    );
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 3, "it counts");
    let report = coordinator::output::audit::audit(fixture.storage.as_ref(), &fixture.run).await;
    let findings = report.unwrap().findings;
    let is_named = |finding: &String| finding.contains("attempts/000000/1.json");
    assert!(findings.iter().any(is_named), "{findings:?}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_costs_an_attempt_and_its_worker() {
    let fixture = Fixture::of(&["hanging"]).await;
    fixture.publish(None).await;
    let started = tokio::time::Instant::now();
    let error = fixture.work().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Stuck { .. }), "{error}");
    assert!(
        error.to_string().contains("start this worker anew"),
        "{error}"
    );
    let first = WatchdogConfig::default().first;
    assert!((first..2 * first).contains(&started.elapsed()));
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.failed_attempts[&ShardId(0)], [1]);
    assert_eq!(
        fixture.broker.work.depth().await.unwrap().ready,
        1,
        "it was given back"
    );
}

#[tokio::test(start_paused = true)]
async fn what_will_never_work_here_stops_the_worker_and_counts_for_nothing() {
    let fixture = Fixture::of(&["fatal"]).await;
    fixture.publish(None).await;
    let error = fixture.work().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Fatal { .. }), "{error}");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(
        fixture.broker.work.depth().await.unwrap().ready,
        1,
        "it was given back"
    );
}

/// A provider of the contexts of every run but one.
struct Without {
    run: RunId,
    error: fn() -> RunContextError,
    others: FakeContextProvider,
}

#[async_trait]
impl RunContextProvider for Without {
    async fn load(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<RunContext, RunContextError> {
        if run.run == self.run {
            return Err((self.error)());
        }
        self.others.load(run, changed).await
    }

    fn device(&self) -> String {
        self.others.device()
    }
}

impl Fixture {
    fn without_context(&self, error: fn() -> RunContextError) -> Arc<dyn RunContextProvider> {
        Arc::new(Without {
            run: self.run.record.run.clone(),
            error,
            others: FakeContextProvider(Arc::clone(&self.engine)),
        })
    }
}

fn no_model() -> RunContextError {
    RunContextError::Storage(StorageError {
        kind: StorageErrorKind::NotFound,
        operation: "read",
        path: "/models/sd15/model.json".to_owned(),
        source: None,
    })
}

fn altered_model() -> RunContextError {
    RunContextError::Engine(EngineError::Contract(ContractError::Unusable {
        path: "unet/segment_2.data".into(),
        reason: "is truncated or altered".to_owned(),
    }))
}

fn other_model() -> RunContextError {
    RunContextError::OtherModel {
        path: "/models/sd15".to_owned(),
        found: "a".to_owned(),
        planned: "b".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_model_is_of_no_use_fails_with_the_reason_and_its_worker_makes_the_others() {
    type Row = (fn() -> RunContextError, FailureClass, &'static str);
    let errors: [Row; 3] = [
        (no_model, FailureClass::Unworkable, "sd15/model.json"),
        (other_model, FailureClass::Unworkable, "was planned with b"),
        (altered_model, FailureClass::Unworkable, "segment_2.data"),
    ];
    for (error, class, words) in errors {
        let fixture = Fixture::of(&["a"]).await;
        let other = fixture.beside().await;
        fixture.publish(None).await;
        other.publish(None).await;
        let run_contexts = fixture.without_context(error);
        fixture.work_in(run_contexts).await.unwrap();
        assert_eq!(other.states().await, [ShardState::Committed], "{words}");
        assert_eq!(fixture.states().await, [ShardState::Failed { last: 3 }]);
        let failure = fixture.failure(3).await;
        assert_eq!(failure.error_class, class);
        assert!(failure.error.contains(words), "{failure:?}");
        // The collector has nothing to add.
        assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
        fixture.collect().await;
        assert_eq!(fixture.failure(3).await, failure);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_plan_or_decisions_are_damaged_fails_and_its_worker_makes_the_others() {
    for (damages_plan, words) in [
        (true, "its SHA-256 is another one"),
        (false, "is no decision of this version"),
    ] {
        let fixture = Fixture::of(&["a"]).await;
        let other = fixture.beside().await;
        fixture.publish(None).await;
        other.publish(None).await;
        if damages_plan {
            fixture.damage_plan().await;
        } else {
            let key = ArtifactKey::Decision(fixture.run.record.run.clone(), 1);
            let damaged = Bytes::from_static(b"{}");
            fixture.storage.create(&key, damaged).await.unwrap();
        }
        fixture.work().await.unwrap();
        assert_eq!(other.states().await, [ShardState::Committed], "{words}");
        assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
        let failure = fixture.failure(3).await;
        assert_eq!(failure.error_class, FailureClass::Unworkable);
        assert!(failure.error.contains(words), "{failure:?}");
    }
}

/// Whoever can write into the storage root can seal a decision.
#[tokio::test(start_paused = true)]
async fn a_retry_of_what_was_not_planned_is_damage_and_commits_nothing() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let (run, plan) = (&fixture.run.record.run, &fixture.run.plan);
    let what = json!({
        "kind": "resume",
        "reopened": [{"shard": 0, "last_attempt": 1}],
        "forgiven": 0,
        "retried": [{"shard": 0, "revision": 1, "items": {"dawn": ["zz"]}}],
    });
    let decision = json!({"what": what, "at": "2026-01-02T03:04:05Z"});
    let key = ArtifactKey::Decision(run.clone(), 1);
    let decision = Bytes::from(shared::seal::document(&decision, &key));
    fixture.storage.create(&key, decision).await.unwrap();
    let task = ShardTask {
        first_attempt: 2,
        revision: 1,
        ..plan.task(run, &plan.shards[0])
    };
    fixture.broker.work.publish(&[task]).await.unwrap();
    fixture.work().await.unwrap();
    let revision = ArtifactKey::ShardRevision(run.clone(), ShardId(0), 1);
    assert!(!fixture.storage.exists(&revision).await.unwrap());
    let failure = fixture.failure(2).await;
    assert_eq!(failure.error_class, FailureClass::Unworkable);
    let storage = fixture.storage.as_ref();
    let unread = Ledger::read(storage, &fixture.run).await.unwrap_err();
    let audited = audit::audit(storage, &fixture.run).await.unwrap();
    let [finding] = &audited.findings[..] else {
        panic!("{:?}", audited.findings);
    };
    for told in [&failure.error, &chain(&unread), finding] {
        for words in ["decisions/000001.json", "zz in the style of dawn"] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_storage_denies_one_run_alone_fails_that_run() {
    let fixture = Fixture::of(&["denied", "z"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let failed = ShardState::Failed { last: 3 };
    assert_eq!(fixture.states().await, [failed, ShardState::Committed]);
    assert_eq!(fixture.failure(1).await.error_class, FailureClass::Fatal);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_this_process_that_cannot_be_worked_on_ends_with_the_reason() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    let consumer = Consumer {
        run_contexts: fixture.without_context(no_model),
        given: Some(fixture.run.record.clone()),
        ..fixture.consumer(&CancellationToken::new())
    };
    let error = consumer.run().await.unwrap_err();
    assert!(matches!(error, ConsumerError::Fatal { .. }), "{error}");
    assert!(error.to_string().contains("sd15/model.json"), "{error}");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_too_much_fails_is_halted_until_somebody_resumes_it() {
    let mut fixture = Fixture::of(&["bad-1", "bad-2", "a", "b"]).await;
    // The record was stored with another limit, so it is stored anew.
    fixture.storage = Arc::new(MemoryStorage::new());
    fixture.run.record.limits.max_failed = 0.25;
    planned::store(fixture.storage.as_ref(), &fixture.run).await;
    let (bad, good) = fixture.run.plan.shards.split_at(2);
    let task = |shard| fixture.run.plan.task(&fixture.run.record.run, shard);
    let tasks: Vec<_> = bad.iter().map(task).collect();
    fixture.broker.work.publish(&tasks).await.unwrap();
    fixture.work().await.unwrap();
    fixture.collect().await;
    let halted = fixture.ledger().await.decisions.halted.unwrap();
    assert!(halted.contains("2 of 4 items"), "{halted}");
    assert!(halted.contains("limits.max_failed (0.25)"), "{halted}");

    let tasks: Vec<_> = good.iter().map(task).collect();
    fixture.broker.work.publish(&tasks).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(
        fixture.engine.conversions(),
        0,
        "shards of a halted run are dropped"
    );

    fixture.publish(None).await;
    fixture.collect().await;
    assert_eq!(
        fixture.ledger().await.decisions.halted,
        None,
        "it was halted again"
    );
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_kills_its_workers_is_given_up_by_the_broker_and_noted() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    while fixture.broker.work.depth().await.unwrap().dead == 0 {
        let consumer = fixture.consumer(&CancellationToken::new());
        let work = consumer.run();
        // It dies while it converts.
        let _ = tokio::time::timeout(Duration::from_millis(5), work).await;
    }
    assert_eq!(fixture.states().await, [ShardState::Open]);
    fixture.collect().await;
    assert_eq!(fixture.states().await, [ShardState::Failed { last: 3 }]);
    let run = &fixture.run.record.run;
    let failure =
        coordinator::run::ledger::failed_attempt(fixture.storage.as_ref(), run, ShardId(0), 3);
    let failure = failure.await.unwrap();
    assert!(
        failure.error.contains("delivered more than 20 times"),
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn sixty_polite_stops_and_fifteen_deaths_of_its_workers_fail_no_shard() {
    let contents: Vec<String> = (0..80).map(|number| format!("{number:03}")).collect();
    let size = ShardSize {
        contents: contents.len(),
        styles: 1,
    };
    let run = planned::run("staged", &contents, &["night".to_owned()], size);
    let engine = FakeEngine::new(Duration::from_millis(10));
    let fixture = Fixture::of_run(Arc::new(MemoryStorage::new()), run, engine).await;
    fixture.publish(None).await;
    // While it converts.
    let soon = Duration::from_millis(5);
    for turn in 0..75 {
        let drain = CancellationToken::new();
        let consumer = fixture.consumer(&drain);
        if turn % 5 == 4 {
            let died = tokio::time::timeout(soon, consumer.run()).await;
            assert!(died.is_err(), "it ended before: {died:?}");
        } else {
            let stop = async {
                tokio::time::sleep(soon).await;
                drain.cancel();
            };
            let (worked, ()) = tokio::join!(consumer.run(), stop);
            worked.unwrap();
        }
    }
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0));
    assert_eq!(fixture.states().await, [ShardState::Open]);
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_no_shard_of_a_run_here_goes_to_the_dead_letters() {
    let fixture = Fixture::of(&["a"]).await;
    let mut elsewhere = fixture
        .run
        .plan
        .task(&fixture.run.record.run, &fixture.run.plan.shards[0]);
    elsewhere.run = "elsewhere".parse().unwrap();
    fixture.broker.work.publish(&[elsewhere]).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_about_what_was_not_planned_goes_to_the_dead_letters_and_leaves_nothing() {
    let storage = MemoryStorage::new();
    let fixture = Fixture::on(Arc::new(storage.clone()), &["a", "b"]).await;
    let before = storage.snapshot();
    let task = fixture
        .run
        .plan
        .task(&fixture.run.record.run, &fixture.run.plan.shards[0]);
    let of_shard = |shard| ShardTask {
        shard: ShardId(shard),
        ..task.clone()
    };
    let from_attempt = |first_attempt| ShardTask {
        first_attempt,
        ..task.clone()
    };
    let hostile = [
        of_shard(2),
        of_shard(u32::MAX),
        from_attempt(0),
        from_attempt(2),
        from_attempt(u32::MAX),
    ];
    fixture.broker.work.publish(&hostile).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 5);
    assert_eq!(fixture.engine.conversions(), 0);
    assert_eq!(storage.snapshot(), before);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    let is_attempt = |path: &&String| path.contains("/attempts/");
    assert_eq!(storage.snapshot().keys().find(is_attempt), None);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_changed_or_is_another_ones_is_worked_on_by_nobody() {
    let changes: [fn(&mut serde_json::Value); 3] = [
        |record| record["frozen"]["method"]["seed"] = 43.into(),
        |record| record["run"] = "other".into(),
        |record| record["format_version"] = 3.into(),
    ];
    for change in changes {
        let fixture = Fixture::of(&["a"]).await;
        let mut record = serde_json::to_value(&fixture.run.record).unwrap();
        change(&mut record);
        let key = ArtifactKey::RunRecord(fixture.run.record.run.clone());
        let json = Bytes::from(serde_json::to_vec(&record).unwrap());
        fixture.storage.replace(&key, json).await.unwrap();
        fixture.publish(None).await;
        fixture.work().await.unwrap();
        assert_eq!(
            fixture.broker.work.depth().await.unwrap().dead,
            1,
            "{record}"
        );
        assert_eq!(fixture.engine.conversions(), 0, "{record}");
    }
}

#[tokio::test]
async fn a_plan_whose_names_lead_elsewhere_writes_nothing_outside_the_storage_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let storage = Arc::new(LocalStorage::new(&root));
    let fixture = Fixture::on(storage, &["../../../../elsewhere"]).await;
    fixture.publish(None).await;
    let drain = CancellationToken::new();
    let mut consumer = fixture.consumer(&drain);
    consumer.pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(1));
    let stop = async {
        fixture.broker.work.drained().await;
        drain.cancel();
    };
    let (worked, ()) = tokio::join!(consumer.run(), stop);
    worked.unwrap();
    let outside = std::fs::read_dir(folder.path()).unwrap();
    let outside: Vec<_> = outside.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["root"]);
    assert_eq!(fixture.engine.conversions(), 0);
    assert_eq!(fixture.states().await, [ShardState::Failed { last: 3 }]);
    let failure = fixture.failure(1).await;
    assert_eq!(failure.error_class, FailureClass::Unworkable);
    assert!(failure.error.contains("elsewhere"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_read_once_for_all_the_shards_of_its_run() {
    let fixture = Fixture::of(&["a", "b"]).await;
    fixture.publish(None).await;
    // While the first is converted.
    let damage = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        fixture.damage_plan().await;
    };
    let (worked, ()) = tokio::join!(fixture.work(), damage);
    worked.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_root_is_not_mounted_takes_no_shards_and_leaves_with_the_reason() {
    let fixture = Fixture::of(&["a", "b"]).await;
    fixture.publish(None).await;
    // What an attempt stored in the folder where the root was mounted is no run.
    let folder = Arc::new(MemoryStorage::new());
    let item = ItemId {
        style: "fog".to_owned(),
        content: "a".to_owned(),
    };
    let image = ArtifactKey::Image(fixture.run.record.run.clone(), item);
    folder.create(&image, "an image".into()).await.unwrap();
    let unmounted = fixture.seen_in(folder);
    let started = tokio::time::Instant::now();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead, depth.consumers), (2, 0, 0));
    };
    let (ended, ()) = tokio::join!(unmounted.work(), meanwhile);
    let error = ended.unwrap_err();
    assert!(matches!(error, ConsumerError::NoRun { .. }), "{error}");
    let told = error.to_string();
    for words in [
        "no run staged",
        "runs/staged/run.json is not there",
        "is it the root that `launch` used?",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    assert!(started.elapsed() >= Duration::from_secs(600));

    // It has cost the run nothing.
    fixture.collect().await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed; 2]);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_goes_on_when_its_root_is_mounted_again() {
    let fixture = Fixture::of(&["a", "b"]).await;
    fixture.publish(None).await;
    let root = MemoryStorage::new();
    let worker = fixture.seen_in(Arc::new(root.clone()));
    let mount = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        planned::store(&root, &fixture.run).await;
    };
    let (worked, ()) = tokio::join!(worker.work(), mount);
    worked.unwrap();
    assert_eq!(worker.states().await, [ShardState::Committed; 2]);
    assert_eq!(worker.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_its_root_stops_when_it_is_told_to() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    let unmounted = fixture.seen_in(Arc::new(MemoryStorage::new()));
    let drain = CancellationToken::new();
    let consumer = unmounted.consumer(&drain);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drain.cancel();
    };
    let (worked, ()) = tokio::join!(consumer.run(), stop);
    worked.unwrap();
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_root_has_other_runs_alone_leaves_and_fails_nothing() {
    let fixture = Fixture::of(&["a", "b", "c"]).await;
    fixture.publish(None).await;
    let wrong = MemoryStorage::new();
    let other = planned::run("other", &["b".to_owned()], &["night".to_owned()], ONE);
    planned::store(&wrong, &other).await;
    let wrong = fixture.seen_in(Arc::new(wrong));
    let consumer = wrong.consumer(&CancellationToken::new());
    let collector = fixture.collector();
    let ended = tokio::select! {
        ended = consumer.run() => ended,
        () = collector.run() => panic!("the collector stopped"),
    };
    let error = ended.unwrap_err();
    assert!(matches!(error, ConsumerError::NoRun { .. }), "{error}");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(fixture.states().await, [ShardState::Open; 3]);
    fixture.work_until_committed().await;
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_a_removed_run_end_and_its_workers_make_the_others() {
    let fixture = Fixture::of(&["a"]).await;
    let names: Vec<String> = (0..50).map(|number| format!("{number:03}")).collect();
    let removed = planned::run("removed", &names, &["night".to_owned()], ONE);
    let removed = Fixture {
        run: removed,
        ..fixture.seen_in(Arc::clone(&fixture.storage))
    };
    fixture.broker.work.publish(&removed.tasks()).await.unwrap();
    fixture.publish(None).await;
    let started = tokio::time::Instant::now();
    fixture.work().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(900));
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 50);
    fixture.collect().await;
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_damaged_for_a_while_costs_its_run_nothing() {
    for minutes in [1_u32, 30] {
        let fixture = Fixture::of(&["a", "b"]).await;
        let other = fixture.beside().await;
        let key = ArtifactKey::RunRecord(fixture.run.record.run.clone());
        let whole = fixture.storage.read(&key).await.unwrap();
        let cut = whole.slice(..whole.len() - 40);
        fixture.storage.replace(&key, cut).await.unwrap();
        fixture.publish(None).await;
        other.publish(None).await;
        let mend = async {
            tokio::time::sleep(minutes * Duration::from_secs(60)).await;
            assert_eq!(other.states().await, [ShardState::Committed], "{minutes}");
            fixture.storage.replace(&key, whole.clone()).await.unwrap();
        };
        tokio::join!(fixture.work_until_committed(), mend);
        assert_eq!(fixture.ledger().await.num_failed_attempts(), 0, "{minutes}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_committed_where_its_root_was_mounted_is_not_taken_for_done() {
    let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
    let fixture = Fixture::on(Arc::clone(&storage) as Arc<dyn Storage>, &["a"]).await;
    fixture.publish(None).await;
    let drain = CancellationToken::new();
    let consumer = fixture.consumer(&drain);
    let stop = async {
        // While it converts.
        tokio::time::sleep(Duration::from_millis(5)).await;
        storage.take(&ArtifactKey::RunRecord(fixture.run.record.run.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        drain.cancel();
    };
    let (worked, ()) = tokio::join!(consumer.run(), stop);
    worked.unwrap();
    assert_eq!(fixture.engine.conversions(), 1);
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0), "its message is there");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_given_up_again_and_again_is_published_ever_later() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    let collector = fixture.collector();
    let mut deliveries = fixture.broker.work.consume().await.unwrap();
    let mut given_up = 0;
    let give_up = async {
        while let Ok(delivery) = deliveries.next().await {
            given_up += 1;
            delivery.settle(Settlement::Reject).await.unwrap();
        }
    };
    let an_hour = tokio::time::sleep(Duration::from_secs(3600));
    tokio::select! {
        () = an_hour => {}
        () = collector.run() => panic!("the collector stopped"),
        () = give_up => {}
    }
    assert!((8..=16).contains(&given_up), "{given_up} times in an hour");
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_a_run_that_cannot_be_read_waits_and_holds_up_no_other() {
    let fixture = Fixture::of(&["a"]).await;
    let other = fixture.beside().await;
    let key = ArtifactKey::RunRecord(fixture.run.record.run.clone());
    let whole = fixture.storage.read(&key).await.unwrap();
    let damaged = Bytes::from_static(b"{}");
    fixture.storage.replace(&key, damaged).await.unwrap();
    fixture.broker.work.publish(&fixture.tasks()).await.unwrap();
    other.publish(None).await;
    fixture
        .broker
        .work
        .give_up_waiting(DeadLetterReason::Rejected);
    let collector = fixture.collector();
    let mend = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let ready = fixture.broker.work.depth().await.unwrap().ready;
        assert_eq!(ready, 1, "that of the other run");
        fixture.storage.replace(&key, whole).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::select! {
        () = mend => {}
        () = collector.run() => panic!("the collector stopped"),
    }
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_waits_while_the_storage_root_has_no_run() {
    let fixture = Fixture::of(&["a"]).await;
    fixture.publish(None).await;
    fixture
        .broker
        .work
        .give_up_waiting(DeadLetterReason::Rejected);
    let root = MemoryStorage::new();
    let collecting = fixture.seen_in(Arc::new(root.clone()));
    collecting.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 1);
    planned::store(&root, &fixture.run).await;
    collecting.collect().await;
    let depth = fixture.broker.work.depth().await.unwrap();
    assert_eq!((depth.ready, depth.dead), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn numbers_that_no_attempt_has_stop_nobody_and_count_for_nothing() {
    let fixture = Fixture::of(&["a"]).await;
    let key =
        |number| ArtifactKey::FailedAttempt(fixture.run.record.run.clone(), ShardId(0), number);
    for number in [MAX_ATTEMPT + 1, u32::MAX] {
        fixture
            .storage
            .create(&key(number), Bytes::new())
            .await
            .unwrap();
    }
    let task = fixture.tasks().remove(0);
    let hostile = [MAX_ATTEMPT, MAX_ATTEMPT + 1, u32::MAX].map(|first_attempt| ShardTask {
        first_attempt,
        ..task.clone()
    });
    fixture.broker.work.publish(&hostile).await.unwrap();
    fixture.broker.work.publish(&[task]).await.unwrap();
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 3);
    fixture.collect().await;
    assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_whose_shard_nobody_tried_is_published_again_and_fails_nothing() {
    // By a policy of the broker, and for no reason that is known.
    for reason in [
        DeadLetterReason::Expired,
        DeadLetterReason::Dropped,
        DeadLetterReason::Rejected,
        DeadLetterReason::Unexplained,
    ] {
        let fixture = Fixture::of(&["a", "b", "c"]).await;
        fixture.publish(None).await;
        fixture.broker.work.give_up_waiting(reason);
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead), (0, 3));
        fixture.collect().await;
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead), (3, 0), "{reason:?}");
        assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
        fixture.work().await.unwrap();
        assert_eq!(fixture.states().await, [ShardState::Committed; 3]);

        // What was made meanwhile is not asked for again.
        fixture.broker.work.publish(&fixture.tasks()).await.unwrap();
        fixture.broker.work.give_up_waiting(reason);
        fixture.collect().await;
        let depth = fixture.broker.work.depth().await.unwrap();
        assert_eq!((depth.ready, depth.dead), (0, 0), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_stops_at_the_next_item() {
    let mut fixture = Fixture::of(&["a", "b"]).await;
    fixture.engine = FakeEngine::new(Duration::from_secs(60));
    fixture.publish(None).await;
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let mut ledger = fixture.ledger().await;
        let halt = DecisionKind::Halt {
            reason: "cancelled".to_owned(),
        };
        let run = &fixture.run.record.run;
        let storage = fixture.storage.as_ref();
        ledger
            .decisions
            .decide_next(storage, run, Decision::made(halt, &SystemClock))
            .await
            .unwrap();
    };
    let (worked, ()) = tokio::join!(fixture.work(), cancel);
    worked.unwrap();
    // The first was in hand, and is kept; the second was dropped.
    assert_eq!(fixture.engine.conversions(), 1);
    assert_eq!(fixture.states().await[1], ShardState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_a_shard_stops_when_it_is_asked_to() {
    let fixture = Fixture::of(&["a"]).await;
    let drain = CancellationToken::new();
    let consumer = fixture.consumer(&drain);
    let mut events = fixture.broker.events.subscribe().await;
    let work = tokio::spawn(async move { consumer.run().await });
    while !fixture
        .broker
        .control
        .send("worker", ControlRequest::Drain)
        .await
        .unwrap()
    {
        tokio::task::yield_now().await;
    }
    work.await.unwrap().unwrap();
    assert!(drain.is_cancelled());
    let stopped = EventKind::WorkerStopped {
        reason: "it was asked to".to_owned(),
    };
    while events.next().await.unwrap().kind != stopped {}
}

#[tokio::test]
async fn an_image_of_a_committed_shard_that_is_gone_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a", "b"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let image = folder.path().join("runs/staged/images/night/b.png");
    let before = std::fs::read(&image).unwrap();
    std::fs::remove_file(&image).unwrap();

    let redo = fixture.publish(Some(Only::Missing)).await;
    let gone = Gone {
        num_items: 1,
        paths: ["runs/staged/images/night/b.png".to_owned()].into(),
        ..Gone::default()
    };
    assert_eq!(redo[0].why, Why::ArtifactsMissing(gone));
    assert_eq!(redo.len(), 1);
    fixture.work().await.unwrap();
    assert_eq!(std::fs::read(&image).unwrap(), before);
    let report = audit::audit(fixture.storage.as_ref(), &fixture.run)
        .await
        .unwrap();
    assert_eq!(report.findings, [""; 0]);
}

#[tokio::test]
async fn a_damaged_image_fails_its_shard_and_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::new(folder.path()));
    let fixture = Fixture::on(storage, &["a"]).await;
    let key = ArtifactKey::Image(
        fixture.run.record.run.clone(),
        fixture.run.plan.item((0, 0)),
    );
    let damaged = Bytes::from_static(b"half an image");
    fixture.storage.create(&key, damaged).await.unwrap();
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let run = &fixture.run.record.run;
    let failure =
        coordinator::run::ledger::failed_attempt(fixture.storage.as_ref(), run, ShardId(0), 1);
    let failure = failure.await.unwrap();
    assert!(failure.error.contains("night/a.png"), "{failure:?}");
    assert!(failure.error.contains("other bytes"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn what_did_not_fit_at_once_is_made_in_parts_and_not_tried_at_once_again() {
    let fixture = Fixture::that_fits(2).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    assert_eq!(fixture.engine.passes(), [5, 2, 2, 1, 2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_shard_of_which_no_single_output_fits_is_given_up() {
    let fixture = Fixture::that_fits(0).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Failed { last: 3 }]);
    assert_eq!(fixture.engine.passes(), [5, 2, 1, 1, 1]);
}

/// A run of some contents in some styles, all of it one shard.
async fn shard_of(contents: &[&str], styles: &[&str]) -> Fixture {
    let named = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let size = ShardSize {
        contents: contents.len(),
        styles: styles.len(),
    };
    let run = planned::run("staged", &named(contents), &named(styles), size);
    let engine = FakeEngine::new(Duration::ZERO);
    Fixture::of_run(Arc::new(MemoryStorage::new()), run, engine).await
}

impl Fixture {
    /// The rows of the only shard, and what is stored of images and labels.
    async fn committed(&self) -> (Vec<ManifestRow>, Vec<String>) {
        let run = &self.run.record.run;
        let key = ArtifactKey::Shard(run.clone(), ShardId(0));
        let bytes = self.storage.read(&key).await.unwrap();
        let rows = manifest::read_with_features(bytes).unwrap();
        let mut stored = Vec::new();
        for prefix in [
            ArtifactPrefix::Images(run.clone()),
            ArtifactPrefix::Labels(run.clone()),
        ] {
            let pages: Vec<_> = self.storage.list(&prefix).try_collect().await.unwrap();
            stored.extend(pages.into_iter().flatten().map(|object| object.path));
        }
        (rows, stored)
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_not_finite_cost_the_items_that_depend_on_them_and_leave_nothing_stored() {
    let fixture = shard_of(
        &["a", "broken-1", "z"],
        &["broken-2", "night", "overflowing"],
    )
    .await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    assert_eq!(fixture.states().await, [ShardState::Committed]);
    let (rows, stored) = fixture.committed().await;
    assert_eq!(rows.len(), 9);
    for row in &rows {
        let item = (row.item.content.as_str(), row.item.style.as_str());
        let expected = match item {
            ("a" | "z", "night") => {
                assert_eq!(row.status, Status::Done, "{row:?}");
                continue;
            }
            (_, "broken-2") => "style broken-2: ",
            ("broken-1", _) => "content broken-1: ",
            (_, _) => "the output of content ",
        };
        assert_eq!(row.status, Status::Quarantined, "{row:?}");
        assert_eq!(row.error_class, Some(FailureClass::BadOutput));
        assert!(row.output.is_none() && row.quality.is_none());
        let reason = row.error.as_deref().unwrap();
        assert!(reason.starts_with(expected), "{reason}");
        assert!(
            reason.contains("step 3 (timestep 421) has 1 of 4"),
            "{reason}"
        );
        assert!(reason.ends_with("no cure"), "{reason}");
    }
    let kept = ["images/night/a", "images/night/z", "labels/a", "labels/z"];
    assert_eq!(stored, kept.map(|path| format!("runs/staged/{path}.png")));
    // What was made took the whole of the work.
    let evaluations: f64 = rows
        .iter()
        .filter_map(|row| row.work)
        .map(|w| w.unet_evaluations)
        .sum();
    assert_eq!(evaluations, 4.0);
    let report = audit::audit(fixture.storage.as_ref(), &fixture.run)
        .await
        .unwrap();
    assert_eq!(report.findings, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn figures_that_are_not_finite_are_in_no_row_and_said_in_a_warning() {
    let fixture = shard_of(&["a", "uncertain", "unjudged"], &["night"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let (rows, stored) = fixture.committed().await;
    let [whole, uncertain, unjudged] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(whole.warning, None);
    assert!(whole.quality.as_ref().unwrap().features.is_some());
    // An image whose similarity to its content is no number is none.
    assert_eq!(uncertain.status, Status::Quarantined);
    assert_eq!(uncertain.error_class, Some(FailureClass::BadOutput));
    assert!(
        !stored.iter().any(|path| path.contains("uncertain")),
        "{stored:?}"
    );
    // What a network makes of an image says nothing against the image.
    assert_eq!(unjudged.status, Status::Done);
    assert_eq!(unjudged.warning_kinds, [WarningKind::NotEvaluated]);
    let quality = unjudged.quality.as_ref().unwrap();
    assert_eq!(quality.figures[ItemMetric::Lpips], None);
    assert_eq!(quality.features, None);

    // An attempt that finds the images stored says the same of them.
    let shard = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(0));
    let again = shard_of(&["a", "uncertain", "unjudged"], &["night"]).await;
    for path in &stored {
        let mut parts = path.rsplit('/');
        let content = parts.next().unwrap().trim_end_matches(".png");
        let style = parts.next().unwrap();
        if style != "labels" {
            let item = ItemId {
                style: style.to_owned(),
                content: content.to_owned(),
            };
            let key = ArtifactKey::Image(again.run.record.run.clone(), item);
            let image = fixture.storage.read(&key).await.unwrap();
            again.storage.create(&key, image).await.unwrap();
        }
    }
    let noted = ArtifactKey::Making(fixture.run.record.run.clone(), ShardId(0));
    let note = fixture.storage.read(&noted).await.unwrap();
    again.storage.replace(&noted, note).await.unwrap();
    again.publish(None).await;
    again.work().await.unwrap();
    assert_eq!(again.engine.conversions(), 1, "of the uncertain one alone");
    assert!(again.storage.exists(&shard).await.unwrap());
    let (found, _) = again.committed().await;
    for (row, found) in rows.iter().zip(&found) {
        assert_eq!(
            (&row.warning, &row.quality),
            (&found.warning, &found.quality)
        );
    }
}

#[tokio::test]
async fn a_shard_that_another_worker_committed_survives_before_its_message_goes() {
    let folder = tempfile::tempdir().unwrap();
    let other = Fixture::on(Arc::new(LocalStorage::new(folder.path())), &["a"]).await;
    other.publish(None).await;
    other.work().await.unwrap();

    let recorder = Recorder::new(folder.path());
    let fixture = Fixture {
        storage: Arc::new(recorder.storage()),
        broker: InProcessBroker::new(),
        run: other.run.clone(),
        engine: Arc::clone(&other.engine),
    };
    let plan = &fixture.run.plan;
    let task = plan.task(&fixture.run.record.run, &plan.shards[0]);
    fixture.broker.work.publish(&[task]).await.unwrap();
    fixture.work().await.unwrap();
    let shards = Path::new("runs/staged/shards");
    let is_synced =
        |record: &Record| matches!(record, Record::NamesSynced(path, _) if path == shards);
    assert!(recorder.records().iter().any(is_synced));
}

#[tokio::test(start_paused = true)]
async fn what_two_people_retry_at_once_is_decided_once() {
    let fixture = Fixture::of(&["cursed"]).await;
    fixture.publish(None).await;
    fixture.work().await.unwrap();
    let storage = fixture.storage.as_ref();
    let choice = Choice {
        only: Some(Only::Failed),
        ..Choice::default()
    };
    // Both have looked before either decides.
    let mut decided = Vec::new();
    for mut ledger in [fixture.ledger().await, fixture.ledger().await] {
        let redo = resume::find(storage, &fixture.run, &ledger, &choice).await;
        let redo = redo.unwrap();
        assert_eq!(redo.len(), 1);
        decided.push(resume::decide(storage, &fixture.run, &mut ledger, &redo, Vec::new()).await);
    }
    assert!(decided[0].is_ok());
    let is_told = matches!(
        decided[1],
        Err(ResumeError::Decision(DecisionError::Meanwhile { .. }))
    );
    assert!(is_told, "{decided:?}");
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.decisions.count, 1);
    assert_eq!(ledger.state(ShardId(0), 3), ShardState::Open);
}

//! Inputs, models and networks that go away: they are waited for and cost nothing, and nothing of them is ever taken for a
//! bad input.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::{Ledger, ShardState};
use engine::EngineError;
use futures::StreamExt;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::clock::SystemClock;
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::{RunId, ShardId};
use shared::location::Location;
use shared::manifest::Status;
use shared::model::ContractError;
use shared::network::{FEATURES_FILE, NetworkContract};
use shared::queue::message::EventKind;
use shared::queue::{EventBus, InProcessBroker, WorkQueue};
use shared::run_record::RunRecord;
use shared::settings::{EngineConfig, ShardSize, WatchdogConfig};
use shared::storage::{Created, MemoryStorage, Pages, Storage, StorageError, StorageErrorKind};
use tests::changed_model::ChangedModel;
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::program::Running;
use tests::project::{Project, STYLES};
use tests::{planned, stored};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use worker::attempt::{InputKind, Inputs, LoadedInput, Progress, RunContext, Unusable};
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::{EngineContextProvider, RunContextError, RunContextProvider};

/// A run of one shard, of which one content can be away, and a worker.
struct Fixture {
    storage: Arc<dyn Storage>,
    broker: InProcessBroker,
    run: FrozenRun,
    engine: Arc<FakeEngine>,
    drain: CancellationToken,
}

impl Fixture {
    async fn new() -> Self {
        Self::of_patience(600).await
    }

    /// A run that waits so many seconds for what is away.
    async fn of_patience(seconds: u64) -> Self {
        let size = ShardSize {
            contents: 2,
            styles: 1,
        };
        let contents = ["a", "away"].map(str::to_owned);
        let mut run = planned::run("staged", &contents, &["night".to_owned()], size);
        run.record.limits.input_patience_seconds = seconds;
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        planned::store(storage.as_ref(), &run).await;
        let engine = FakeEngine::new(Duration::from_millis(10));
        engine.take_away(true);
        let broker = InProcessBroker::new();
        let task = run.plan.task(&run.record.run, &run.plan.shards[0]);
        broker.work.publish(&[task]).await.unwrap();
        Self {
            storage,
            broker,
            run,
            engine,
            drain: CancellationToken::new(),
        }
    }

    fn consumer(&self) -> Consumer {
        Consumer {
            name: "worker".to_owned(),
            storage: Arc::clone(&self.storage),
            broker: self.broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&self.engine))),
            watchdog: WatchdogConfig {
                times_usual: 2.0,
                min: Duration::from_secs(2),
                first: Duration::from_secs(2),
            },
            pauses: ExponentialBuilder::default(),
            drain: self.drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
        }
    }

    async fn work(&self) -> Result<(), ConsumerError> {
        self.consumer().run().await
    }

    async fn work_until_drained(&self) {
        self.has_worked_until_drained(self.consumer()).await;
    }

    async fn has_worked_until_drained(&self, consumer: Consumer) {
        let stop = async {
            self.broker.work.drained().await;
            self.drain.cancel();
        };
        let (worked, ()) = tokio::join!(consumer.run(), stop);
        worked.unwrap();
    }

    async fn after(&self, seconds: u64, what: impl FnOnce()) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        what();
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    async fn done(&self) -> usize {
        let ledger = self.ledger().await;
        let rows = ledger.shard_rows(self.storage.as_ref(), &self.run, ShardId(0));
        let rows = rows.await.unwrap();
        rows.iter().filter(|row| row.status == Status::Done).count()
    }
}

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
    let size = ShardSize {
        contents: 1,
        styles: 1,
    };
    let other = planned::run("other", &["b".to_owned()], &["night".to_owned()], size);
    planned::store(fixture.storage.as_ref(), &other).await;
    let task = other.plan.task(&other.record.run, &other.plan.shards[0]);
    fixture.broker.work.publish(&[task]).await.unwrap();
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

/// A provider of run contexts to which the model of one run may be away.
struct WithoutModel {
    run: RunId,
    is_away: AtomicBool,
    error: fn() -> RunContextError,
    others: FakeContextProvider,
}

#[async_trait]
impl RunContextProvider for WithoutModel {
    async fn load(
        &self,
        run: &RunRecord,
        changed: &ChangedInputs,
    ) -> Result<RunContext, RunContextError> {
        if run.run == self.run && self.is_away.load(Ordering::Relaxed) {
            return Err((self.error)());
        }
        self.others.load(run, changed).await
    }

    fn device(&self) -> String {
        self.others.device()
    }
}

impl Fixture {
    fn without_model(&self, error: fn() -> RunContextError) -> Arc<WithoutModel> {
        self.engine.take_away(false);
        Arc::new(WithoutModel {
            run: self.run.record.run.clone(),
            is_away: AtomicBool::new(true),
            error,
            others: FakeContextProvider(Arc::clone(&self.engine)),
        })
    }
}

fn cannot_read(kind: StorageErrorKind) -> RunContextError {
    RunContextError::Storage(StorageError {
        kind,
        operation: "read",
        path: "s3://models/sd15/model.json".to_owned(),
        source: None,
    })
}

/// What is said of a model that is away.
const AWAY: [fn() -> RunContextError; 4] = [
    || cannot_read(StorageErrorKind::Unavailable),
    || cannot_read(StorageErrorKind::Denied),
    || RunContextError::NothingThere("s3://models/sd15".to_owned()),
    || {
        RunContextError::Engine(EngineError::Contract(ContractError::Away {
            path: "/models/sd15/model.json".into(),
            source: ErrorKind::NotFound.into(),
        }))
    },
];

/// Counts how often a shard is taken up.
#[derive(Default)]
struct TakenUp(AtomicUsize);

impl Progress for TakenUp {
    fn shard_started(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_away_for_minutes_is_waited_for_and_costs_no_attempt() {
    for error in AWAY {
        let fixture = Fixture::new().await;
        let (run_contexts, taken_up) = (fixture.without_model(error), Arc::<TakenUp>::default());
        let consumer = Consumer {
            run_contexts: Arc::clone(&run_contexts) as Arc<dyn RunContextProvider>,
            progress: Arc::clone(&taken_up) as Arc<dyn Progress>,
            ..fixture.consumer()
        };
        let back = fixture.after(400, || run_contexts.is_away.store(false, Ordering::Relaxed));
        tokio::join!(fixture.has_worked_until_drained(consumer), back);
        assert_eq!(fixture.done().await, 2, "{}", error());
        assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
        assert_eq!(taken_up.0.load(Ordering::Relaxed), 1, "{}", error());
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stays_away_sends_its_shard_back_uncounted_and_the_worker_makes_other_runs() {
    for error in AWAY {
        let fixture = Fixture::new().await;
        let size = ShardSize {
            contents: 1,
            styles: 1,
        };
        let other = planned::run("other", &["b".to_owned()], &["night".to_owned()], size);
        planned::store(fixture.storage.as_ref(), &other).await;
        let task = other.plan.task(&other.record.run, &other.plan.shards[0]);
        fixture.broker.work.publish(&[task]).await.unwrap();
        let run_contexts = fixture.without_model(error);
        let consumer = Consumer {
            run_contexts: Arc::clone(&run_contexts) as Arc<dyn RunContextProvider>,
            ..fixture.consumer()
        };
        let back = async {
            tokio::time::sleep(Duration::from_secs(700)).await;
            let of_other = Ledger::read(fixture.storage.as_ref(), &other)
                .await
                .unwrap();
            assert_eq!(of_other.state(ShardId(0), 3), ShardState::Committed);
            fixture
                .after(2500, || {
                    run_contexts.is_away.store(false, Ordering::Relaxed)
                })
                .await;
        };
        tokio::join!(fixture.has_worked_until_drained(consumer), back);
        assert_eq!(fixture.done().await, 2, "{}", error());
        assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
        assert_eq!(fixture.broker.work.depth().await.unwrap().dead, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stays_away_ends_a_run_in_this_process_with_what_it_waited_for() {
    for error in AWAY {
        let fixture = Fixture::new().await;
        let consumer = Consumer {
            run_contexts: fixture.without_model(error),
            given: Some(fixture.run.record.clone()),
            ..fixture.consumer()
        };
        let ended = consumer.run().await.unwrap_err();
        assert!(matches!(ended, ConsumerError::Fatal { .. }), "{ended}");
        let told = ended.to_string();
        for words in ["models/sd15", "limits.input_patience_seconds"] {
            assert!(told.contains(words), "no {words:?}: {told}");
        }
        assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    }
}

/// Storage that does not answer for some time.
#[derive(Debug)]
struct Unanswering {
    storage: Arc<dyn Storage>,
    answers_from: Instant,
}

impl Unanswering {
    fn check(&self, operation: &'static str, key: &ArtifactKey) -> Result<(), StorageError> {
        if Instant::now() >= self.answers_from {
            return Ok(());
        }
        Err(StorageError {
            kind: StorageErrorKind::Unavailable,
            operation,
            path: self.locate(key),
            source: None,
        })
    }
}

#[async_trait]
impl Storage for Unanswering {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        self.check("create", key)?;
        self.storage.create(key, bytes).await
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        self.check("write", key)?;
        self.storage.replace(key, bytes).await
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        self.check("write", key)?;
        self.storage.replace_from_file(key, file).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.check("read", key)?;
        self.storage.read(key).await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        self.check("look for", key)?;
        self.storage.exists(key).await
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        self.storage.list(prefix)
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        self.storage.runs().await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        self.storage.check_writable().await
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.storage.locate(key)
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_which_storage_did_not_answer_is_none_in_which_a_model_was_away() {
    let fixture = Fixture::new().await;
    let run_contexts = fixture.without_model(AWAY[0]);
    let taken_up = Arc::<TakenUp>::default();
    let storage = Unanswering {
        storage: Arc::clone(&fixture.storage),
        answers_from: Instant::now() + Duration::from_secs(700),
    };
    let consumer = Consumer {
        storage: Arc::new(storage),
        run_contexts: Arc::clone(&run_contexts) as Arc<dyn RunContextProvider>,
        progress: Arc::clone(&taken_up) as Arc<dyn Progress>,
        ..fixture.consumer()
    };
    let back = fixture.after(800, || run_contexts.is_away.store(false, Ordering::Relaxed));
    tokio::join!(fixture.has_worked_until_drained(consumer), back);
    assert_eq!(fixture.done().await, 2);
    assert_eq!(fixture.ledger().await.num_failed_attempts(), 0);
    assert_eq!(taken_up.0.load(Ordering::Relaxed), 1, "it was given back");
}

/// Inputs of a share that takes its time for each answer, the first of which is a refusal.
struct SlowShare {
    others: Arc<dyn Inputs>,
    has_refused: Arc<AtomicBool>,
}

#[async_trait]
impl Inputs for SlowShare {
    async fn load(&self, kind: InputKind, listing: &DatasetEntry) -> Result<LoadedInput, Unusable> {
        tokio::time::sleep(Duration::from_secs(20)).await;
        if !self.has_refused.swap(true, Ordering::Relaxed) {
            return Err(Unusable::Away("the share was busy".to_owned()));
        }
        self.others.load(kind, listing).await
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

#[tokio::test]
async fn a_model_whose_folder_is_away_is_told_from_one_of_which_a_file_is_missing_or_damaged() {
    let model = ChangedModel::with_data("unet/segment_3", |_| {});
    let folder = model.folder();
    let size = ShardSize {
        contents: 1,
        styles: 1,
    };
    let mut run = planned::run("staged", &["a".to_owned()], &["night".to_owned()], size);
    run.record.inputs.model = Location::Folder(folder.clone());
    let contract = fs::read(folder.join("model.json")).unwrap();
    run.record.frozen.model.sha256 = digest::sha256(&contract);
    let config = EngineConfig {
        threads: 1,
        ..EngineConfig::default()
    };
    let run_contexts = EngineContextProvider::new(config, 0);
    let nothing_changed = ChangedInputs::default();
    let open = async || run_contexts.load(&run.record, &nothing_changed).await.err();
    let is_away = async || open().await.unwrap().is_away();

    let aside = folder.with_extension("aside");
    fs::rename(&folder, &aside).unwrap();
    assert!(is_away().await, "there is no folder");
    fs::create_dir(&folder).unwrap();
    assert!(is_away().await, "nothing is mounted there");
    let network = NetworkContract::load(&folder, FEATURES_FILE).unwrap_err();
    assert!(network.is_away(), "{network}");
    fs::remove_dir(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    let network = NetworkContract::load(&folder, FEATURES_FILE).unwrap_err();
    assert!(!network.is_away(), "another thing lies there: {network}");

    let segment = folder.join("unet/segment_3.data");
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[1..]).unwrap();
    let damaged = open().await.unwrap();
    fs::remove_file(&segment).unwrap();
    let missing = open().await.unwrap();
    for error in [damaged, missing] {
        assert_eq!(error.class(), FailureClass::Unworkable, "{error}");
        assert!(!error.is_away(), "{error}");
        assert!(error.to_string().contains("segment_3.data"), "{error}");
    }
    fs::write(&segment, &bytes).unwrap();
    assert!(open().await.is_none(), "it is whole again");
}

/// Starts a run of five contents and waits until the first image is there: the others are still to be read.
fn started(project: &Project) -> Running {
    let mut running = Running::start(&mut project.run_command());
    let first = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    assert!(running.wait_until(|| first.exists()));
    running
}

#[test]
fn a_dataset_that_is_away_for_a_moment_of_a_run_costs_nothing() {
    let project = Project::new(5, 1);
    let log = project.path("log");
    let mut running = Running::start_into(&mut project.run_command(), &log);
    let first = project.stored(&format!("images/{}/00001.png", STYLES[0]));
    assert!(running.wait_until(|| first.exists()));
    let (there, aside) = (project.path("gta5"), project.path("aside"));
    fs::rename(&there, &aside).unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let waits = running.wait_until(|| said().contains("an input is away"));
    fs::rename(&aside, &there).unwrap();
    let _ = running.end().exits(0);
    assert!(waits, "it went on: {}", said());
    assert!(said().contains("5 of 5 images done"), "{}", said());
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_dataset_that_stays_away_ends_a_run_with_3_and_running_again_goes_on() {
    for folder in ["gta5", "gta5/labels"] {
        let mut project = Project::new(5, 1);
        project.set("limits.input_patience_seconds", 1);
        let running = started(&project);
        let (there, aside) = (project.path(folder), project.path("aside"));
        fs::rename(&there, &aside).unwrap();
        let outcome = running.end().exits(3);
        outcome.complains_about(&[
            "is the dataset mounted?",
            "limits.input_patience_seconds",
            "run again to go on",
        ]);
        assert!(!project.stored("shards/000000.parquet").exists());
        fs::rename(&aside, &there).unwrap();
        let outcome = project.run().exits(0);
        assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
        let _ = project.about_run(&["audit"]).exits(0);
    }
}

#[test]
fn a_dataset_that_comes_back_elsewhere_is_read_where_the_settings_at_hand_say() {
    let mut project = Project::new(5, 1);
    project.set("limits.input_patience_seconds", 1);
    let running = started(&project);
    let elsewhere = project.path("elsewhere");
    fs::rename(project.path("gta5"), &elsewhere).unwrap();
    let _ = running.end().exits(3);
    project.set("content.root", elsewhere.display().to_string());
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
    let _ = project.about_run(&["audit"]).exits(0);
}

#[test]
fn a_dataset_that_is_away_at_the_start_of_a_planned_run_is_no_fault_of_its_settings() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    for folder in ["gta5/images", "gta5/labels"] {
        let (there, aside) = (project.path(folder), project.path("aside"));
        fs::rename(&there, &aside).unwrap();
        fs::create_dir(&there).unwrap();
        let outcome = project.run().exits(3);
        outcome.complains_about(&["run small was planned with inputs from there", "mounted?"]);
        fs::remove_dir(&there).unwrap();
        fs::rename(&aside, &there).unwrap();
    }
    // Of a run that is not planned yet the settings may be wrong.
    let mut project = Project::new(1, 1);
    project.set(
        "content.root",
        project.path("nowhere").display().to_string(),
    );
    let _ = project.run().exits(2);
}

#[test]
fn a_file_that_vanishes_among_its_neighbours_is_missing_and_is_made_when_it_has_come_back() {
    let project = Project::new(5, 1);
    let running = started(&project);
    let (file, aside) = (
        project.path("gta5/images/00005.png"),
        project.path("aside.png"),
    );
    fs::rename(&file, &aside).unwrap();
    let outcome = running.end().exits(1);
    for words in [
        "4 of 5 images done",
        "00005.png was listed and is gone",
        "1 items are quarantined",
        "resume small --only quarantined",
    ] {
        assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
    }
    let row = project.row("00005", STYLES[0]);
    assert_eq!(row.error_class, Some(FailureClass::Missing));
    let _ = project.about_run(&["audit"]).exits(0);

    fs::rename(&aside, &file).unwrap();
    // Running again tries nothing again by itself, and says what does.
    let outcome = project.run().exits(1);
    assert!(outcome.stdout.contains("--only quarantined"), "{outcome}");
    let only = ["resume", "--only", "quarantined"];
    let choose = |more: &[&'static str]| project.about_run(&[&only[..], more].concat());
    let none = choose(&["--reason", "bad-input"]).exits(0);
    assert!(none.stdout.contains("nothing to do again"), "{none}");
    let preview = choose(&["--reason", "missing", "--dry-run"]).exits(0);
    assert!(
        preview.stdout.contains("1 items: quarantined: "),
        "{preview}"
    );
    assert!(!project.stored("decisions").exists());
    let resumed = choose(&["--reason-contains", "00005"]).exits(0);
    assert!(
        resumed.stdout.contains("the next `synth2real run"),
        "{resumed}"
    );

    let status = project.about_run(&["status"]).exits(1);
    assert!(
        status
            .stdout
            .contains("1 quarantined (1 to be tried again)"),
        "{status}"
    );
    let outcome = project.run().exits(0);
    assert!(outcome.stdout.contains("5 of 5 images done"), "{outcome}");
    assert_eq!(project.row("00005", STYLES[0]).status, Status::Done);
    let _ = project.about_run(&["audit"]).exits(0);
    let _ = project.about_run(&["report"]).exits(0);
}

#[test]
fn only_quarantined_items_are_chosen_by_their_reasons() {
    let project = Project::new(1, 1);
    let outcome = project.about_run(&["resume", "--reason", "missing"]);
    // The run is not there yet either, and what is wrong with the words comes first or second.
    assert_eq!(outcome.code, Some(2), "{outcome}");
    let _ = project.run().exits(0);
    let outcome = project
        .about_run(&["resume", "--reason", "missing"])
        .exits(2);
    outcome.complains_about(&["--only quarantined"]);
}

#[test]
fn what_is_gone_and_whose_content_is_gone_too_is_tried_once_and_told_with_what_helps() {
    let mut project = Project::new(2, 1);
    project.set("method.method", "adain");
    let _ = project.run().exits(0);
    let image = project.stored(&format!("images/{}/00002.png", STYLES[0]));
    let before = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    let (file, aside) = (
        project.path("gta5/images/00002.png"),
        project.path("aside.png"),
    );
    fs::rename(&file, &aside).unwrap();

    let helps = "00002.png was listed and is gone, while other files of its folder are there: put it back and run again";
    let outcome = project.run().exits(3);
    outcome.complains_about(&["cannot be made again as things are", helps]);
    assert!(!outcome.complaint().contains("anew"), "{outcome}");
    for words in ["--only quarantined", "quarantined item", "transient"] {
        assert!(!outcome.stderr.contains(words), "{words:?}: {outcome}");
    }
    let attempts = stored::paths(&project.stored("attempts"));
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let status = project.about_run(&["status"]).exits(1);
    assert!(status.stdout.contains(helps), "{status}");
    assert!(!status.stdout.contains("makes them again"), "{status}");

    fs::rename(&aside, &file).unwrap();
    let _ = project.run().exits(0);
    assert!(fs::read(&image).unwrap() == before);
    let _ = project.about_run(&["audit"]).exits(0);
}

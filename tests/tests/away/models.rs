//! Models and networks that are away, told from those of which a file is missing or damaged.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use coordinator::run::ledger::{Ledger, ShardState};
use engine::EngineError;
use shared::decision::ChangedInputs;
use shared::digest;
use shared::failure::FailureClass;
use shared::ids::{RunId, ShardId};
use shared::location::Location;
use shared::model::ContractError;
use shared::network::{FEATURES_FILE, NetworkContract};
use shared::queue::WorkQueue;
use shared::run_record::RunRecord;
use shared::settings::{EngineConfig, ShardSize};
use shared::storage::{StorageError, StorageErrorKind};
use tests::changed_model::ChangedModel;
use tests::fake_engine::FakeContextProvider;
use tests::planned;
use worker::attempt::{Progress, RunContext};
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::{EngineContextProvider, RunContextError, RunContextProvider};

use super::fixture::{Fixture, TakenUp};

/// A provider of run contexts to which the model of one run may be away.
pub(super) struct WithoutModel {
    run: RunId,
    pub(super) is_away: AtomicBool,
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
    pub(super) fn without_model(&self, error: fn() -> RunContextError) -> Arc<WithoutModel> {
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
pub(super) const AWAY: [fn() -> RunContextError; 4] = [
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
        let other = fixture.publish_another_run().await;
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

#[tokio::test]
async fn a_model_whose_folder_is_away_is_told_from_one_of_which_a_file_is_missing_or_damaged() {
    let model = ChangedModel::with_data("unet/segment_3", |_| {});
    let folder = model.folder();
    let size = ShardSize {
        contents: 1,
        styles: 1,
    };
    let mut run = planned::run("staged", &["a".to_owned()], &["night".to_owned()], size);
    run.record.inputs.model = Some(Location::Folder(folder.clone()));
    let contract = fs::read(folder.join("model.json")).unwrap();
    run.record.frozen.model.sha256 = Some(digest::sha256(&contract));
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

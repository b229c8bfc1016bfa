//! Runs that cannot be worked on, for their model, plan or decisions: they fail, and their workers make the others.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use coordinator::output::audit;
use coordinator::run::ledger::{Ledger, ShardState};
use engine::EngineError;
use serde_json::json;
use shared::artifact::ArtifactKey;
use shared::decision::ChangedInputs;
use shared::failure::{FailureClass, chain};
use shared::ids::{RunId, ShardId};
use shared::model::ContractError;
use shared::queue::WorkQueue;
use shared::queue::message::ShardTask;
use shared::run_record::RunRecord;
use shared::storage::{StorageError, StorageErrorKind};
use tests::fake_engine::FakeContextProvider;
use tokio_util::sync::CancellationToken;
use worker::attempt::RunContext;
use worker::consumer::{Consumer, ConsumerError};
use worker::run_context::{RunContextError, RunContextProvider};

use super::fixture::Fixture;

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

//! Decisions of a collector and of people about a run: halted at its limit, resumed, tried again.

use std::sync::Arc;

use coordinator::run::decisions::{self, Resolution};
use coordinator::run::ledger::ShardState;
use coordinator::run::tally::Tally;
use coordinator::work::resume::{self, Choice, Only, ResumeError};
use shared::decision::{DecisionError, DecisionKind};
use shared::ids::ShardId;
use shared::queue::WorkQueue;
use shared::storage::MemoryStorage;
use tests::planned;

use super::fixture::Fixture;

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

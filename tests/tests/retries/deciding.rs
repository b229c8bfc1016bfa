//! What is tried again is chosen and decided: by two at once, while a run goes on, and what it does to the limit of failures.

use std::time::Duration;

use coordinator::run::redo::Why;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use shared::clock::SystemClock;
use shared::decision::{Decision, DecisionKind};
use shared::failure::FailureClass;
use shared::manifest::{ManifestRow, Status};

use super::fixture::{Fixture, SHARD, numbers};

#[tokio::test(start_paused = true)]
async fn quarantined_items_are_chosen_by_class_reason_style_and_shard() {
    let fixture = Fixture::made(&["bad-1", "bad-2", "gone-1", "a"]).await;
    let all = fixture.find(Quarantined::default()).await;
    assert_eq!(resume::num_items(&all), 6);
    let Why::Quarantined { num_others, .. } = &all[0].why else {
        panic!("{all:?}");
    };
    assert_eq!(*num_others, 4, "items of two reasons beside the first");
    let of = async |class, reason: Option<&str>| {
        let wanted = Quarantined {
            class,
            reason: reason.map(str::to_owned),
        };
        resume::num_items(&fixture.find(wanted).await)
    };
    assert_eq!(of(Some(FailureClass::Missing), None).await, 2);
    assert_eq!(of(Some(FailureClass::BadInput), None).await, 4);
    assert_eq!(of(Some(FailureClass::BadInput), Some("BAD-2")).await, 2);
    assert_eq!(of(Some(FailureClass::BadOutput), None).await, 0);

    let choice = Choice {
        only: Some(Only::Quarantined(Quarantined::default())),
        styles: vec!["snow".to_owned()],
        shards: vec![SHARD],
    };
    let ledger = fixture.ledger().await;
    let redo = resume::find(fixture.storage.as_ref(), &fixture.run, &ledger, &choice).await;
    let redo = redo.unwrap();
    assert_eq!(resume::num_items(&redo), 3);
    fixture.engine.mend();
    fixture.decide(&redo).await;
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (5, 3, 0));
    let done = |row: &&ManifestRow| row.status == Status::Done && row.item.content != "a";
    let rows = fixture.rows().await;
    assert!(rows.iter().filter(done).all(|row| row.item.style == "snow"));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_decisions_about_one_retry_the_second_is_refused_and_can_be_made_when_the_first_has_ended()
 {
    let fixture = Fixture::made(&["bad-1", "bad-2", "a"]).await;
    fixture.engine.mend();
    let of = |text: &str| Quarantined {
        reason: Some(text.to_owned()),
        ..Quarantined::default()
    };
    let (one, other) = (
        fixture.find(of("bad-1")).await,
        fixture.find(of("bad-2")).await,
    );
    // Neither knows of the other.
    let (mut here, mut there) = (fixture.ledger().await, fixture.ledger().await);
    let storage = fixture.storage.as_ref();
    let decided = resume::decide(storage, &fixture.run, &mut here, &one, Vec::new()).await;
    decided.unwrap();
    let refused = resume::decide(storage, &fixture.run, &mut there, &other, Vec::new()).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("decided about run retried meanwhile"),
        "{refused}"
    );
    // A worker may have the first in hand: nothing is added to it.
    let later = fixture.find(of("bad-2")).await;
    assert_eq!(later[0].why, Why::NotRevised { num_later: 2 });
    fixture.decide(&later).await;
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.decisions.retries.of(SHARD, 1).unwrap().len(), 2);
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 2, 0));
    let rest = fixture.retry().await;
    assert_eq!(resume::num_items(&rest), 2);
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (6, 0, 0));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_decided_while_its_run_goes_on_is_made_before_it_ends() {
    let fixture = Fixture::of(&["bad", "a"]).await;
    let decide = async {
        while !fixture.storage.exists(&fixture.commit()).await.unwrap() {
            tokio::time::sleep(Duration::from_micros(1)).await;
        }
        fixture.engine.mend();
        fixture.retry().await;
    };
    let (stopped, ()) = tokio::join!(fixture.go(), decide);
    assert_eq!(stopped, Stopped::AtItsEnd);
    // One that came after the last look is work that is left.
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn items_that_are_tried_again_count_as_failures_until_they_are_forgiven() {
    let fixture = Fixture::made(&["bad-1", "bad-2", "a"]).await;
    let of = |text: &str| Quarantined {
        reason: Some(text.to_owned()),
        ..Quarantined::default()
    };
    let redo = fixture.find(of("bad-1")).await;
    let ledger = fixture.decide(&redo).await;
    assert_eq!(ledger.decisions.acknowledged_failures, 2, "those of bad-2");
    // Deciding once more, while they are under way, forgives no others.
    let redo = fixture.find(of("bad-1")).await;
    let halt = DecisionKind::Halt {
        reason: "cancelled".into(),
    };
    let mut ledger = fixture.ledger().await;
    let run = &fixture.run.record.run;
    let halt = Decision::made(halt, &SystemClock);
    let halted = ledger
        .decisions
        .decide_next(fixture.storage.as_ref(), run, halt);
    halted.await.unwrap();
    let ledger = fixture.decide(&redo).await;
    assert_eq!(ledger.decisions.acknowledged_failures, 2);
}

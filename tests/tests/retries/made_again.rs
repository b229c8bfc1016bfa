//! Mended items are made, and nothing else; those that fail again can be tried once more.

use coordinator::run::ledger::ShardState;
use coordinator::run::redo::Why;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only};
use shared::manifest::{self, ManifestRow, Status};

use super::fixture::{FIRST, Fixture, SHARD, numbers};

#[tokio::test(start_paused = true)]
async fn a_quarantined_item_that_was_mended_is_made_and_nothing_committed_is_rewritten() {
    let fixture = Fixture::made(&["a", "bad", "z"]).await;
    assert_eq!(numbers(&fixture.counts().await), (4, 2, 0));
    // Running again tries nothing again by itself.
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);
    assert_eq!(fixture.engine.conversions(), 4);
    let commit = fixture.stored(&fixture.commit()).await;

    fixture.engine.mend();
    let redo = fixture.retry().await;
    assert_eq!(resume::num_items(&redo), 2);
    assert_eq!(redo[0].why.to_string(), "quarantined: bad is damaged");
    assert_eq!(fixture.state().await, FIRST);
    // Whoever goes on with the run knows from storage alone what is to be done.
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);

    assert_eq!(fixture.state().await, ShardState::Committed);
    assert_eq!(fixture.engine.conversions(), 6, "and nothing else was made");
    assert_eq!(numbers(&fixture.counts().await), (6, 0, 0));
    assert_eq!(fixture.stored(&fixture.commit()).await, commit);
    let revision = manifest::read(fixture.stored(&fixture.revision(1)).await).unwrap();
    let of_bad = |row: &ManifestRow| row.item.content == "bad" && row.status == Status::Done;
    assert!(revision.len() == 2 && revision.iter().all(of_bad));
    let rows = fixture.rows().await;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.status == Status::Done));
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_quarantined_again_has_the_newer_row_and_can_be_tried_once_more() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    for number in 1..=2 {
        fixture.retry().await;
        assert_eq!(
            fixture.state().await,
            ShardState::Revising { revision: number }
        );
        fixture.go().await;
        assert_eq!(fixture.state().await, ShardState::Committed);
        assert_eq!(numbers(&fixture.counts().await), (2, 2, 0));
        let rows = fixture.rows().await;
        let bad = rows.iter().filter(|row| row.item.content == "bad");
        assert!(bad.clone().all(|row| row.attempt == number + 1), "{rows:?}");
        assert_eq!(bad.count(), 2);
    }
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    assert_eq!(fixture.ledger().await.num_revisions(SHARD), 3);
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_nobody_has_made_is_work_that_is_left() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    fixture.engine.mend();
    fixture.retry().await;
    let findings = fixture.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].contains("2 quarantined items of shard 000000"),
        "{findings:?}"
    );

    // Its message was lost: what is missing is published from storage.
    let choice = Choice {
        only: Some(Only::Missing),
        ..Choice::default()
    };
    let ledger = fixture.ledger().await;
    let redo = resume::find(fixture.storage.as_ref(), &fixture.run, &ledger, &choice).await;
    let redo = redo.unwrap();
    assert_eq!(redo[0].why, Why::NotRevised { num_later: 0 });
    assert_eq!(redo[0].num_items, 2);
    fixture.publish(&redo).await;
    fixture.work().await;
    assert_eq!(fixture.state().await, ShardState::Committed);
    assert_eq!(fixture.findings().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_fails_for_good_leaves_the_rows_as_they_were_and_can_be_reopened() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let before = fixture.rows().await;
    fixture.engine.curse(true);
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    let failed = ShardState::RevisionFailed {
        revision: 1,
        last: 4,
    };
    assert_eq!(fixture.state().await, failed);
    assert_eq!(fixture.rows().await, before);
    assert_eq!(
        numbers(&fixture.counts().await),
        (2, 2, 0),
        "and none failed"
    );
    assert_eq!(fixture.findings().await, [""; 0]);

    fixture.engine.curse(false);
    let redo = fixture.retry().await;
    assert_eq!(fixture.state().await, FIRST);
    assert_eq!(resume::num_items(&redo), 2);
    fixture.go().await;
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    assert_eq!(fixture.findings().await, [""; 0]);
}

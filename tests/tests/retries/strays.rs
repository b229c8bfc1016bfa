//! Revisions that nobody decided, and shards that hold the rows of others: found, and counted by nobody.

use bytes::Bytes;
use coordinator::output::collect;
use coordinator::work::embedded::Stopped;
use shared::artifact::ArtifactKey;
use shared::ids::ShardId;
use shared::manifest::{self, ManifestRow};

use super::fixture::{Fixture, numbers};

#[tokio::test(start_paused = true)]
async fn an_audit_finds_a_revision_that_nobody_decided_or_that_speaks_of_other_items() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let rows = fixture.rows().await;
    let write = |rows: &[ManifestRow]| Bytes::from(manifest::write(rows.to_vec()).unwrap());
    let storage = fixture.storage.as_ref();
    let all = write(&rows);
    storage.create(&fixture.revision(1), all).await.unwrap();
    let findings = fixture.findings().await;
    assert_eq!(
        findings,
        ["shards/000000.1.parquet belongs to no retry that was decided"]
    );
    // Now it was decided, for the bad items alone.
    fixture.retry().await;
    let findings = fixture.findings().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    let words = [
        "shards/000000.1.parquet holds other rows",
        "a in the style of night has a row and was not to be tried again",
        "remove it and run again",
    ];
    for word in words {
        assert!(findings[0].contains(word), "no {word:?}: {findings:?}");
    }
    assert!(fixture.refused().await.contains(words[0]));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_holds_the_rows_of_others_is_counted_by_nobody() {
    let fixture = Fixture::of_single_items(&["a", "b"]).await;
    assert_eq!(fixture.go().await, Stopped::AtItsEnd);
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run.record.run);
    let shard = |number| ArtifactKey::Shard(run.clone(), ShardId(number));
    let whole = fixture.stored(&shard(1)).await;
    let other = fixture.stored(&shard(0)).await;

    // One more than was planned is a stray, and nothing else.
    let unplanned = shard(fixture.run.plan.shards.len() as u32);
    storage.create(&unplanned, other.clone()).await.unwrap();
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.committed.len(), fixture.run.plan.shards.len());
    assert_eq!(numbers(&fixture.counts().await), (4, 0, 0));
    let findings = fixture.findings().await;
    let stray = ["shards/000004.parquet belongs to no shard that was planned"];
    assert_eq!(findings, stray);

    // One in the place of another.
    storage.replace(&shard(1), other).await.unwrap();
    let told = fixture.refused().await;
    for words in [
        "shards/000001.parquet holds other rows than it must",
        "rows of shard 000000 of run retried",
        "remove it and run again",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    let findings = fixture.findings().await;
    assert!(findings.contains(&told), "{findings:?}");
    let ledger = fixture.ledger().await;
    let collected = collect::collect(storage, &fixture.run, &ledger).await;
    assert!(collected.is_err());
    let folded = collect::fold(storage, &fixture.run, &ledger).await;
    let folded = folded.unwrap().styles;
    let items: usize = folded.values().map(|style| style.items.done).sum();
    assert_eq!(items, 3, "the figures are of the others");

    // Rows of the shard's own, one of them missing, or there twice.
    let rows = manifest::read(whole).unwrap();
    let (none, twice) = (Vec::new(), [rows.clone(), rows.clone()].concat());
    for (rows, words) in [(none, "has no row"), (twice, "has more than one row")] {
        let bytes = Bytes::from(manifest::write(rows).unwrap());
        storage.replace(&shard(1), bytes).await.unwrap();
        let told = fixture.refused().await;
        assert!(told.contains(words), "no {words:?}: {told}");
    }
}

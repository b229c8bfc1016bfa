//! Stored counts: brought up to date by a revision, and counted anew where they cannot be true.

use bytes::Bytes;
use coordinator::output::collect;
use coordinator::run::tally::{ShardTally, Tally};
use serde_json::{Value, json};
use shared::artifact::ArtifactKey;
use shared::seal;

use super::fixture::{Fixture, SHARD};

#[tokio::test(start_paused = true)]
async fn a_stored_count_is_brought_up_to_date_by_a_revision() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run.record.run);
    let ledger = fixture.ledger().await;
    let before = collect::store_tally(storage, &fixture.run, &ledger)
        .await
        .unwrap();
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    let mut tally = Tally::stored(storage, run).await.unwrap();
    assert_eq!(tally.total().quarantined, 2);
    let ledger = fixture.ledger().await;
    let run = &fixture.run;
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.total().quarantined, 0);
    assert_eq!(tally.total().done, 4);
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 0);
    // Somebody who has seen less stores it last.
    let id = &run.record.run;
    tally.store(storage, id).await.unwrap();
    before.store(storage, id).await.unwrap();
    let mut again = Tally::stored(storage, id).await.unwrap();
    assert_eq!(again.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(again.total(), tally.total());
}

#[tokio::test(start_paused = true)]
async fn counts_are_the_same_whichever_columns_of_shards_are_read() {
    let fixture = Fixture::made(&["a", "bad", "segmented-b"]).await;
    fixture.engine.mend();
    fixture.retry().await;
    fixture.go().await;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run);
    let ledger = fixture.ledger().await;
    let mut counted = Tally::default();
    counted.update(storage, run, &ledger).await.unwrap();
    assert_eq!(counted.total().done, 6);
    let whole = ledger.shard_rows(storage, run, SHARD).await.unwrap();
    let whole = ShardTally {
        size_bytes: ledger.shard_bytes(SHARD),
        ..ShardTally::of(&whole, ledger.num_revisions(SHARD))
    };
    assert_eq!(counted.shard(SHARD), Some(&whole));
    // The manifest is made of all columns, and counts what it reads.
    let collected = collect::collect(storage, run, &ledger).await.unwrap();
    assert_eq!(collected.tally, counted);
    assert_eq!(collected.tally.total(), collected.counts);
}

#[tokio::test(start_paused = true)]
async fn stored_counts_that_cannot_be_those_of_their_shard_are_counted_anew() {
    let fixture = Fixture::made(&["a", "bad"]).await;
    let (storage, run) = (fixture.storage.as_ref(), &fixture.run);
    let id = &run.record.run;
    let ledger = fixture.ledger().await;
    let told = collect::store_tally(storage, run, &ledger).await.unwrap();
    let told = told.total();
    assert_eq!((told.done, told.quarantined), (2, 2));
    let key = ArtifactKey::Tally(id.clone());
    let stored = storage.read(&key).await.unwrap();
    let stored: Value = serde_json::from_slice(&seal::open(&stored, &key).json).unwrap();
    let counted = async |tally: &Value| {
        let json = serde_json::to_vec(tally).unwrap();
        let sealed = Bytes::from(seal::seal(&json, &key));
        storage.replace(&key, sealed).await.unwrap();
        let mut tally = Tally::stored(storage, id).await.unwrap();
        let read = tally.update(storage, run, &ledger).await.unwrap();
        let counts = tally.total_with_failed(storage, run, &ledger).await;
        (read, counts.unwrap())
    };
    let (read, counts) = counted(&stored).await;
    assert_eq!(read, 0, "it is believed as it was stored");
    assert!(counts.are_those_of(&told), "{counts:?}");

    let changes = [
        ("/counts/done", json!(3)),
        ("/counts/done", json!(1_u64 << 63)),
        ("/counts/done", json!(-1)),
        ("/counts/quarantined", json!(u64::MAX)),
        ("/counts/failed", json!(1)),
        ("/counts/warnings", json!(3)),
        ("/counts/warning_kinds", json!({"greyscale": 3})),
        ("/counts/doubtful", json!(1)),
        ("/counts/doubtful", json!(u64::MAX)),
        ("/doubtful", json!({"night": 1})),
        ("/counts/converted", json!(3)),
        ("/counts/unmeasured", json!(3)),
        ("/counts/busy_ms", json!(-1.0)),
        ("/counts/busy_ms", json!(1e300)),
        ("/counts/content_ms", json!(-1.0)),
        ("/counts/style_ms", json!(1e300)),
        ("/counts/unet_evaluations", json!(-1.0)),
        ("/counts/style_evaluations", json!(1e300)),
        ("/counts/reasons", json!({"another": 3})),
        ("/counts/reasons", json!({"one": u64::MAX, "another": 3})),
        ("/not_done", json!({})),
        ("/not_done", json!({"dawn": 2})),
        ("/finished_at", json!(null)),
        ("/revisions", json!(1)),
        ("/size_bytes", json!(1)),
    ];
    for (place, value) in changes {
        let mut changed = stored.clone();
        let (within, field) = place.rsplit_once('/').unwrap();
        let shards = changed["shards"].as_object_mut().unwrap();
        let shard = shards.values_mut().next().unwrap();
        shard.pointer_mut(within).unwrap()[field] = value.clone();
        assert_ne!(changed, stored, "{place}");
        assert_eq!(
            counted(&changed).await,
            (1, told.clone()),
            "{place}: {value}"
        );
    }
    let mut another = stored.clone();
    another["plan_hash"] = json!("0".repeat(64));
    assert_eq!(counted(&another).await, (1, told.clone()));
    let mut more = stored.clone();
    more["shards"]["99"] = stored["shards"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .clone();
    let (read, counts) = counted(&more).await;
    assert_eq!(read, 0);
    assert!(counts.are_those_of(&told), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_was_counted_and_is_cut_is_read_again() {
    let fixture = Fixture::made(&["a"]).await;
    let storage = fixture.storage.as_ref();
    let ledger = fixture.ledger().await;
    let stored = collect::store_tally(storage, &fixture.run, &ledger).await;
    assert_eq!(stored.unwrap().total().done, 2);
    let cut = fixture.stored(&fixture.commit()).await.slice(..100);
    storage.replace(&fixture.commit(), cut).await.unwrap();
    let told = fixture.refused().await;
    assert!(told.contains("shards/000000.parquet is damaged"), "{told}");
}

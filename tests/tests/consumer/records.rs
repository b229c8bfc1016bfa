//! Records and plans that were damaged or altered, and how often they are read.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use bytes::Bytes;
use coordinator::run::ledger::ShardState;
use shared::artifact::ArtifactKey;
use shared::failure::FailureClass;
use shared::queue::WorkQueue;
use shared::storage::LocalStorage;
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;

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

//! Shards that cannot be read count as not done; storage that does not answer says nothing of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use coordinator::output::collect::Fold;
use coordinator::output::quality::fold::RunFold;
use coordinator::output::report::RunReport;
use coordinator::output::{audit, collect};
use coordinator::run::ledger::LedgerError;
use coordinator::run::tally::Tally;
use coordinator::work::resume::{self, Choice};
use shared::failure::chain;
use shared::ids::ShardId;
use tests::project::Project;

use super::fixture::Fixture;

#[tokio::test(start_paused = true)]
async fn a_committed_shard_that_cannot_be_read_counts_as_not_done_and_the_rest_is_counted() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.storage.spoil(&fixture.shard(0));
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    let mut tally = Tally::default();
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.total().done, 1);
    let told = tally.damaged()[&ShardId(0)].clone();
    for words in [
        "shards/000000.parquet cannot be read, and others can",
        "remove it and run again",
        "Input/output error",
    ] {
        assert!(told.contains(words), "no {words:?}: {told}");
    }
    let folded = collect::fold(storage, run, &ledger).await.unwrap();
    assert_eq!(folded.styles["night"].items.done, 1);
    let all = Choice::default();
    assert_eq!(resume::find(storage, run, &ledger, &all).await.unwrap(), []);
    let damaged = resume::damaged(storage, run, &ledger, &all).await.unwrap();
    assert_eq!(damaged.values().collect::<Vec<_>>(), [&told]);
    let audited = audit::audit(storage, run).await.unwrap();
    assert_eq!(audited.counts.done, 1);
    assert!(audited.findings.contains(&told), "{:?}", audited.findings);

    // What must have all of them says which is not whole.
    let whole = tally.update_whole(storage, run, &ledger).await.unwrap_err();
    assert!(whole.is_damage(), "{whole}");
    fixture.storage.restore();
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.total().done, 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_no_answer_about_a_shard_says_nothing_of_it() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.conclude().await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    fixture.storage.throttle(&fixture.shard(0));
    let mut tally = Tally::default();
    let error = tally.update(storage, run, &ledger).await.unwrap_err();
    assert!(matches!(error, LedgerError::Storage(_)), "{error:?}");
    let told = chain(&audit::audit(storage, run).await.unwrap_err());
    assert!(told.contains("503 SlowDown"), "{told}");
    fixture.storage.restore();

    // What was known to be damaged stays so meanwhile.
    fixture.storage.spoil(&fixture.shard(0));
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 1);
    assert_eq!(tally.damaged().len(), 1);
    fixture.storage.throttle(&fixture.shard(0));
    fixture.storage.stop_answering_at(&fixture.shard(0));
    assert!(tally.update(storage, run, &ledger).await.is_err());
    assert_eq!(tally.damaged().len(), 1);
}

/// Shards are added to figures a part at a time, and a part that met an outage is added again.
#[tokio::test(start_paused = true)]
async fn an_outage_beside_a_damaged_shard_counts_no_shard_twice() {
    let fixture = Fixture::made(&["a", "b", "c"]).await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    let part = [0, 1, 2].map(|shard| Fold::All(ShardId(shard)));
    let mut fold = RunFold::new(false);
    fixture.storage.spoil(&fixture.shard(0));
    fixture.storage.throttle(&fixture.shard(2));
    let folded = collect::fold_readable(storage, run, &ledger, &part, &mut fold).await;
    assert!(folded.is_err());
    fixture.storage.restore();
    let damaged = collect::fold_readable(storage, run, &ledger, &part, &mut fold).await;
    assert!(damaged.unwrap().is_empty());
    assert_eq!(fold.styles["night"].items.done, 3);
}

#[tokio::test(start_paused = true)]
async fn while_storage_does_not_answer_nothing_is_said_of_a_shard() {
    let fixture = Fixture::made(&["a", "b"]).await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let ledger = fixture.ledger().await;
    fixture.storage.stop_answering_at(&fixture.shard(0));
    let mut tally = Tally::default();
    let error = tally.update(storage, run, &ledger).await.unwrap_err();
    assert!(matches!(error, LedgerError::Storage(_)), "{error:?}");
    assert!(!error.is_damage());
    assert!(tally.damaged().is_empty());
    assert!(Tally::stored(storage, fixture.id()).await.is_err());
    assert!(RunReport::stored(storage, fixture.id()).await.is_err());
    fixture.storage.answer_again();
    assert_eq!(tally.update(storage, run, &ledger).await.unwrap(), 2);
}

#[test]
fn whatever_is_in_the_place_of_a_shard_every_command_names_it_and_shows_the_rest() {
    let mut project = Project::new(3, 1);
    project.set("shards.contents", 1);
    let _ = project.run().exits(0);
    let shard = project.stored("shards/000001.parquet");
    let whole = fs::read(&shard).unwrap();
    let pipe = || {
        let made = Command::new("mkfifo").arg(&shard).status();
        assert!(made.unwrap().success());
    };
    let places: [(&str, &dyn Fn()); 3] = [
        ("leads nowhere", &|| {
            symlink("/no/such/file", &shard).unwrap();
        }),
        ("leads nowhere", &|| {
            symlink(Path::new("000001.parquet"), &shard).unwrap();
        }),
        ("it is a pipe", &pipe),
    ];
    for (why, place) in places {
        fs::remove_file(&shard).unwrap();
        place();
        let words = [
            "shards/000001.parquet cannot be read, and others can",
            "remove it and run again",
            why,
        ];
        for command in ["status", "report", "resume", "audit"] {
            let outcome = project.about_run(&[command]).exits(1);
            for words in words {
                assert!(outcome.stdout.contains(words), "no {words:?}: {outcome}");
            }
            let shows_the_rest = outcome.stdout.contains("2 of 3 items done");
            let shows_all = matches!(command, "status" | "report");
            assert!(shows_the_rest || !shows_all, "{command}: {outcome}");
        }
        project.run().exits(3).complains_about(&words);
    }
    fs::remove_file(&shard).unwrap();
    fs::write(&shard, whole).unwrap();
    let _ = project.about_run(&["audit"]).exits(0);
}

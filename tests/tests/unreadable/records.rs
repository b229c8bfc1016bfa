//! Attempts, decisions, counts and reports that cannot be read, and an audit that gets no answer about them.

use std::fs;

use coordinator::output::audit;
use coordinator::output::report::RunReport;
use coordinator::run::tally::{self, Tally};
use coordinator::work::resume::{self, Choice};
use shared::artifact::ArtifactKey;
use shared::failure::chain;
use shared::ids::ShardId;
use tests::project::Project;

use super::fixture::Fixture;

#[tokio::test(start_paused = true)]
async fn an_audit_that_gets_no_answer_finds_nothing_and_says_so() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.conclude().await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    let id = fixture.id();
    let label = ArtifactKey::Label(id.clone(), "a".to_owned());
    for key in [
        ArtifactKey::Tally(id.clone()),
        ArtifactKey::Report(id.clone()),
        ArtifactKey::Manifest(id.clone()),
        label,
        fixture.shard(1),
    ] {
        fixture.storage.stop_answering_at(&key);
        let audited = audit::audit(storage, run).await;
        assert!(audited.is_err(), "{key}: {audited:?}");
        fixture.storage.answer_again();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_whose_record_cannot_be_read_has_failed_all_the_same() {
    let fixture = Fixture::made(&["cursed", "a"]).await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    for number in 1..=3 {
        let key = ArtifactKey::FailedAttempt(fixture.id().clone(), ShardId(0), number);
        fixture.storage.spoil(&key);
    }
    let ledger = fixture.ledger().await;
    let counts = tally::count(storage, run, &ledger).await.unwrap();
    assert_eq!((counts.done, counts.failed), (1, 1));
    let told = "attempts/000000/3.json cannot be read";
    let reasons: Vec<&String> = counts.reasons.keys().collect();
    assert!(reasons[0].contains(told), "{reasons:?}");
    let found = resume::find(storage, run, &ledger, &Choice::default()).await;
    assert_eq!(found.unwrap().len(), 1);
    let findings = audit::audit(storage, run).await.unwrap().findings;
    for number in 1..=3 {
        let words = format!("attempts/000000/{number}.json cannot be read");
        let is_told = findings.iter().any(|finding| finding.contains(&words));
        assert!(is_told, "no {words:?}: {findings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_cannot_be_read_is_none_and_an_audit_finds_it() {
    let fixture = Fixture::made(&["a", "b"]).await;
    fixture.conclude().await;
    let (storage, run) = (&*fixture.storage, &fixture.run);
    assert_eq!(audit::audit(storage, run).await.unwrap().findings, [""; 0]);
    let id = fixture.id().clone();
    for key in [
        ArtifactKey::Tally(id.clone()),
        ArtifactKey::Report(id.clone()),
        ArtifactKey::Manifest(id),
    ] {
        fixture.storage.spoil(&key);
        let findings = audit::audit(storage, run).await.unwrap().findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        let path = key.path();
        let name = path.rsplit('/').next().unwrap();
        let words = format!("{name} cannot be read");
        assert!(findings[0].contains(&words), "no {words:?}: {findings:?}");
        let stored = Tally::stored(storage, fixture.id()).await.unwrap();
        let is_tally = matches!(key, ArtifactKey::Tally(_));
        assert_eq!(stored.shards().count(), if is_tally { 0 } else { 2 });
        let stored = RunReport::stored(storage, fixture.id()).await.unwrap();
        assert_eq!(stored.is_none(), matches!(key, ArtifactKey::Report(_)));
        fixture.storage.restore();
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_cannot_be_read_is_an_error_that_names_it() {
    let fixture = Fixture::made(&["a"]).await;
    let decision = ArtifactKey::Decision(fixture.id().clone(), 1);
    fixture.storage.spoil(&decision);
    let error = audit::audit(&*fixture.storage, &fixture.run)
        .await
        .unwrap_err();
    let told = chain(&error);
    assert!(told.contains("decisions/000001.json"), "{told}");
    assert!(!error.is_damage());
}

#[test]
fn a_folder_in_the_place_of_counts_or_report_closes_nothing_but_is_found() {
    let project = Project::new(2, 1);
    let _ = project.run().exits(0);
    for name in ["tally.json", "report.json"] {
        let path = project.stored(name);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let status = project.about_run(&["status"]).exits(0);
        assert!(status.stdout.contains("small is complete"), "{status}");
        let report = project.about_run(&["report"]).exits(0);
        assert!(report.stdout.contains("2 of 2 items done"), "{report}");
        let audit = project.about_run(&["audit"]).exits(1);
        let words = format!("{name} cannot be read, and others can");
        assert!(audit.stdout.contains(&words), "no {words:?}: {audit}");
        assert!(audit.stdout.contains("; 1 finding\n"), "{audit}");
        let run = project.run();
        assert!(run.stdout.contains("2 of 2 images done"), "{run}");
        match name {
            "tally.json" => drop(run.exits(0)),
            // The run owes it.
            _ => run
                .exits(3)
                .complains_about(&["report.json", "a folder is in its place"]),
        }
        fs::remove_dir(&path).unwrap();
        let _ = project.run().exits(0);
        let _ = project.about_run(&["audit"]).exits(0);
    }
}

//! A finished run on a disk, with everything that can be below its folder, and what an audit says of it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinator::output::report::RunReport;
use coordinator::output::{audit, collect, report};
use coordinator::run::freeze::{self, FrozenRun};
use coordinator::run::ledger::Ledger;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use shared::artifact::ArtifactKey;
use shared::failure::{FailedAttempt, FailureClass, chain};
use shared::ids::ShardId;
use shared::manifest::{self, ManifestRow};
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use tempfile::TempDir;
use tests::fake_engine::{self, FakeEngine};
use tests::{planned, stored};

/// A finished run of six items in two shards on a disk: with a decision, a revision of each shard, a failed attempt, a
/// manifest, a report, statistics, counts and a contact sheet.
pub(super) struct Finished {
    pub(super) folder: TempDir,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) run: FrozenRun,
}

impl Finished {
    pub(super) async fn run() -> Self {
        let finished = Self::made().await;
        finished.conclude().await;
        finished
    }

    /// A run of which everything is made, and nothing of that yet: neither manifest nor report, counts or contact sheet.
    pub(super) async fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(folder.path()));
        let contents = ["a", "b", "bad"].map(str::to_owned);
        let styles = ["night", "snow"].map(str::to_owned);
        let size = ShardSize {
            contents: 3,
            styles: 1,
        };
        let run = planned::run("audited", &contents, &styles, size);
        planned::store(storage.as_ref(), &run).await;
        let finished = Self {
            folder,
            storage,
            run,
        };
        let engine = FakeEngine::new(Duration::ZERO);
        finished.go(&engine).await;
        engine.mend();
        let mut ledger = finished.ledger().await;
        let choice = Choice {
            only: Some(Only::Quarantined(Quarantined::default())),
            ..Choice::default()
        };
        let (storage, run) = (finished.storage.as_ref(), &finished.run);
        let redo = resume::find(storage, run, &ledger, &choice).await.unwrap();
        resume::decide(storage, run, &mut ledger, &redo, Vec::new())
            .await
            .unwrap();
        finished.go(&engine).await;
        let key = ArtifactKey::FailedAttempt(finished.run.record.run.clone(), ShardId(0), 1);
        let attempt = FailedAttempt {
            attempt: 1,
            error_class: FailureClass::Transient,
            error: "the network was away".to_owned(),
            worker: "here".to_owned(),
            failed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let attempt = Bytes::from(attempt.to_json(&key));
        finished.storage.create(&key, attempt).await.unwrap();
        finished
    }

    /// Makes what is open, as `synth2real run` does.
    async fn go(&self, engine: &Arc<FakeEngine>) {
        let stopped = fake_engine::make(&self.storage, &self.run, engine).await;
        assert_eq!(stopped, Stopped::AtItsEnd);
    }

    pub(super) async fn conclude(&self) {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let ledger = self.ledger().await;
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let sheet = ArtifactKey::ContactSheet(run.record.run.clone());
        let picture = Bytes::from(fake_engine::image("contact", "sheet"));
        storage.replace(&sheet, picture).await.unwrap();
        report::publish(storage, run, collected, true)
            .await
            .unwrap();
        collect::store_tally(storage, run, &ledger).await.unwrap();
    }

    async fn ledger(&self) -> Ledger {
        Ledger::read(self.storage.as_ref(), &self.run)
            .await
            .unwrap()
    }

    /// Returns what an audit finds, as `synth2real audit` does it: why the run cannot be opened, or the findings.
    pub(super) async fn findings(&self) -> Vec<String> {
        let storage = self.storage.as_ref();
        let run = match freeze::open(storage, &self.run.record.run).await {
            Ok(run) => run,
            Err(error) => return vec![chain(&error)],
        };
        match audit::audit(storage, &run).await {
            Ok(report) => report.findings,
            Err(error) => vec![chain(&error)],
        }
    }

    pub(super) async fn finds(&self, words: &[&str]) {
        let findings = self.findings().await;
        for word in words {
            let told = findings.iter().any(|finding| finding.contains(word));
            assert!(told, "no {word:?}: {findings:#?}");
        }
    }

    /// Returns what an audit notes of a run in which it finds nothing.
    pub(super) async fn notes(&self) -> Vec<String> {
        let audited = audit::audit(self.storage.as_ref(), &self.run).await;
        let audited = audited.unwrap();
        assert_eq!(audited.findings, [""; 0]);
        audited.notes
    }

    pub(super) async fn report(&self) -> RunReport {
        let stored = RunReport::stored(self.storage.as_ref(), &self.run.record.run).await;
        stored.unwrap().unwrap()
    }

    /// Stores a report as somebody does who seals it anew.
    pub(super) async fn put_report(&self, report: &RunReport) {
        report.store(self.storage.as_ref()).await.unwrap();
    }

    /// Returns a path in the run's folder.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join("runs/audited").join(relative)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        stored::paths(&self.path(""))
    }

    pub(super) fn shard_rows(&self) -> Vec<ManifestRow> {
        let bytes = fs::read(self.path("shards/000000.parquet")).unwrap();
        manifest::read_with_features(bytes.into()).unwrap()
    }
}

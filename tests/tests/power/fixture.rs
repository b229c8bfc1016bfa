//! A run on a disk whose power is cut, with what must hold of it afterwards; and chance whose seed can be given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coordinator::output::{audit, collect, report};
use coordinator::run::freeze::{self, FrozenRun};
use coordinator::run::ledger::Ledger;
use coordinator::run::policy::Standing;
use coordinator::run::tally::Tally;
use coordinator::work::embedded::Stopped;
use coordinator::work::resume::{self, Choice, Only, Quarantined};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use shared::artifact::ArtifactKey;
use shared::failure::{FailedAttempt, FailureClass};
use shared::ids::ShardId;
use shared::settings::ShardSize;
use shared::storage::Storage;
use tests::fake_engine::{self, FakeEngine};
use tests::planned;

const SEED: &str = "SYNTH2REAL_TEST_SEED";

/// The bytes of files by their paths.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Returns a generator whose seed is printed and can be given.
pub(super) fn chance() -> ChaCha12Rng {
    let given = std::env::var(SEED).ok();
    let seed = given.map_or(52, |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    ChaCha12Rng::seed_from_u64(seed)
}

/// A run on a disk, with an engine that takes no time.
pub(super) struct Fixture {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) run: FrozenRun,
}

impl Fixture {
    pub(super) fn new(storage: impl Storage + 'static, contents: &[&str]) -> Self {
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let one = ShardSize {
            contents: 1,
            styles: 1,
        };
        let styles = ["night", "snow"].map(str::to_owned);
        Self {
            storage: Arc::new(storage),
            run: planned::run("powered", &contents, &styles, one),
        }
    }

    pub(super) async fn store(&self) {
        planned::store(self.storage.as_ref(), &self.run).await;
    }

    /// Makes what is open, as `synth2real run` does.
    pub(super) async fn go(&self, engine: &Arc<FakeEngine>) {
        let stopped = fake_engine::make(&self.storage, &self.run, engine).await;
        assert_eq!(stopped, Stopped::AtItsEnd);
    }

    /// Stores counts, manifest, report and contact sheet, as `synth2real run` does.
    pub(super) async fn conclude(&self) {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let ledger = self.ledger().await;
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let tally = &collected.tally;
        tally.store(storage, &run.record.run).await.unwrap();
        let is_complete = Standing::of(run, &ledger, tally).fate().is_complete();
        let sheet = ArtifactKey::ContactSheet(run.record.run.clone());
        let picture = Bytes::from(fake_engine::image("contact", "sheet"));
        storage.replace(&sheet, picture).await.unwrap();
        let published = report::publish(storage, run, collected, is_complete).await;
        published.unwrap();
    }

    /// Has quarantined items tried again, and notes an attempt that failed.
    pub(super) async fn decide(&self) {
        let (storage, run) = (self.storage.as_ref(), &self.run);
        let mut ledger = self.ledger().await;
        let choice = Choice {
            only: Some(Only::Quarantined(Quarantined::default())),
            ..Choice::default()
        };
        let redo = resume::find(storage, run, &ledger, &choice).await.unwrap();
        assert!(!redo.is_empty());
        let decided = resume::decide(storage, run, &mut ledger, &redo, Vec::new()).await;
        decided.unwrap();
        let key = ArtifactKey::FailedAttempt(run.record.run.clone(), ShardId(0), 1);
        let attempt = FailedAttempt {
            attempt: 1,
            error_class: FailureClass::Transient,
            error: "the network was away".to_owned(),
            worker: "here".to_owned(),
            failed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let attempt = Bytes::from(attempt.to_json(&key));
        storage.create(&key, attempt).await.unwrap();
    }

    async fn ledger(&self) -> Ledger {
        let ledger = Ledger::read(self.storage.as_ref(), &self.run).await;
        ledger.unwrap()
    }

    /// Proves that what is stored can be read, and that the commits that were acknowledged are counted.
    pub(super) async fn check_readable(&self, acknowledged: &Files) {
        let (storage, id) = (self.storage.as_ref(), &self.run.record.run);
        let opened = freeze::open(storage, id).await.unwrap();
        let ledger = Ledger::read(storage, &opened).await.unwrap();
        let mut tally = Tally::stored(storage, id).await.unwrap();
        tally.update_whole(storage, &opened, &ledger).await.unwrap();
        for shard in &self.run.plan.shards {
            let key = ArtifactKey::Shard(id.clone(), shard.id);
            if acknowledged.contains_key(&key.path()) {
                assert!(ledger.committed.contains(&shard.id), "{key} is lost");
            }
        }
    }

    /// Proves that the run goes on to a whole end.
    pub(super) async fn check_goes_on(&self) {
        self.store().await;
        let engine = FakeEngine::new(Duration::ZERO);
        engine.mend();
        self.go(&engine).await;
        self.conclude().await;
        let report = audit::audit(self.storage.as_ref(), &self.run).await;
        assert_eq!(report.unwrap().findings, [""; 0]);
    }
}

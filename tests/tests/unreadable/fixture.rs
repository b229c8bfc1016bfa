//! A run of which everything was made, on storage that can be spoilt.

use std::sync::Arc;
use std::time::Duration;

use coordinator::output::{collect, report};
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::Ledger;
use coordinator::work::embedded::Stopped;
use shared::artifact::ArtifactKey;
use shared::ids::{RunId, ShardId};
use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{self, FakeEngine};
use tests::planned;
use tests::vanishing::Vanishing;

pub(super) const SIZE: ShardSize = ShardSize {
    contents: 1,
    styles: 1,
};

/// A run of shards with an item each, of which everything was made that can be.
pub(super) struct Fixture {
    pub(super) storage: Arc<Vanishing>,
    pub(super) run: FrozenRun,
}

impl Fixture {
    pub(super) async fn made(contents: &[&str]) -> Self {
        let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
        let contents: Vec<String> = contents.iter().map(ToString::to_string).collect();
        let run = planned::run("spoilt", &contents, &["night".to_owned()], SIZE);
        planned::store(&*storage, &run).await;
        let whole: Arc<dyn Storage> = Arc::clone(&storage) as Arc<dyn Storage>;
        let stopped = fake_engine::make(&whole, &run, &FakeEngine::new(Duration::ZERO)).await;
        assert_eq!(stopped, Stopped::AtItsEnd);
        Self { storage, run }
    }

    /// Stores counts, manifest and report, as `synth2real run` does.
    pub(super) async fn conclude(&self) {
        let (storage, run) = (&*self.storage, &self.run);
        let ledger = self.ledger().await;
        let collected = collect::collect(storage, run, &ledger).await.unwrap();
        let stored = collected.tally.store(storage, &run.record.run).await;
        stored.unwrap();
        let published = report::publish(storage, run, collected, true).await;
        published.unwrap();
    }

    pub(super) async fn ledger(&self) -> Ledger {
        Ledger::read(&*self.storage, &self.run).await.unwrap()
    }

    pub(super) fn id(&self) -> &RunId {
        &self.run.record.run
    }

    pub(super) fn shard(&self, number: u32) -> ArtifactKey {
        ArtifactKey::Shard(self.id().clone(), ShardId(number))
    }
}

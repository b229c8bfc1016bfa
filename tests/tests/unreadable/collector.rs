//! A collector over two runs, one of which has a file that cannot be read, or whose storage does not answer.

use std::sync::Arc;
use std::time::Duration;

use coordinator::work::collector::{Collector, LiveState, Mode};
use shared::artifact::ArtifactKey;
use shared::ids::RunId;
use shared::storage::{MemoryStorage, Storage};
use tests::planned;
use tests::vanishing::Vanishing;
use tokio_util::sync::CancellationToken;

use super::fixture::SIZE;

/// A collector over two runs, of which none is made.
struct Watched {
    storage: Arc<Vanishing>,
    live: Arc<LiveState>,
    runs: [RunId; 2],
    stop: CancellationToken,
}

impl Watched {
    async fn new() -> Self {
        let storage = Vanishing::of(Arc::new(MemoryStorage::new()));
        let runs = ["aaa", "bbb"].map(|name| {
            let (contents, styles) = (["a".to_owned()], ["night".to_owned()]);
            planned::run(name, &contents, &styles, SIZE)
        });
        for run in &runs {
            planned::store(&*storage, run).await;
        }
        Self {
            storage,
            live: Arc::new(LiveState::default()),
            runs: runs.map(|run| run.record.run),
            stop: CancellationToken::new(),
        }
    }

    fn start(&self) {
        let collector = Collector {
            storage: Arc::clone(&self.storage) as Arc<dyn Storage>,
            queue: None,
            events: None,
            mode: Mode::Manage,
            every: Duration::from_millis(500),
            live: Arc::clone(&self.live),
            stop: self.stop.clone(),
        };
        tokio::spawn(async move { collector.run().await });
    }

    async fn until(&self, is: impl Fn(&Self) -> bool) {
        let mut watch = self.live.watch();
        let wait = async {
            while !is(self) {
                watch.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.expect("the live state has it");
    }

    fn is_shown(&self, place: usize) -> bool {
        self.live.run(&self.runs[place]).is_some()
    }

    fn unreadable(&self) -> Vec<RunId> {
        self.live.unreadable().into_keys().collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_of_one_run_that_cannot_be_read_keeps_no_other_run_waiting() {
    let keys: [fn(RunId) -> ArtifactKey; 2] =
        [ArtifactKey::RunRecord, |run| ArtifactKey::Decision(run, 1)];
    for key_of in keys {
        let watched = Watched::new().await;
        watched.storage.spoil(&key_of(watched.runs[0].clone()));
        watched.start();
        let first = [watched.runs[0].clone()];
        let is = |watched: &Watched| watched.is_shown(1) && watched.unreadable() == first;
        watched.until(is).await;
        watched.storage.restore();
        let is = |watched: &Watched| watched.is_shown(0) && watched.unreadable().is_empty();
        watched.until(is).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_the_look_and_no_other_run_is_blamed_for_it() {
    let watched = Watched::new().await;
    let record = ArtifactKey::RunRecord(watched.runs[0].clone());
    watched.storage.stop_answering_at(&record);
    watched.start();
    let is = |watched: &Watched| watched.live.storage_trouble().is_some();
    watched.until(is).await;
    assert_eq!(watched.unreadable(), [watched.runs[0].clone()]);
    assert!(!watched.is_shown(1));
    watched.storage.answer_again();
    let is = |watched: &Watched| {
        watched.is_shown(0) && watched.is_shown(1) && watched.unreadable().is_empty()
    };
    watched.until(is).await;
}

//! What must be true at every moment, and at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use coordinator::output::audit;
use coordinator::output::quality::reference::ReferenceStatistics;
use coordinator::output::report::RunReport;
use coordinator::output::report::live::LiveReport;
use coordinator::run::ledger::{Ledger, ShardState};
use coordinator::run::tally::Counts;
use coordinator::work::collector::pace;
use jiff::SignedDuration;
use shared::artifact::{ArtifactKey, Writing};
use shared::clock::passed;
use shared::digest;
use shared::item_metric::ItemMetric;
use shared::manifest::{self, Status};
use shared::storage::{MemoryStorage, Storage};
use tests::fake_engine::{self, BAD, CURSED};

use crate::storage::SlowStorage;
use crate::world::World;

/// What was stored before, to see that nothing of it changes.
#[derive(Default)]
pub(crate) struct Witness {
    seen: BTreeMap<String, String>,
}

impl Witness {
    /// Checks what must be true at every moment.
    pub(crate) async fn check(&mut self, world: &World) {
        self.check_nothing_is_rewritten(&world.truth);
        let ledger = world.ledger().await;
        for &shard in &ledger.committed {
            let run = &world.run.record.run;
            let rows = ledger.shard_rows(&world.truth, &world.run, shard).await;
            for row in rows.unwrap() {
                // Whatever the clock was set to meanwhile: no attempt takes an hour.
                let took = row.finished_at.duration_since(row.started_at);
                let hour = SignedDuration::from_hours(1);
                assert!((SignedDuration::ZERO..hour).contains(&took), "{row:?}");
                let Some(output) = &row.output else {
                    assert_ne!(row.status, Status::Done, "{row:?}");
                    assert!(row.error.is_some(), "{row:?}");
                    continue;
                };
                assert_eq!(row.status, Status::Done, "{row:?}");
                let image = ArtifactKey::Image(run.clone(), row.item.clone());
                let label = ArtifactKey::Label(run.clone(), row.item.content.clone());
                for (key, sha256) in [(image, &output.image_sha256), (label, &output.label_sha256)]
                {
                    let stored = world.truth.read(&key).await;
                    let stored = stored.unwrap_or_else(|_| panic!("{key} is gone: {row:?}"));
                    assert_eq!(&digest::sha256(&stored), sha256, "{key}");
                }
            }
        }
    }

    fn check_nothing_is_rewritten(&mut self, truth: &MemoryStorage) {
        let objects: BTreeMap<String, String> = truth
            .snapshot()
            .into_iter()
            .map(|(path, bytes)| (path, digest::sha256(&bytes)))
            .collect();
        for (path, sha256) in &objects {
            if let Some(before) = self.seen.get(path) {
                assert_eq!(before, sha256, "{path} was rewritten");
            }
        }
        let kept = |path: &String| !is_rebuildable(path);
        for path in self.seen.keys().filter(|path| kept(path)) {
            assert!(objects.contains_key(path), "{path} vanished");
        }
        self.seen = objects;
        self.seen.retain(|path, _| !is_rebuildable(path));
    }
}

fn is_rebuildable(path: &str) -> bool {
    let run: shared::ids::RunId = "simulated".parse().unwrap();
    let keys = [
        ArtifactKey::Manifest(run.clone()),
        ArtifactKey::Report(run.clone()),
        ArtifactKey::Tally(run.clone()),
        ArtifactKey::ContactSheet(run),
    ];
    assert!(keys.iter().all(|key| key.writing() == Writing::Rebuildable));
    let folders = ["runs/simulated/fid/", "runs/simulated/making/"];
    keys.iter().any(|key| key.path() == path)
        || folders.iter().any(|folder| path.starts_with(folder))
}

/// Checks what must be true when a run has ended.
pub(crate) async fn check_end(world: &World) {
    let run = &world.run;
    let ledger = world.ledger().await;
    let key = ArtifactKey::Manifest(run.record.run.clone());
    let rows = manifest::read(world.truth.read(&key).await.unwrap()).unwrap();
    let mut items: Vec<_> = rows.iter().map(|row| row.item.clone()).collect();
    let mut planned: Vec<_> = run
        .plan
        .shards
        .iter()
        .flat_map(|shard| shard.items().map(|item| run.plan.item(item)))
        .collect();
    assert!(items.is_sorted(), "the manifest is not sorted");
    items.sort();
    planned.sort();
    assert_eq!(items, planned, "every planned item has one row");

    let is_cursed = |shard| {
        let shard: &coordinator::run::plan::Shard = shard;
        let names = shard
            .contents
            .iter()
            .map(|&content| run.plan.contents[content].name());
        names.clone().any(|name| name.starts_with(CURSED))
    };
    for shard in &run.plan.shards {
        let state = ledger.state(shard.id, run.record.limits.max_attempts);
        let failed = matches!(state, ShardState::Failed { .. });
        assert_eq!(failed, is_cursed(shard), "shard {} is {state:?}", shard.id);
        assert!(!state.is_open(), "shard {} is {state:?}", shard.id);
    }
    for row in &rows {
        let shard = &run.plan.shards[row.shard.0 as usize];
        let expected = if is_cursed(shard) {
            Status::Failed
        } else if row.item.content.starts_with(BAD) && !world.is_mended {
            Status::Quarantined
        } else {
            Status::Done
        };
        assert_eq!(row.status, expected, "{row:?}");
        if let Some(output) = &row.output {
            let image = fake_engine::image(&row.item.content, &row.item.style);
            assert_eq!(output.image_sha256, digest::sha256(&image), "{row:?}");
        }
    }
    let report = audit::audit(&world.truth, run).await.unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    check_report(world).await;
    check_board(world);
}

/// Checks that what is shown of a run is figures, whatever its clocks were set to.
fn check_board(world: &World) {
    let view = world.live.run(&world.run.record.run).unwrap();
    assert_eq!(view.num_remaining(), 0);
    let lengths = view.spans.iter().map(|span| passed(span.start, span.end));
    let lasting: Duration = lengths.sum();
    let pauses = Duration::from_mins(2) * view.spans.len() as u32;
    assert!(pace::worked(&view.spans) <= lasting + pauses);
    let now = world.live.now();
    assert_eq!(view.pace(&BTreeMap::new(), now), None, "it has ended");
    for stretch in pace::history(&view.spans, view.planned_work(), 40, now) {
        assert!(stretch.per_minute.is_finite(), "{stretch:?}");
    }
}

/// Checks that the report is about each image that is done, once, whatever happened on the way.
async fn check_report(world: &World) {
    let run = &world.run;
    let report = RunReport::stored(&world.truth, &run.record.run)
        .await
        .unwrap()
        .unwrap();
    assert!(report.complete);
    check_live_report(world, &report).await;
    for figures in &report.styles {
        let images = run
            .plan
            .shards
            .iter()
            .flat_map(|shard| shard.items())
            .filter_map(|item| {
                let item = run.plan.item(item);
                let key = ArtifactKey::Image(run.record.run.clone(), item.clone());
                (item.style == figures.style).then_some(key)
            });
        let (mut ssim, mut features) = (0.0, Vec::new());
        for key in images {
            if let Ok(image) = world.truth.read(&key).await {
                let quality = fake_engine::quality(&image);
                ssim += quality.figures[ItemMetric::Ssim].unwrap();
                features.push(quality.features.unwrap());
            }
        }
        let done = |row: &&manifest::ManifestRow| {
            row.status == Status::Done && row.item.style == figures.style
        };
        let key = ArtifactKey::Manifest(run.record.run.clone());
        let rows = manifest::read(world.truth.read(&key).await.unwrap()).unwrap();
        let count = rows.iter().filter(done).count();
        assert_eq!(figures.items, count, "{}", figures.style);
        if features.len() != count {
            // A shard that failed for good has images that no row speaks of.
            continue;
        }
        let found = figures.figures[ItemMetric::Ssim].unwrap_or_default();
        assert!(
            (found - ssim / (count.max(1) as f64)).abs() < 1e-12,
            "{}",
            figures.style
        );
        if count < 2 {
            continue;
        }
        let key = ArtifactKey::FeatureStatistics(run.record.run.clone(), figures.style.clone());
        let stored = ReferenceStatistics::read(&world.truth.read(&key).await.unwrap()).unwrap();
        assert_eq!(stored.items, Some(count));
        for (feature, mean) in stored.statistics.mean.iter().enumerate() {
            let sum: f64 = features.iter().map(|of| f64::from(of[feature])).sum();
            assert!(
                (mean - sum / count as f64).abs() < 1e-9,
                "{}",
                figures.style
            );
        }
    }
}

/// Checks that a report of a run under way says the same when nothing is left to come, reads that failed included.
async fn check_live_report(world: &World, report: &RunReport) {
    let ledger = world.ledger().await;
    let storage = world.storage();
    let mut live = LiveReport::new(&Arc::new(world.run.clone()));
    // As it was when half of the shards were committed, and then when all were.
    let mut half = ledger.clone();
    half.committed = half
        .committed
        .into_iter()
        .take(ledger.committed.len() / 2)
        .collect();
    for known in [&half, &ledger] {
        let made = refreshed(&mut live, storage.as_ref(), known).await;
        if known.committed.len() == ledger.committed.len() {
            assert_eq!(
                made.map(|made| made.styles),
                (!ledger.committed.is_empty()).then(|| report.styles.clone())
            );
        }
    }
    let again = live
        .refresh(storage.as_ref(), &ledger, &Counts::default())
        .await;
    assert_eq!(again.unwrap(), None, "there is nothing new to say");
}

/// Returns the next report of a run under way; none if nothing is committed. At the first look storage does not answer.
async fn refreshed(
    live: &mut LiveReport,
    storage: &SlowStorage,
    known: &Ledger,
) -> Option<RunReport> {
    let counts = Counts::default();
    if known.committed.is_empty() {
        let made = live.refresh(storage, known, &counts).await;
        return made.unwrap();
    }
    storage.failing_reads.store(usize::MAX, Ordering::Relaxed);
    let failed = live.refresh(storage, known, &counts).await;
    storage.failing_reads.store(0, Ordering::Relaxed);
    assert!(failed.is_err(), "{failed:?}");
    for _ in 0..1000 {
        let made = live.refresh(storage, known, &counts).await;
        if let Some(made) = made.unwrap() {
            return Some(made);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("no report was made in a thousand seconds");
}

//! Figures of a run with retries or damaged shards: those of a run that never failed.

use std::sync::Arc;
use std::time::Duration;

use coordinator::output::collect;
use coordinator::output::quality::fold::RunFold;
use coordinator::output::report::RunReport;
use coordinator::output::report::live::LiveReport;
use coordinator::run::ledger::Ledger;
use coordinator::run::tally::Counts;
use shared::artifact::ArtifactKey;
use shared::ids::ShardId;
use shared::item_metric::ItemMetric;
use shared::storage::Storage;

use super::fixture::{Fixture, numbers};

/// Returns what a fold says of each style.
fn said(fold: &RunFold) -> Vec<(String, usize, Option<f64>)> {
    let styles = fold.styles.iter();
    let of = |style: &coordinator::output::quality::fold::StyleFold| {
        (style.items.done, style.items.means[ItemMetric::Ssim])
    };
    styles
        .map(|(name, style)| {
            let (done, ssim) = of(style);
            (name.clone(), done, ssim.value())
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn manifest_counts_and_figures_are_those_of_a_run_that_never_failed() {
    let made = async |mended_from_the_start: bool| {
        let fixture = Fixture::of(&["a", "bad-1", "bad-2"]).await;
        if mended_from_the_start {
            fixture.engine.mend();
        }
        fixture.go().await;
        let (storage, run) = (fixture.storage.as_ref(), Arc::new(fixture.run.clone()));
        let mut live = LiveReport::new(&run);
        let counts = Counts::default();
        let _ = live
            .refresh(storage, &fixture.ledger().await, &counts)
            .await;
        fixture.engine.mend();
        fixture.retry().await;
        fixture.go().await;
        let ledger = fixture.ledger().await;
        let collected = collect::collect(storage, &fixture.run, &ledger)
            .await
            .unwrap();
        // The first of several may be about what there was before; each is made by another thread, in real time.
        let mut later = None;
        while later.is_none() {
            std::thread::park_timeout(Duration::from_millis(5));
            tokio::time::sleep(Duration::from_secs(60)).await;
            let made = live.refresh(storage, &ledger, &collected.counts).await;
            let is_whole = |report: &RunReport| report.styles.iter().all(|style| style.items == 3);
            later = made.unwrap().filter(is_whole);
        }
        let later = later.unwrap();
        (
            said(&collected.fold),
            numbers(&collected.counts),
            later.styles,
        )
    };
    let (retried, whole) = (made(false).await, made(true).await);
    assert_eq!(retried, whole);
    assert_eq!(whole.1, (6, 0, 0));
}

/// Returns how many items the next report of a run under way is about: each is made by another thread, in real time.
async fn reported(live: &mut LiveReport, storage: &dyn Storage, ledger: &Ledger) -> usize {
    loop {
        std::thread::park_timeout(Duration::from_millis(5));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let made = live.refresh(storage, ledger, &Counts::default()).await;
        if let Some(report) = made.unwrap() {
            return report.styles.iter().map(|style| style.items).sum();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_shard_that_is_put_right_comes_into_the_figures_of_a_run_under_way() {
    let fixture = Fixture::of_single_items(&["a", "b"]).await;
    fixture.go().await;
    let (storage, run) = (fixture.storage.as_ref(), Arc::new(fixture.run.clone()));
    let shard = ArtifactKey::Shard(fixture.run.record.run.clone(), ShardId(1));
    let whole = fixture.stored(&shard).await;
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 2] ^= 1;
    storage.replace(&shard, flipped.into()).await.unwrap();
    let mut live = LiveReport::new(&run);
    let ledger = fixture.ledger().await;
    assert_eq!(reported(&mut live, storage, &ledger).await, 3);
    // As long as it was.
    storage.replace(&shard, whole).await.unwrap();
    assert_eq!(fixture.ledger().await, ledger);
    assert_eq!(reported(&mut live, storage, &ledger).await, 4);
}

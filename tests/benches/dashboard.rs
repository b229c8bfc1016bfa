//! First paint of the dashboard in Chromium, with a run of 10,000 shards and 250,000 items.
//!
//! `infra/with-servers.sh cargo bench --package tests --bench dashboard`. An engine that makes tiny images from a hash
//! converts 62,500 contents into four styles; some contents are damaged and some shards fail, so that every list has
//! something to show. `SYNTH2REAL_BENCH_FOLDER` (`/dev/shm`) takes the results, about 2 GB.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::ExponentialBuilder;
use coordinator::run::freeze::FrozenRun;
use coordinator::run::ledger::Ledger;
use coordinator::work::dispatch;
use coordinator::work::resume::{self, Choice};
use shared::clock::SystemClock;
use shared::queue::InProcessBroker;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{LocalStorage, Storage};
use tests::browser::Browser;
use tests::fake_engine::{BAD, CURSED, FakeContextProvider, FakeEngine};
use tests::http::ask;
use tests::planned;
use tests::service::Service;
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

const CONTENTS: usize = 62_500;
const STYLES: usize = 4;
/// 25 items a shard would not divide: 25 contents in one style.
const SHARD: ShardSize = ShardSize {
    contents: 25,
    styles: 1,
};
const NUM_SHARDS: usize = 10_000;
const VISITS: usize = 7;
/// Longest median of first paints.
const ALLOWED_MS: f64 = 300.0;

#[tokio::main]
async fn main() {
    let folder = std::env::var("SYNTH2REAL_BENCH_FOLDER").unwrap_or("/dev/shm".to_owned());
    let folder = tempfile::tempdir_in(folder).unwrap();
    let root = folder.path();
    let started = Instant::now();
    let run = make(root).await;
    println!(
        "{} items in {} shards, made in {:.0} s",
        run.plan.num_items(),
        run.plan.shards.len(),
        started.elapsed().as_secs_f64()
    );
    assert_eq!(run.plan.shards.len(), NUM_SHARDS);
    let started = Instant::now();
    let service = Service::serve(root, &[]);
    while ask(&service.address, "GET", "/api/runs/scale", &[], "").status != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "read by the dashboard in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let longest = paint(&service).await;
    let _ = service.stop().exits(0);
    assert!(longest < ALLOWED_MS, "a first paint takes {longest:.0} ms");
}

/// Plans a run and makes all of it but the last shards, as two workers do.
async fn make(root: &Path) -> FrozenRun {
    let content = |number: usize| match (number % 500, number % 6250) {
        (17, _) => format!("{BAD}{number:06}"),
        (_, 6249) => format!("{CURSED}{number:06}"),
        _ => format!("{number:06}"),
    };
    let mut contents: Vec<String> = (0..CONTENTS).map(content).collect();
    contents.sort();
    let styles: Vec<String> = (0..STYLES).map(|number| format!("style{number}")).collect();
    let storage = Arc::new(LocalStorage::new(root));
    let run = planned::run("scale", &contents, &styles, SHARD);
    planned::store(storage.as_ref(), &run).await;
    let broker = InProcessBroker::new();
    let ledger = Ledger::read(storage.as_ref(), &run).await.unwrap();
    let mut redo = resume::find(storage.as_ref(), &run, &ledger, &Choice::default())
        .await
        .unwrap();
    redo.truncate(NUM_SHARDS - 50);
    let tasks = resume::tasks(&run, &ledger, &redo);
    dispatch::publish(&broker.work, tasks, |_| {})
        .await
        .unwrap();
    let engine = FakeEngine::new(Duration::ZERO);
    let drain = CancellationToken::new();
    let workers = [0, 1].map(|number| {
        let consumer = Consumer {
            name: format!("worker-{number}"),
            storage: Arc::clone(&storage) as Arc<dyn Storage>,
            broker: broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default().with_max_delay(Duration::from_millis(1)),
            drain: drain.clone(),
            progress: Arc::new(()),
            clock: Arc::new(SystemClock),
            given: None,
            idle: None,
        };
        tokio::spawn(async move { consumer.run().await.unwrap() })
    });
    broker.work.drained().await;
    drain.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    run
}

/// Visits pages, each in a new tab; prints the times until something was painted and returns the longest median.
async fn paint(service: &Service) -> f64 {
    let browser = Browser::start().await;
    let mut longest: f64 = 0.0;
    println!(
        "{:42} {:>9} {:>9} {:>9} {:>9}",
        "milliseconds", "first", "median", "slowest", "KiB"
    );
    for (name, path) in [
        ("a word, for comparison", "/healthz"),
        ("runs", "/"),
        ("run", "/runs/scale"),
        (
            "run, failed shards of a style",
            "/runs/scale?state=failed&style=style1",
        ),
        ("run, last page of shards", "/runs/scale?page=200"),
        ("shard", "/runs/scale/shards/000123"),
        ("losses", "/runs/scale/losses"),
    ] {
        let mut times = Vec::new();
        let mut size = 0.0;
        for _ in 0..VISITS {
            let page = browser.open(&format!("{}{path}", service.address)).await;
            let painted = "performance.getEntriesByName('first-contentful-paint').length";
            page.wait_for("a first paint", painted).await;
            let paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime";
            times.push(page.value::<f64>(paint).await);
            size = page
                .value("performance.getEntriesByType('navigation')[0].encodedBodySize")
                .await;
            page.close().await;
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        let (median, last) = (times[VISITS / 2], times[VISITS - 1]);
        longest = longest.max(median);
        println!(
            "{name:42} {first:>9.0} {median:>9.0} {last:>9.0} {:>9.1}",
            size / 1024.0
        );
    }
    browser.end().await;
    longest
}

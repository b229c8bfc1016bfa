//! Time and memory of a run of a million items, with an engine that makes tiny images from a hash.
//!
//! `cargo bench --package tests --bench scale`. `SYNTH2REAL_BENCH_CONTENTS` (100,000) contents meet ten styles;
//! `SYNTH2REAL_BENCH_FOLDER` (`/dev/shm`) takes the results, about 8 GB for a million items.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use coordinator::output::{audit, collect};
use coordinator::run::freeze::{self, FrozenRun};
use coordinator::run::inventory::Inventory;
use coordinator::run::ledger::Ledger;
use coordinator::run::tally;
use coordinator::work::dispatch;
use coordinator::work::resume::{self, Choice};
use shared::clock::SystemClock;
use shared::platform::Platform;
use shared::queue::{InProcessBroker, InProcessWorkQueue};
use shared::settings::{RunConfig, ShardSize, WatchdogConfig};
use shared::storage::{LocalStorage, Storage};
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::measured::measured;
use tests::{planned, repository};
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;

const STYLES: usize = 10;
const GTA5: usize = 24_966;
const SHARD: ShardSize = ShardSize {
    contents: 4,
    styles: 3,
};

#[tokio::main]
async fn main() {
    let given =
        |variable: &str, default: &str| std::env::var(variable).unwrap_or(default.to_owned());
    let contents: usize = given("SYNTH2REAL_BENCH_CONTENTS", "100000")
        .parse()
        .unwrap();
    let folder = given("SYNTH2REAL_BENCH_FOLDER", "/dev/shm");
    let folder = tempfile::tempdir_in(folder).unwrap();
    tests::measured::head();
    plan_gta5(folder.path()).await;
    run(contents, folder.path()).await;
}

/// Lists and plans a dataset as large as GTA5, from real files.
async fn plan_gta5(folder: &Path) {
    let demo = repository("infra/demo");
    for part in ["images", "labels"] {
        let part = folder.join("gta5").join(part);
        std::fs::create_dir_all(&part).unwrap();
        for number in 1..=GTA5 {
            std::fs::write(part.join(format!("{number:05}.png")), b"x").unwrap();
        }
    }
    for part in ["images", "labels"] {
        let part = folder.join("style").join(part);
        std::fs::create_dir_all(&part).unwrap();
        for number in 0..STYLES {
            let suffix = if part.ends_with("images") {
                "_rgb_anon"
            } else {
                "_gt_labelColor"
            };
            std::fs::write(part.join(format!("night_{number}{suffix}.png")), b"x").unwrap();
        }
    }
    let settings = format!(
        "[run]\nname = 'gta5'\nroot = '{0}/out'\n[content]\nroot = '{0}/gta5'\nlayout = 'gta5'\n\
         [style]\nroot = '{0}/style'\n[model]\npath = '{1}/model'\n",
        folder.display(),
        demo.display()
    );
    let path = folder.join("run.toml");
    std::fs::write(&path, settings).unwrap();
    let config = RunConfig::load(&path).unwrap();
    let inventory = measured("list and plan GTA5 x 10 styles", Inventory::take(&config))
        .await
        .unwrap();
    assert_eq!(inventory.plan.num_items(), GTA5 * STYLES);
    let storage = LocalStorage::new(folder.join("out"));
    let launch = async {
        let platform = Platform::default();
        freeze::open_or_create(&storage, &config, &inventory, &platform, &SystemClock)
            .await
            .unwrap();
        let run = freeze::open(&storage, &config.run).await.unwrap();
        publish(&storage, &run, &InProcessWorkQueue::new()).await;
    };
    measured("freeze and hand its shards to a queue", launch).await;
}

async fn run(contents: usize, folder: &Path) {
    let names = |prefix: &str, count: usize| -> Vec<String> {
        (0..count)
            .map(|number| format!("{prefix}{number:06}"))
            .collect()
    };
    let storage = Arc::new(LocalStorage::new(folder.join("out")));
    let plan = async {
        planned::run(
            "scale",
            &names("", contents),
            &names("style", STYLES),
            SHARD,
        )
    };
    let run = measured("plan", plan).await;
    println!(
        "{} items in {} shards",
        run.plan.num_items(),
        run.plan.shards.len()
    );
    let broker = InProcessBroker::new();
    let launch = async {
        planned::store(storage.as_ref(), &run).await;
        publish(storage.as_ref(), &run, &broker.work).await;
    };
    measured("launch: store, look for what is done, publish", launch).await;
    measured("two workers with the fake engine", work(&storage, &broker)).await;

    let storage = storage.as_ref();
    let id = &run.record.run;
    let open = async { freeze::open(storage, id).await.unwrap() };
    let run = measured("open", open).await;
    let read = async { Ledger::read(storage, &run).await.unwrap() };
    let ledger = measured("status: ledger", read).await;
    let count = async { tally::count(storage, &run, &ledger).await.unwrap() };
    let counts = measured("status: count, when nobody has counted", count).await;
    assert_eq!(counts.done, run.plan.num_items());
    let find = async {
        resume::find(storage, &run, &ledger, &Choice::default())
            .await
            .unwrap()
    };
    assert_eq!(measured("resume: look for what is missing", find).await, []);
    let collecting = async {
        let collected = collect::collect(storage, &run, &ledger).await.unwrap();
        collected.tally.store(storage, id).await.unwrap();
        collected
    };
    assert_eq!(
        measured("collect", collecting).await.counts.done,
        run.plan.num_items()
    );
    let count = async { tally::count(storage, &run, &ledger).await.unwrap() };
    measured("status: count, afterwards", count).await;
    let auditing = async { audit::audit(storage, &run).await.unwrap() };
    let report = measured("audit", auditing).await;
    assert!(report.findings.is_empty(), "{:?}", report.findings.first());
}

async fn publish(storage: &dyn Storage, run: &FrozenRun, queue: &InProcessWorkQueue) {
    let ledger = Ledger::read(storage, run).await.unwrap();
    let redo = resume::find(storage, run, &ledger, &Choice::default())
        .await
        .unwrap();
    let tasks = resume::tasks(run, &ledger, &redo);
    dispatch::publish(queue, tasks, |_| {}).await.unwrap();
}

async fn work(storage: &Arc<LocalStorage>, broker: &InProcessBroker) {
    let engine = FakeEngine::new(Duration::ZERO);
    let drain = CancellationToken::new();
    let workers = [0, 1].map(|number| {
        let consumer = Consumer {
            name: format!("worker-{number}"),
            storage: Arc::clone(storage) as Arc<dyn Storage>,
            broker: broker.ports(),
            run_contexts: Arc::new(FakeContextProvider(Arc::clone(&engine))),
            watchdog: WatchdogConfig::default(),
            pauses: ExponentialBuilder::default(),
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
}

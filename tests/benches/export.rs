//! Time and memory of exports of a run of 250,000 items, in every layout.
//!
//! `cargo bench --package tests --bench export`. `SYNTH2REAL_BENCH_CONTENTS` (25,000) contents were converted to ten styles
//! by an engine that makes tiny images from a hash; `SYNTH2REAL_BENCH_FOLDER` (`/dev/shm`) takes the run and one export at a
//! time, some 8 GB.
#![expect(clippy::unwrap_used, reason = "a program for people")]

use std::sync::Arc;
use std::time::Duration;

use coordinator::output::collect;
use coordinator::output::export::options::{FILE_BYTES, Filters, Options, Splits};
use coordinator::output::export::{self, Format, Job, Source, Watch, check};
use coordinator::run::freeze;
use coordinator::run::ledger::Ledger;
use shared::location::Location;
use shared::settings::ShardSize;
use shared::storage::{LocalStorage, Storage};
use shared::target;
use tests::fake_engine::{self, FakeEngine};
use tests::measured::{head, measured};
use tests::planned;
use tokio_util::sync::CancellationToken;

const STYLES: usize = 10;
const SHARD: ShardSize = ShardSize {
    contents: 4,
    styles: 3,
};

#[tokio::main]
async fn main() {
    let given =
        |variable: &str, default: &str| std::env::var(variable).unwrap_or(default.to_owned());
    let contents = given("SYNTH2REAL_BENCH_CONTENTS", "25000");
    let contents: usize = contents.parse().unwrap();
    let folder = given("SYNTH2REAL_BENCH_FOLDER", "/dev/shm");
    let folder = tempfile::tempdir_in(folder).unwrap();
    let root = folder.path().join("out");
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(&root));

    let names = |prefix: &str, count: usize| -> Vec<String> {
        (0..count)
            .map(|number| format!("{prefix}{number:06}"))
            .collect()
    };
    let contents = names("", contents);
    let run = planned::run("export", &contents, &names("style", STYLES), SHARD);
    planned::store(storage.as_ref(), &run).await;
    let engine = FakeEngine::new(Duration::ZERO);
    head();
    measured("a run with the fake engine", async {
        fake_engine::make(&storage, &run, &engine).await
    })
    .await;
    let run = freeze::open(storage.as_ref(), &run.record.run);
    let run = run.await.unwrap();
    let ledger = Ledger::read(storage.as_ref(), &run).await.unwrap();
    let collecting = async {
        collect::store_tally(storage.as_ref(), &run, &ledger)
            .await
            .unwrap();
        collect::collect(storage.as_ref(), &run, &ledger)
            .await
            .unwrap();
    };
    measured("collect", collecting).await;

    let source = Source {
        storage: storage.as_ref(),
        root: &Location::Folder(root.clone()),
        run: &run,
        ledger: &ledger,
    };
    for format in Format::ALL {
        let place = folder.path().join(format.to_string());
        let out = Location::Folder(place.clone());
        let target = target::open(&out).await.unwrap();
        let options = Options {
            format,
            filters: Filters::default(),
            splits: Splits {
                train: "train".parse().unwrap(),
                validation: None,
            },
            partial: false,
            link: false,
            file_bytes: FILE_BYTES,
            licences: Vec::new(),
        };
        let job = Job {
            source,
            target: target.as_ref(),
            out: &out,
            options: &options,
            watch: &Unwatched,
            stop: CancellationToken::new(),
        };
        let exporting = async { export::export(&job).await.unwrap() };
        let exported = measured(&format!("export --as {format}"), exporting).await;
        let num_items: usize = exported.splits.iter().map(|(_, count)| count).sum();
        assert_eq!(num_items, run.plan.num_items());
        let checking = async { check::check(target.as_ref(), &run.record.run, &Unwatched).await };
        let checked = measured(&format!("export --as {format} --check"), checking).await;
        assert_eq!(checked.unwrap().findings, Vec::<String>::new());
        std::fs::remove_dir_all(place).unwrap();
    }
}

/// Hears nothing.
struct Unwatched;

impl Watch for Unwatched {
    fn begins(&self, _: usize, _: &'static str) {}

    fn reached(&self, _: usize) {}
}

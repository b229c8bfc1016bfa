//! What is counted and timed: shown by real programs, true, and known to alerts and dashboard.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod monitoring;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use coordinator::ui::metrics;
use coordinator::work::collector::{Collector, LiveState, Mode};
use coordinator::work::dispatch;
use shared::clock::SystemClock;
use shared::decision::{Decision, DecisionKind, Decisions};
use shared::manifest::{ManifestRow, Work};
use shared::metrics::{Exporter, names};
use shared::queue::InProcessBroker;
use shared::settings::{ShardSize, WatchdogConfig};
use shared::storage::{LocalStorage, Storage};
use tests::broker::Options;
use tests::fake_engine::{FakeContextProvider, FakeEngine};
use tests::fleet::{Fleet, RUN};
use tests::prometheus::{Shown, get};
use tests::{planned, repository, stored};
use tokio_util::sync::CancellationToken;
use worker::consumer::Consumer;
use worker::metrics::{Identity, Meters};

const STAGE: &str = "synth2real_worker_stage_seconds";
const LAST_DECISION: &str = "synth2real_run_last_decision_timestamp_seconds";
const UNET: &str = "synth2real_engine_unet_evaluation_seconds";

fn with_prefix(prefixes: &[&str]) -> BTreeSet<String> {
    let all = names::ALL.iter().map(|metric| metric.name());
    all.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .map(str::to_owned)
        .collect()
}

fn ours(shown: &Shown) -> BTreeSet<String> {
    let names = shown.names().into_iter();
    names
        .filter(|name| name.starts_with("synth2real_"))
        .collect()
}

/// The manifest has times in milliseconds, each rounded once more when they are added up.
fn is_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-6 * expected.abs().max(1.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_shows_while_it_converts_adds_up_to_the_manifest() {
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.worker_settings = "metrics = '127.0.0.1:0'";
    fleet.join();
    let address = fleet.metrics_address(0);
    fleet.wait_until("it waits", |_| {
        Shown::at(&address)
            .names()
            .contains("synth2real_worker_busy")
    });
    assert_eq!(Shown::at(&address).sum("synth2real_worker_busy", &[]), 0.0);
    let _ = fleet.launch().exits(0);
    fleet.serve();
    fleet.wait_for_images(2);
    fleet.wait_until("it is busy", |_| {
        Shown::at(&address).sum("synth2real_worker_busy", &[]) == 1.0
    });
    assert!(Shown::at(&address).sum(&format!("{UNET}_count"), &[]) > 0.0);
    fleet.wait_until_complete();
    fleet.wait_until("it waits again", |_| {
        Shown::at(&address).sum("synth2real_worker_busy", &[]) == 0.0
    });
    let shown = Shown::at(&address);
    assert_eq!(get(&address, "/healthz").1, "ok\n");
    assert_eq!(get(&address, "/readyz").1, "ok\n");
    let rebound = tests::http::ask(&address, "GET", "/metrics", &["Host: evil.example"], "");
    assert_eq!(rebound.status, 421);

    let of_run = format!("run=\"{RUN}\"");
    let count = |name, label| shown.sum(name, &[&of_run, label]);
    assert_eq!(
        count("synth2real_worker_items_total", "state=\"done\""),
        36.0
    );
    let committed = count("synth2real_worker_attempts_total", "outcome=\"committed\"");
    assert_eq!(committed, 12.0);
    check_times(&shown, &fleet.rows());

    let identity = ["worker=\"worker-1\"", "device=\"cpu\""];
    assert_eq!(shown.sum("synth2real_worker_info", &identity), 1.0);
    let model = model_bytes();
    assert_eq!(
        shown.sum("synth2real_engine_model_bytes", &[]),
        model as f64
    );
    let in_memory = shown.sum("synth2real_engine_style_bank_bytes", &["place=\"memory\""]);
    assert!(in_memory > 0.0);
    let (operations, requests) = (
        "synth2real_s3_operations_total",
        "synth2real_s3_requests_total",
    );
    assert!(shown.sum(operations, &[]) >= 36.0);
    assert!(shown.sum(requests, &[]) >= shown.sum(operations, &[]));
    assert!(shown.sum("process_resident_memory_bytes", &[]) > model as f64);
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!(shown.sum("process_start_time_seconds", &[]) <= now);
    let mut expected = with_prefix(&["synth2real_worker", "synth2real_engine", "synth2real_s3"]);
    // Nothing failed.
    expected.remove(names::WORKER_ATTEMPTS_FAILED.name);
    assert_eq!(ours(&shown), expected);
    let _ = fleet.end();
}

/// A column of the manifest.
type Column = fn(&Work) -> f64;

/// One worker has made everything, so its times are those of the manifest.
fn check_times(shown: &Shown, rows: &[ManifestRow]) {
    let works: Vec<Work> = rows.iter().filter_map(|row| row.work).collect();
    assert_eq!(works.len(), 36);
    let sum = |of: Column| works.iter().map(of).sum::<f64>();
    let stages: [(&str, Column); 6] = [
        ("load", |work| work.load_ms),
        ("encode", |work| work.encode_ms),
        ("denoise", |work| work.denoise_ms),
        ("decode", |work| work.decode_ms),
        ("store", |work| work.store_ms),
        ("judge", |work| work.quality_ms),
    ];
    for (stage, of) in stages {
        let label = format!("stage=\"{stage}\"");
        let seconds = shown.sum(&format!("{STAGE}_sum"), &[&label]);
        assert!(is_close(seconds, sum(of) / 1000.0), "{stage}: {seconds}");
        assert_eq!(shown.sum(&format!("{STAGE}_count"), &[&label]), 36.0);
        let all = shown.sum(&format!("{STAGE}_bucket"), &[&label, "le=\"+Inf\""]);
        assert_eq!(all, 36.0);
    }
    let evaluations = sum(|work| work.unet_evaluations + work.style_evaluations);
    let shown_evaluations = shown.sum(&format!("{UNET}_count"), &[]);
    assert!(
        is_close(shown_evaluations, evaluations),
        "{shown_evaluations} {evaluations}"
    );

    let style = ["stage=\"style\""];
    assert_eq!(shown.sum(&format!("{STAGE}_count"), &style), 3.0);
    let recording = shown.sum(&format!("{STAGE}_sum"), &style);
    let around = sum(|work| work.denoise_ms) / 1000.0 + recording;
    let in_unet = shown.sum(&format!("{UNET}_sum"), &[]);
    assert!(
        in_unet < around && in_unet > 0.5 * around,
        "{in_unet} s of {around} s"
    );
    // Shown in whole seconds.
    let busy = shown.sum("synth2real_worker_busy_seconds_total", &[]);
    assert!(
        busy + 1.0 > around,
        "{busy} s, with {around} s of conversion"
    );
}

fn model_bytes() -> u64 {
    let folder = repository("infra/demo/model");
    let files = stored::paths(&folder).into_iter();
    files
        .filter(|file| file != "model.json")
        .map(|file| std::fs::metadata(folder.join(file)).unwrap().len())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_else_has_is_refused_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("worker.toml");
    let text = format!("root = 'out'\nmetrics = '{address}'\n[broker]\nurl = 'amqp://127.0.0.1:1'");
    std::fs::write(&settings, text).unwrap();
    let mut command = std::process::Command::new(tests::program::path_of("worker"));
    command.arg("--config").arg(settings);
    let outcome = tests::program::Outcome::of(&mut command).exits(2);
    let complaint = outcome.stderr.lines().last().unwrap();
    let expected =
        format!("worker: metrics ({address}) must be an address of this machine and a free port");
    assert!(complaint.starts_with(&expected), "{outcome}");
    assert!(complaint.contains("choose another"), "{outcome}");
}

fn collector(storage: &Arc<dyn Storage>, broker: &InProcessBroker) -> Collector {
    Collector {
        storage: Arc::clone(storage),
        queue: Some(broker.ports().work),
        events: Some(broker.ports().events),
        mode: Mode::Manage,
        live: Arc::new(LiveState::default()),
        every: Duration::from_millis(20),
        stop: CancellationToken::new(),
    }
}

fn consumer(
    storage: &Arc<dyn Storage>,
    broker: &InProcessBroker,
    drain: &CancellationToken,
) -> Consumer {
    Consumer {
        name: "here".to_owned(),
        storage: Arc::clone(storage),
        broker: broker.ports(),
        run_contexts: Arc::new(FakeContextProvider(FakeEngine::new(Duration::from_millis(
            5,
        )))),
        watchdog: WatchdogConfig::default(),
        pauses: ExponentialBuilder::default().with_max_delay(Duration::from_millis(10)),
        drain: drain.clone(),
        progress: Arc::new(Meters::new(Identity {
            name: "here",
            device: "fake",
            version: "0",
        })),
        clock: Arc::new(SystemClock),
        given: None,
        idle: None,
    }
}

/// How many items of the run are in a state.
fn items(shown: &Shown, state: &str) -> f64 {
    shown.sum(
        "synth2real_run_items",
        &["run=\"shown\"", &format!("state=\"{state}\"")],
    )
}

/// Proves that a whole run is shown: two items done, one quarantined, and one given up after three attempts.
fn shows_what_was_made(after: &Shown, started: f64) {
    for (state, count) in [
        ("done", 2.0),
        ("quarantined", 1.0),
        ("failed", 1.0),
        ("pending", 0.0),
    ] {
        assert_eq!(items(after, state), count, "{state}");
    }
    for (state, count) in [("committed", 3.0), ("failed", 1.0), ("open", 0.0)] {
        let label = format!("state=\"{state}\"");
        assert_eq!(
            after.sum("synth2real_run_shards", &[&label]),
            count,
            "{state}"
        );
    }
    assert_eq!(after.sum("synth2real_run_attempts_failed", &[]), 3.0);
    let by_class = after.sum(
        "synth2real_worker_attempts_failed_total",
        &["class=\"transient\""],
    );
    assert_eq!(by_class, 3.0);
    assert_eq!(after.sum("synth2real_run_unet_evaluations", &[]), 2.0);
    assert_eq!(after.sum("synth2real_run_items_converted", &[]), 2.0);
    for metric in [
        "synth2real_run_label_agreement_ratio",
        "synth2real_run_style_label_agreement_ratio",
        "synth2real_run_label_accuracy_ratio",
        // Of the one class that the label shows.
        "synth2real_run_label_class_iou_ratio",
    ] {
        for (of, share) in [("content", 1.0), ("output", 0.875)] {
            let label = format!("of=\"{of}\"");
            assert_eq!(after.sum(metric, &[&label]), share, "{metric} {of}");
        }
    }
    assert_eq!(after.sum("synth2real_run_items_doubtful", &[]), 0.0);
    assert_eq!(after.sum("synth2real_queue_reachable", &[]), 1.0);
    let commit = after.sum("synth2real_run_last_commit_timestamp_seconds", &[]);
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!((started..=now).contains(&commit), "{commit}");
    assert_eq!(after.sum(LAST_DECISION, &[]), 0.0);
    let expected = with_prefix(&["synth2real_run", "synth2real_queue", "synth2real_collector"]);
    assert!(expected.is_subset(&ours(after)), "{:?}", ours(after));
}

/// The metrics of a process are kept once, so this is the only test here that keeps them in its own.
#[tokio::test]
async fn what_the_collector_shows_is_what_storage_and_queue_hold() {
    let started = jiff::Timestamp::now().as_second() as f64;
    let exporter = metrics::install();
    let before_all = Shown::read(exporter.render());
    for counter in [
        "synth2real_collector_dead_letters_total",
        "synth2real_s3_operations_total",
        "synth2real_s3_requests_total",
    ] {
        assert_eq!(before_all.sum(counter, &[]), 0.0, "{counter}");
    }
    let last_look = "synth2real_collector_last_look_timestamp_seconds";
    assert!(before_all.sum(last_look, &[]) >= started);
    let folder = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage::new(folder.path()));
    let contents = ["a", "bad-b", "cursed-c", "segmented-d"].map(str::to_owned);
    let one = ShardSize {
        contents: 1,
        styles: 1,
    };
    let run = planned::run("shown", &contents, &["night".to_owned()], one);
    planned::store(storage.as_ref(), &run).await;
    let removed = planned::run("removed", &contents, &["night".to_owned()], one);
    planned::store(storage.as_ref(), &removed).await;
    let broker = InProcessBroker::new();
    let collector = collector(&storage, &broker);
    let collecting = tokio::spawn(async move { collector.run().await });
    let tasks = run.plan.shards.iter();
    let tasks = tasks.map(|shard| run.plan.task(&run.record.run, shard));
    dispatch::publish(&broker.work, tasks, |_| {})
        .await
        .unwrap();
    let before = until(exporter, "the run is seen", |shown| {
        shown.names().contains("synth2real_run_items")
            && shown.text.contains("run=\"removed\"")
            && shown.sum("synth2real_queue_shards_ready", &[]) == 4.0
    });
    let before = before.await;
    assert_eq!(items(&before, "pending"), 4.0);
    assert_eq!(before.sum("synth2real_run_complete", &[]), 0.0);
    std::fs::remove_dir_all(folder.path().join("runs/removed")).unwrap();
    let without = until(exporter, "the removed run is forgotten", |shown| {
        !shown.text.contains("run=\"removed\"")
    });
    assert_eq!(items(&without.await, "pending"), 4.0);

    let drain = CancellationToken::new();
    let consumer = consumer(&storage, &broker, &drain);
    let working = tokio::spawn(async move { consumer.run().await });
    let after = until(exporter, "the run is complete", |shown| {
        shown.sum("synth2real_run_complete", &[]) == 1.0
            && shown.sum("synth2real_collector_dead_letters_total", &[]) == 1.0
            && shown.sum("synth2real_queue_workers", &[]) == 1.0
    });
    let after = after.await;
    shows_what_was_made(&after, started);
    drain.cancel();
    working.await.unwrap().unwrap();

    let halt = DecisionKind::Halt {
        reason: "cancelled".to_owned(),
    };
    let mut decisions = Decisions::default();
    let halt = Decision::made(halt, &SystemClock);
    let deciding = decisions.decide_next(storage.as_ref(), &run.record.run, halt);
    deciding.await.unwrap();
    let halted = until(exporter, "the decision is seen", |shown| {
        shown.sum("synth2real_run_halted", &[]) == 1.0
    });
    let decided = halted.await.sum(LAST_DECISION, &[]);
    assert_eq!(decided, decisions.last_at.unwrap().as_second() as f64);
    collecting.abort();
}

/// Looks again and again until the metrics are as they will be.
async fn until(exporter: &Exporter, what: &str, is_so: impl Fn(&Shown) -> bool) -> Shown {
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let text = exporter.render();
        let ready =
            text.contains("synth2real_run_complete") && text.contains("synth2real_queue_workers");
        if ready {
            let shown = Shown::read(text);
            if is_so(&shown) {
                return shown;
            }
            assert!(
                std::time::Instant::now() < patience,
                "not yet: {what}\n{}",
                shown.text
            );
        }
    }
}

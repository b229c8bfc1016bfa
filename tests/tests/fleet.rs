//! One coordinator and four workers as real processes, on the demo's dataset with the demo's model, disturbed while
//! they work. Each run ends with every item once and with the bytes of an undisturbed run in one process.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use futures::StreamExt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use shared::queue::message::EventKind;
use tests::broker::Options;
use tests::fleet::{Fleet, RUN};
use tests::s3_server::{Asked, Fault};

const SEED: &str = "SYNTH2REAL_TEST_SEED";
const WORKERS: usize = 4;

/// Returns a generator whose seed is printed and can be given.
fn chance() -> ChaCha12Rng {
    let given = std::env::var(SEED).ok();
    let seed = given.map_or(31, |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    ChaCha12Rng::seed_from_u64(seed)
}

/// Starts a fleet whose run is launched and watched.
async fn launched(prepare: impl FnOnce(&mut Fleet)) -> Fleet {
    let mut fleet = Fleet::new(Options::default()).await;
    prepare(&mut fleet);
    let outcome = fleet.launch().exits(0);
    assert!(outcome.stdout.contains("12 shards published"), "{outcome}");
    fleet.serve();
    (0..WORKERS).for_each(|_| fleet.join());
    fleet
}

/// Proves that the run is whole and the same as an undisturbed one, that every process can stop in order, and that
/// none of them has said a secret.
fn conclude(fleet: Fleet) {
    fleet.wait_until_complete();
    assert_eq!(fleet.ending(), fleet.undisturbed());
    let secrets = [
        "guest:guest".to_owned(),
        fleet.s3.environment()[2].1.clone(),
    ];
    let stored = tests::stored::texts(&fleet.s3.folder().join("results"));
    let logs = fleet.end();
    assert!(
        logs.iter().any(|log| log.contains("worker starts")),
        "{logs:?}"
    );
    for text in logs.into_iter().chain(stored) {
        for secret in &secrets {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret:?} was said");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_a_restarted_broker_and_cut_connections_lose_nothing() {
    let mut chance = chance();
    let mut fleet = launched(|_| {}).await;
    for _ in 0..4 {
        fleet.wait_for_images(chance.random_range(1..4));
        fleet.kill(chance.random_range(0..fleet.num_workers()));
        fleet.join();
    }
    fleet.wait_until_joined();
    fleet.broker_wire.cut();
    fleet.wait_for_images(1);
    fleet.broker.stop();
    fleet.broker.start_again().await;
    fleet.wait_for_images(1);
    fleet.broker.kill();
    fleet.broker.start_again().await;
    conclude(fleet);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_fails_and_is_cut_off_loses_nothing() {
    let fleet = launched(Fleet::put_inputs_into_bucket).await;
    for (asked, fault) in [
        (Asked::Put, Fault::SlowDown),
        (Asked::Put, Fault::CutAfter),
        (Asked::Get, Fault::InternalError),
        (Asked::Put, Fault::CutBefore),
        (Asked::Head, Fault::SlowDown),
        (Asked::Get, Fault::CutInside),
        (Asked::Put, Fault::Contended),
        (Asked::List, Fault::InternalError),
    ] {
        fleet.s3.fail(asked, fault, 4);
        fleet.wait_for_images(2);
        fleet.s3_wire.cut();
    }
    conclude(fleet);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_its_disk_is_filled_again_from_storage_alone() {
    let mut fleet = launched(|_| {}).await;
    fleet.wait_for_images(3);
    let outcome = fleet.drain(0).exits(0);
    assert!(outcome.stderr.contains("it was told to"), "{outcome}");
    fleet.kill_service();
    fleet.broker.kill();
    fleet.broker.lose_disk();
    fleet.broker.start_again().await;

    let preview = fleet.synth2real(&["resume", RUN, "--dry-run"]).exits(0);
    assert!(preview.stdout.contains("not committed"), "{preview}");
    assert!(preview.stdout.contains("would be done again"), "{preview}");
    let _ = fleet.synth2real(&["resume", RUN]).exits(0);
    fleet.serve();
    fleet.join();
    conclude(fleet);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_holds_a_shard_for_too_long_does_no_harm() {
    let options = Options {
        consumer_timeout: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let mut fleet = Fleet::new(options).await;
    fleet.set("shards.contents", 4);
    let _ = fleet.launch().exits(0);
    fleet.serve();
    // Somebody in a hurry leaves in the middle of an image, which costs that image and nothing else. It is alone, so it
    // has a shard in hand, and while nothing can be stored no image ends.
    fleet.join();
    fleet.wait_for_images(1);
    fleet.s3_wire.stall();
    let outcome = fleet.hurry(0);
    fleet.s3_wire.pass();
    assert_eq!(outcome.code, Some(143), "{outcome}");
    (0..WORKERS).for_each(|_| fleet.join());
    fleet.wait_for_images(1);
    fleet.s3_wire.stall();
    fleet.wait_until("a shard is held for too long", |fleet| {
        fleet.broker.has_said("timed out waiting for")
    });
    fleet.s3_wire.pass();
    fleet.wait_until_complete();
    assert_eq!(fleet.ending(), fleet.undisturbed());
    let lost = "it will be delivered again";
    let logs = fleet.end();
    assert!(
        logs.iter().any(|log| log.contains(lost)),
        "no shard was held for too long"
    );
}

/// Publishes a message that no coordinator of this version would.
async fn publish(fleet: &Fleet, message: &serde_json::Value) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&fleet.broker.url(), properties).await;
    let connection = connection.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let confirming = channel.confirm_select(ConfirmSelectOptions::default());
    confirming.await.unwrap();
    let payload = message.to_string().into_bytes();
    let sent = channel.basic_publish(
        ShortString::default(),
        "synth2real.shards".into(),
        BasicPublishOptions::default(),
        &payload,
        BasicProperties::default(),
    );
    let _ = sent.await.unwrap().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_inputs_of_their_own_make_what_was_planned_and_nothing_else() {
    let mut fleet = Fleet::new(Options::default()).await;
    let _ = fleet.launch().exits(0);
    let named = |name: &str| {
        let file = json!({"path": "/etc/hostname", "size_bytes": 1});
        json!([{"name": name, "image": file, "label": null}])
    };
    for (shard, contents, styles) in [
        (0, named("../../../elsewhere/label"), named("night")),
        (1, named("00001"), named("../../other/images/night")),
        (2, json!([]), json!([])),
        (99_999, named("00001"), named("night")),
    ] {
        let message = json!({
            "run": RUN, "shard": shard, "first_attempt": 1, "repair": false, "revision": 0,
            "contents": contents, "styles": styles,
        });
        publish(&fleet, &message).await;
    }
    fleet.serve();
    (0..WORKERS).for_each(|_| fleet.join());
    fleet.wait_until_complete();
    let paths = tests::stored::paths(&fleet.stored().join("shards"));
    assert_eq!(paths.len(), 12, "{paths:?}");
    assert!(!fleet.stored().join("attempts").exists());
    conclude(fleet);
}

/// As on spot machines, which are told to stop, and taken away if they do not.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: run by `make test-fleet`"]
async fn sixty_workers_that_stop_and_fifteen_that_are_killed_fail_no_shard() {
    let mut fleet = Fleet::new(Options::default()).await;
    // All of it is one shard.
    fleet.set("shards.contents", 12);
    let _ = fleet.launch().exits(0);
    fleet.serve();
    for turn in 0..75 {
        fleet.join();
        fleet.wait_until_in_hand(0);
        if turn % 5 == 4 {
            fleet.kill(0);
        } else {
            let _ = fleet.drain(0).exits(0);
        }
    }
    let depth = fleet.ports().await.work.depth().await.unwrap();
    assert_eq!(depth.dead, 0);
    assert!(!fleet.stored().join("attempts").exists());
    fleet.join();
    conclude(fleet);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_stops_and_goes_on_when_it_is_resumed() {
    // Everything is logged that can be: no secret is in it.
    let fleet = launched(|fleet| fleet.log_filter = "trace").await;
    fleet.wait_for_images(2);
    let _ = fleet.synth2real(&["cancel", RUN]).exits(0);
    fleet.wait_until("no shard waits", |fleet| {
        let status = fleet.synth2real(&["status", RUN, "--json"]).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["halted"], "cancelled", "{status}");
        status["broker"]["ready"] == 0
    });
    let status = fleet.synth2real(&["status", RUN]);
    assert!(status.stdout.contains("halted (cancelled)"), "{status}");
    let resumed = fleet.synth2real(&["resume", RUN]).exits(0);
    assert!(resumed.stdout.contains("published"), "{resumed}");
    conclude(fleet);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_nobody_listens_to_make_their_run() {
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.log_filter = "debug";
    let _ = fleet.launch().exits(0);
    fleet.serve();
    (0..2).for_each(|_| fleet.join_unheard());
    fleet.wait_until_complete();
    assert_eq!(fleet.ending(), fleet.undisturbed());
    let _ = fleet.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_drain_ends_in_order_and_its_shard_is_made_by_another() {
    let mut fleet = Fleet::new(Options::default()).await;
    fleet.set("content.range", "1..=6");
    fleet.set("shards.contents", 6);
    let _ = fleet.launch().exits(0);
    fleet.serve();
    let mut events = fleet.ports().await.events.subscribe().await;
    fleet.join();
    fleet.wait_for_images(4);
    let outcome = fleet.ask_to_drain(0).await.exits(0);
    assert!(outcome.stderr.contains("asked to drain"), "{outcome}");
    let farewell = async {
        loop {
            if let EventKind::WorkerStopped { reason } = events.next().await.unwrap().kind {
                return reason;
            }
        }
    };
    let farewell = tokio::time::timeout(Duration::from_secs(60), farewell).await;
    assert_eq!(farewell.unwrap(), "it was asked to");
    let made_before = fleet.num_images();
    fleet.join();
    fleet.wait_until_complete();
    let (kept, made): (Vec<_>, Vec<_>) =
        (fleet.rows().into_iter()).partition(|row| row.work.is_none());
    assert_eq!(
        kept.len(),
        made_before,
        "the only shard was begun by the first"
    );
    assert!(made.iter().all(|row| row.worker == "worker-2"), "{made:?}");
    conclude(fleet);
}

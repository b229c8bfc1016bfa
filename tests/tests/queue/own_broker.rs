//! What only a broker of a test's own can go through.

use std::process::Command;
use std::sync::Arc;

use futures::StreamExt;
use tests::broker::{Broker, Options};
use tests::program::{Outcome, Running, synth2real};
use tests::project::Project;

use super::faults::event;
use super::*;

const TLS_URL: &str = "SYNTH2REAL_TEST_TLS_URL";

async fn open(url: &str) -> queue::Broker {
    let config = BrokerConfig::new(url, None).expect("an address");
    queue::open(&config).await.expect("a broker")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_a_restart_and_a_kill_and_everybody_goes_on() {
    let mut broker = Broker::start(Options::default()).await;
    let ports = open(&broker.url()).await;
    let queue = &ports.work;
    let tasks: Vec<_> = (0..10).map(task).collect();
    queue.publish(&tasks).await.expect("publishes");
    let mut consumer = queue.consume().await.expect("consumes");
    let mut events = ports.events.subscribe().await;

    let held = next(&mut consumer).await;
    broker.stop();
    is_lost(held).await;
    broker.start_again().await;
    let mut done = work(&mut consumer, 5).await;

    let held = next(&mut consumer).await;
    broker.kill();
    is_lost(held).await;
    broker.start_again().await;
    done.append(&mut work(&mut consumer, 5).await);
    assert_eq!(done.len(), 10, "what was acknowledged did not come again");

    // Its disk is lost: the messages with it, which `resume` makes good, but nobody has to be started again.
    queue.publish(&tasks[..1]).await.expect("publishes again");
    broker.stop();
    broker.lose_disk();
    broker.start_again().await;
    let published = async {
        // The first may find that the connection is gone.
        while queue.publish(&tasks[1..2]).await.is_err() {}
    };
    soon("publishing", published).await;
    assert_eq!(shard(&next(&mut consumer).await), 1);
    let heard = async {
        loop {
            ports.events.emit(&event()).await;
            let patience = Duration::from_millis(200);
            if let Ok(heard) = tokio::time::timeout(patience, events.next()).await {
                return heard;
            }
        }
    };
    assert_eq!(soon("an event", heard).await, Some(event()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_held_too_long_goes_to_somebody_else_and_its_holder_goes_on() {
    let options = Options {
        consumer_timeout: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let broker = Broker::start(options).await;
    let queue = open(&broker.url()).await.work;
    queue.publish(&[task(0)]).await.expect("publishes");
    let mut slow = queue.consume().await.expect("consumes");
    let held = next(&mut slow).await;
    let mut quick = queue.consume().await.expect("consumes");
    assert_eq!(work(&mut quick, 1).await, BTreeSet::from([0]));
    is_lost(held).await;
    drop(quick);
    queue.publish(&[task(1)]).await.expect("publishes");
    assert_eq!(work(&mut slow, 1).await, BTreeSet::from([1]));
}

async fn open_with_patience(broker: &Broker, patience: Duration) -> queue::Broker {
    let mut config = BrokerConfig::new(&broker.url(), None).expect("an address");
    config.alarm_patience = patience;
    queue::open(&config).await.expect("a broker")
}

/// Waits until the broker has told an alarm, or that it has none.
async fn alarm_is(queue: &dyn WorkQueue, expected: Option<&str>) {
    until("the word of the broker", || async {
        let alarm = queue.alarm().await.expect("an answer");
        match (alarm, expected) {
            (Some(alarm), Some(expected)) => alarm.contains(expected),
            (alarm, expected) => alarm.is_none() && expected.is_none(),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_is_told_as_one_and_what_waits_for_its_end_goes_on() {
    let broker = Broker::start(Options::default()).await;
    let ports = open_with_patience(&broker, Duration::from_millis(200)).await;
    let quick = ports.work;
    let patient = open_with_patience(&broker, Duration::from_secs(90))
        .await
        .work;
    let mut consumer = patient.consume().await.expect("consumes");
    patient.publish(&[task(0)]).await.expect("publishes");
    assert_eq!(patient.alarm().await.expect("an answer"), None);

    broker.raise_alarm();
    alarm_is(quick.as_ref(), Some("memory")).await;
    // The second finds the connection of the first held up.
    for _ in 0..2 {
        let published = soon("the alarm", quick.publish(&[task(1)])).await;
        let error = published.expect_err("it is not taken");
        assert_eq!(error.kind, QueueErrorKind::Alarm, "{error}");
        let said = shared::failure::chain(&error);
        assert!(said.contains("low on memory"), "{said}");
    }
    let tried = soon("the alarm", quick.probe()).await;
    assert_eq!(tried.expect_err("held up").kind, QueueErrorKind::Alarm);
    // It answers, and gives and takes back what was published before.
    assert_eq!(quick.depth().await.expect("counts").consumers, 1);
    let held = next(&mut consumer).await;
    let released = soon("giving back", held.settle(Settlement::Release)).await;
    released.expect("it goes back in another way");
    assert_eq!(work(&mut consumer, 1).await, BTreeSet::from([0]));
    // Events are dropped, and cost nobody any time.
    for _ in 0..20 {
        soon("telling", ports.events.emit(&event())).await;
    }

    let tasks: Vec<_> = (10..20).map(task).collect();
    let same = Arc::clone(&patient);
    let waiting = tokio::spawn(async move { same.publish(&tasks).await });
    alarm_is(patient.as_ref(), Some("memory")).await;
    assert!(!waiting.is_finished());
    broker.end_alarm();
    let published = soon("the end of the alarm", waiting).await;
    published.expect("no panic").expect("publishes");
    alarm_is(quick.as_ref(), None).await;
    quick.publish(&[task(20)]).await.expect("publishes again");
    // What was not confirmed may be there as well.
    let mut done = BTreeSet::new();
    while !(10..=20).all(|shard| done.contains(&shard)) {
        done.append(&mut work(&mut consumer, 1).await);
    }
}

/// Returns a project whose shards go to a broker, which is waited for a while when it has an alarm.
fn project(broker: &Broker, patience_seconds: i64) -> Project {
    let mut project = Project::new(2, 1);
    project.set("shards.contents", 1);
    project.set("broker.url", broker.url());
    project.set("broker.alarm_patience_seconds", patience_seconds);
    project
}

fn launch(project: &Project) -> Command {
    let mut command = synth2real();
    command.arg("launch").arg(project.settings());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn launch_tells_an_alarm_ends_when_it_lasts_and_goes_on_when_it_ends() {
    const SAID: &str = "has an alarm and takes no messages";
    let broker = Broker::start(Options::default()).await;
    broker.raise_alarm();
    let first = project(&broker, 1);
    let outcome = Outcome::of(&mut launch(&first)).exits(3);
    outcome.complains_about(&[SAID, "low on memory", "launch it again"]);

    let patient = project(&broker, 600);
    let log = patient.path("log");
    let mut running = Running::start_into(&mut launch(&patient), &log);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    assert!(running.wait_until(|| said().contains(SAID)), "{}", said());
    broker.end_alarm();
    let _ = running.end().exits(0);
    assert!(said().contains("2 shards published"), "{}", said());

    let outcome = Outcome::of(&mut launch(&first)).exits(0);
    assert!(outcome.stdout.contains("2 shards published"), "{outcome}");
    let queue = open(&broker.url()).await.work;
    assert!(queue.depth().await.expect("counts").ready >= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_trusts_the_authorities_of_ssl_cert_file_and_nobody_else() {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let broker = Broker::start(options).await;
    let config = BrokerConfig::new(&broker.tls_url(), None).expect("an address");
    let error = queue::open(&config).await.expect_err("nobody knows it");
    let cause = error.source.expect("a cause").to_string();
    assert!(cause.contains("certificate"), "{cause}");

    // The variable counts for a whole process, so another one tries it.
    let this = std::env::current_exe().expect("the path of the tests");
    let child = Command::new(this)
        .args([
            "--exact",
            "own_broker::the_process_that_trusts_it",
            "--ignored",
        ])
        .env("SSL_CERT_FILE", broker.certificate_authority())
        .env(TLS_URL, broker.tls_url())
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "the other process of tls_trusts_the_authorities_of_ssl_cert_file_and_nobody_else"]
async fn the_process_that_trusts_it() {
    let url = std::env::var(TLS_URL).expect("started by the other test");
    let queue = open(&url).await.work;
    queue.publish(&[task(0)]).await.expect("publishes");
    let mut consumer = queue.consume().await.expect("consumes");
    assert_eq!(work(&mut consumer, 1).await.len(), 1);
}

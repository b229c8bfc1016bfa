//! What only a broker of a test's own can go through.

use std::process::Command;

use futures::StreamExt;
use tests::broker::{Broker, Options};

use super::faults::event;
use super::*;

const TLS_URL: &str = "SYNTH2REAL_TEST_TLS_URL";

async fn open(url: &str) -> RabbitMq {
    let config = BrokerConfig::new(url, None).expect("an address");
    RabbitMq::open(&config).await.expect("a broker")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_a_restart_and_a_kill_and_everybody_goes_on() {
    let mut broker = Broker::start(Options::default()).await;
    let queue = open(&broker.url()).await;
    let tasks: Vec<_> = (0..10).map(task).collect();
    queue.publish(&tasks).await.expect("publishes");
    let mut consumer = queue.consume().await.expect("consumes");
    let mut events = queue.listen().await;

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
            queue.tell(&event()).await;
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
    let queue = open(&broker.url()).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_trusts_the_authorities_of_ssl_cert_file_and_nobody_else() {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let broker = Broker::start(options).await;
    let config = BrokerConfig::new(&broker.tls_url(), None).expect("an address");
    let error = RabbitMq::open(&config).await.expect_err("nobody knows it");
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
    let queue = open(&url).await;
    queue.publish(&[task(0)]).await.expect("publishes");
    let mut consumer = queue.consume().await.expect("consumes");
    assert_eq!(work(&mut consumer, 1).await.len(), 1);
}

//! Events told and heard, and requests.
#![expect(missing_docs, reason = "each name is its sentence")]

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::{Subject, soon, task, until};
use crate::event::{Event, Happening};
use crate::ids::ShardId;
use crate::request::Request;

pub async fn events_reach_every_listener(subject: &Subject) {
    let mut listeners = [subject.queue.listen().await, subject.queue.listen().await];
    subject.queue.tell(&event(7)).await;
    for listener in &mut listeners {
        let heard = soon("an event", listener.next()).await;
        assert_eq!(heard, Some(event(7)));
    }
}

pub async fn nobody_has_to_listen(subject: &Subject) {
    soon("telling", subject.queue.tell(&event(7))).await;
}

pub async fn a_request_reaches_every_worker_of_its_name(subject: &Subject) {
    let mut asked = [listens(subject, "w.1").await, listens(subject, "w.1").await];
    assert!(asks(subject, "w.1").await);
    for worker in &mut asked {
        hears(worker).await;
    }
}

pub async fn a_request_that_nobody_of_its_name_hears_is_told(subject: &Subject) {
    let mut others = [listens(subject, "w").await, listens(subject, "w.*").await];
    for name in ["w.1", "#", "", &"w".repeat(256)] {
        assert!(!asks(subject, name).await, "{name:?}");
    }
    for (worker, name) in others.iter_mut().zip(["w", "w.*"]) {
        assert!(asks(subject, name).await);
        hears(worker).await;
        assert!(worker.next().now_or_never().is_none(), "{name} heard two");
    }
}

pub async fn a_worker_that_went_is_asked_no_more(subject: &Subject) {
    let worker = listens(subject, "w1").await;
    assert!(asks(subject, "w1").await);
    drop(worker);
    until("nobody listens", || async { !asks(subject, "w1").await }).await;
}

pub async fn a_worker_hears_requests_after_lost_connections(subject: &Subject) {
    let mut worker = listens(subject, "w1").await;
    for _ in 0..2 {
        (subject.lose_connections)();
        let heard = async {
            loop {
                // The first may find that the connection is gone, and the worker may be away.
                let _ = subject.queue.ask("w1", Request::Drain).await;
                let soon = tokio::time::sleep(Duration::from_millis(200));
                tokio::select! {
                    heard = worker.next() => return heard,
                    () = soon => {}
                }
            }
        };
        let heard = soon("a request", heard).await;
        assert_eq!(heard, Some(Request::Drain));
    }
}

async fn listens(subject: &Subject, worker: &str) -> BoxStream<'static, Request> {
    subject.queue.requests(worker).await
}

async fn asks(subject: &Subject, worker: &str) -> bool {
    let asked = subject.queue.ask(worker, Request::Drain).await;
    asked.expect("asks")
}

async fn hears(worker: &mut BoxStream<'static, Request>) {
    let heard = soon("a request", worker.next()).await;
    assert_eq!(heard, Some(Request::Drain));
}

/// Returns an event that can be told from the others.
fn event(shard: u32) -> Event {
    Event {
        at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        worker: "w1".to_owned(),
        what: Happening::ShardCommitted {
            run: task(0).run,
            shard: ShardId(shard),
            done: 1,
            not_done: 0,
        },
    }
}

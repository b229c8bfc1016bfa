//! Requests that are sent to workers, and what reaches them.
#![expect(missing_docs, reason = "each name is its sentence")]

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::{Subject, soon, until};
use crate::queue::message::ControlRequest;

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
                let _ = subject
                    .broker
                    .control
                    .send("w1", ControlRequest::Drain)
                    .await;
                let soon = tokio::time::sleep(Duration::from_millis(200));
                tokio::select! {
                    heard = worker.next() => return heard,
                    () = soon => {}
                }
            }
        };
        let heard = soon("a request", heard).await;
        assert_eq!(heard, Some(ControlRequest::Drain));
    }
}

async fn listens(subject: &Subject, worker: &str) -> BoxStream<'static, ControlRequest> {
    subject.broker.control.subscribe(worker).await
}

async fn asks(subject: &Subject, worker: &str) -> bool {
    let asked = subject
        .broker
        .control
        .send(worker, ControlRequest::Drain)
        .await;
    asked.expect("asks")
}

async fn hears(worker: &mut BoxStream<'static, ControlRequest>) {
    let heard = soon("a request", worker.next()).await;
    assert_eq!(heard, Some(ControlRequest::Drain));
}

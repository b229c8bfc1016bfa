//! Dead letters that are published again to a broker that is slow, or says nothing at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use coordinator::work::collector::{Collector, LiveState, Mode};
use shared::queue::message::ShardTask;
use shared::queue::{
    DeadLetterReason, Deliveries, Delivery, Depth, InProcessWorkQueue, QueueError, Settle,
    Settlement, WorkQueue,
};
use shared::settings::ShardSize;
use shared::storage::{MemoryStorage, Storage};
use tests::planned;
use tokio_util::sync::CancellationToken;

use super::live_state::shown;

/// A queue with a dead letter that a policy made one, and which says nothing when it is given the first message.
#[derive(Debug)]
struct Silent {
    letter: Bytes,
    given: AtomicUsize,
    queue: InProcessWorkQueue,
}

/// The dead letter, once.
struct Letters(Option<Bytes>);

struct Settled;

#[async_trait]
impl Settle for Settled {
    async fn settle(self: Box<Self>, _: Settlement) -> Result<(), QueueError> {
        Ok(())
    }
}

#[async_trait]
impl Deliveries for Letters {
    async fn next(&mut self) -> Result<Delivery, QueueError> {
        match self.0.take() {
            Some(letter) => Ok(Delivery::new(
                letter,
                0,
                Some(DeadLetterReason::Dropped),
                Box::new(Settled),
            )),
            None => std::future::pending().await,
        }
    }

    async fn stop(&mut self) {}
}

#[async_trait]
impl WorkQueue for Silent {
    async fn publish(&self, tasks: &[ShardTask]) -> Result<(), QueueError> {
        if self.given.fetch_add(1, Ordering::Relaxed) == 0 {
            std::future::pending::<()>().await;
        }
        self.queue.publish(tasks).await
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.queue.consume().await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        Ok(Box::new(Letters(Some(self.letter.clone()))))
    }

    async fn probe(&self) -> Result<(), QueueError> {
        self.queue.probe().await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.queue.depth().await
    }

    async fn alarm(&self) -> Result<Option<String>, QueueError> {
        self.queue.alarm().await
    }

    fn locate(&self) -> String {
        self.queue.locate()
    }
}

/// Waits until something holds, in the time of the test.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..1000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_holds_up_neither_the_look_out_nor_the_letter_for_ever() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let size = ShardSize {
        contents: 1,
        styles: 1,
    };
    let of = |name: &str| planned::run(name, &["a".to_owned()], &["fog".to_owned()], size);
    let run = of("letters");
    planned::store(storage.as_ref(), &run).await;
    let task = run.plan.task(&run.record.run, &run.plan.shards[0]);
    let queue = Arc::new(Silent {
        letter: task.to_payload().into(),
        given: AtomicUsize::new(0),
        queue: InProcessWorkQueue::new(),
    });
    let (live, stop) = (Arc::new(LiveState::default()), CancellationToken::new());
    let collector = Collector {
        storage: Arc::clone(&storage),
        queue: Some(Arc::clone(&queue) as Arc<dyn WorkQueue>),
        events: None,
        mode: Mode::Manage,
        every: Duration::from_millis(500),
        live: Arc::clone(&live),
        stop: stop.clone(),
    };
    let collecting = tokio::spawn(async move { collector.run().await });
    let given = || queue.given.load(Ordering::Relaxed);
    until("the letter is published", async || given() > 0).await;

    // Nothing comes of it, and runs are looked after all the same.
    planned::store(storage.as_ref(), &of("shown")).await;
    let view = shown(&live, |_| true).await;
    assert_eq!(view.num_items, 1);
    let is_there = async || queue.depth().await.unwrap().ready == 1;
    until("the letter is there", is_there).await;
    assert_eq!(given(), 2);
    stop.cancel();
    collecting.await.unwrap();
}

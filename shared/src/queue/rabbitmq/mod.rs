//! The queue on RabbitMQ.
//!
//! - `address`: where the broker is and what queues and exchanges are called there
//! - `client`: what is used of the client; the only file that names it
//! - `topology`: what is declared there
//! - `link`, `delivery`: one connection, and what was delivered over it
//! - `consumer`: deliveries that go on over lost connections
//! - `events`: events, told
//! - `listener`: events and requests, heard over lost connections
//! - `retry`: how long to wait before the next connection
//! - `alarm`: the broker's alarm, told as soon as it holds a connection up
//!
//! Every use has a connection of its own, so that none waits for another: a broker that is short of memory stops
//! reading from connections that publish, and neither acknowledgements nor counts must stand behind that.

mod address;
mod alarm;
mod client;
mod consumer;
mod delivery;
mod events;
mod link;
mod listener;
mod retry;
mod topology;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::Mutex;

use self::address::{Address, Line, Talk};
use self::consumer::Consumer;
use self::events::Speaker;
use self::link::Link;
use super::{Deliveries, Depth, Queue, QueueError, QueueErrorKind};
use crate::event::Event;
use crate::json;
use crate::request::Request;
use crate::settings::BrokerConfig;
use crate::task::ShardTask;

/// Shards and events at a RabbitMQ broker.
pub struct RabbitMq {
    address: Arc<Address>,
    publisher: Kept,
    counter: Kept,
    /// Hears of alarms.
    lookout: Kept,
    speaker: Speaker,
}

/// A connection that is made when it is needed.
struct Kept {
    purpose: &'static str,
    link: Mutex<Option<Used>>,
}

struct Used {
    link: Arc<Link>,
    /// Something was sent over it that an alarm kept from its end.
    is_doubtful: bool,
}

impl Kept {
    fn new(purpose: &'static str) -> Self {
        Self {
            purpose,
            link: Mutex::default(),
        }
    }

    /// Returns the connection, a new one if the last one is gone. One that an alarm holds up is waited for: the broker
    /// would hold up the next one as well, and each of them stays open until the alarm ends.
    async fn link(
        &self,
        address: &Arc<Address>,
        operation: &'static str,
    ) -> Result<Arc<Link>, QueueError> {
        if let Some(held_up) = self.held_up().await {
            held_up.wait_for_alarm(operation).await?;
        }
        let mut kept = self.link.lock().await;
        if let Some(used) = kept.as_ref()
            && used.link.is_open()
            && !used.is_doubtful
        {
            return Ok(Arc::clone(&used.link));
        }
        let link = Arc::new(Link::open(Arc::clone(address), self.purpose).await?);
        *kept = Some(Used {
            link: Arc::clone(&link),
            is_doubtful: false,
        });
        Ok(link)
    }

    async fn held_up(&self) -> Option<Arc<Link>> {
        let kept = self.link.lock().await;
        let link = &kept.as_ref()?.link;
        link.is_held_up().then(|| Arc::clone(link))
    }

    /// Lets go of the connection if what was done over it failed. What fails may leave it open, and it is not to be
    /// trusted nevertheless.
    async fn checked<T>(
        &self,
        link: &Arc<Link>,
        done: Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let Err(error) = &done else {
            return done;
        };
        let mut kept = self.link.lock().await;
        let is_alarm = error.kind == QueueErrorKind::Alarm;
        match kept.as_mut().filter(|used| Arc::ptr_eq(&used.link, link)) {
            Some(used) if is_alarm => used.is_doubtful = true,
            Some(_) => *kept = None,
            None => {}
        }
        done
    }
}

impl RabbitMq {
    /// Returns the queue at a broker, after a connection that proves that it can be used and declares what is needed.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied` or `Misconfigured`.
    pub async fn open(config: &BrokerConfig) -> Result<Self, QueueError> {
        let address = Arc::new(Address::of(config));
        let proof = Link::open(Arc::clone(&address), "start").await?;
        proof.leave();
        Ok(Self {
            speaker: Speaker::start(Arc::clone(&address)),
            publisher: Kept::new("publish"),
            counter: Kept::new("count"),
            lookout: Kept::new("look out"),
            address,
        })
    }

    async fn consumer(&self, line: Line) -> Result<Box<dyn Deliveries>, QueueError> {
        let consumer = Consumer::start(Arc::clone(&self.address), line).await?;
        Ok(Box::new(consumer))
    }
}

#[async_trait]
impl Queue for RabbitMq {
    async fn publish(&self, tasks: &[ShardTask]) -> Result<(), QueueError> {
        let link = self.publisher.link(&self.address, "publish").await?;
        let payloads = tasks.iter().map(ShardTask::to_payload);
        let published = link.publish(payloads).await;
        self.publisher.checked(&link, published).await
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.consumer(Line::Shards).await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.consumer(Line::DeadLetters).await
    }

    async fn try_out(&self) -> Result<(), QueueError> {
        let link = self.publisher.link(&self.address, "publish").await?;
        let tried = link.try_out().await;
        self.publisher.checked(&link, tried).await
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let link = self.counter.link(&self.address, "count messages").await?;
        let depth = link.depth().await;
        self.counter.checked(&link, depth).await
    }

    async fn alarm(&self) -> Result<Option<String>, QueueError> {
        if let Some(reason) = self.address.alarms.reason() {
            return Ok(Some(reason));
        }
        let link = self.lookout.link(&self.address, "ask for alarms").await?;
        let asked = link.publish_nothing().await;
        match self.lookout.checked(&link, asked).await {
            Ok(()) => Ok(self.address.alarms.reason()),
            Err(error) if error.kind == QueueErrorKind::Alarm => Ok(self.address.alarms.reason()),
            Err(error) => Err(error),
        }
    }

    async fn tell(&self, event: &Event) {
        self.speaker.tell(event).await;
    }

    async fn listen(&self) -> BoxStream<'static, Event> {
        listener::listen(Arc::clone(&self.address), Talk::Events).await
    }

    async fn ask(&self, worker: &str, request: Request) -> Result<bool, QueueError> {
        let Some(talk) = Talk::requests(worker) else {
            return Ok(false);
        };
        let link = self.publisher.link(&self.address, "ask a worker").await?;
        let asked = link.ask(&talk, json::line(&request).as_bytes()).await;
        self.publisher.checked(&link, asked).await
    }

    async fn requests(&self, worker: &str) -> BoxStream<'static, Request> {
        match Talk::requests(worker) {
            Some(talk) => listener::listen(Arc::clone(&self.address), talk).await,
            None => stream::pending().boxed(),
        }
    }

    fn locate(&self) -> String {
        self.address.locate()
    }
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMq")
            .field("at", &self.locate())
            .finish_non_exhaustive()
    }
}

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
//!
//! Every use has a connection of its own, so that none waits for another: a broker that is short of memory stops
//! reading from connections that publish, and acknowledgements must not stand behind that.

mod address;
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
use super::{Deliveries, Depth, Queue, QueueError};
use crate::event::Event;
use crate::request::Request;
use crate::settings::BrokerConfig;
use crate::task::ShardTask;

/// Shards and events at a RabbitMQ broker.
pub struct RabbitMq {
    address: Arc<Address>,
    /// For publishing and counting; made when it is needed.
    link: Mutex<Option<Arc<Link>>>,
    speaker: Speaker,
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
            link: Mutex::default(),
            address,
        })
    }

    /// Returns the connection for publishing and counting, a new one if the last one is gone.
    async fn link(&self) -> Result<Arc<Link>, QueueError> {
        let mut kept = self.link.lock().await;
        if let Some(link) = kept.as_ref().filter(|link| link.is_open()) {
            return Ok(Arc::clone(link));
        }
        let link = Arc::new(Link::open(Arc::clone(&self.address), "publish").await?);
        *kept = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Lets go of a connection that failed. What fails may leave it open, and it is not to be trusted nevertheless.
    async fn forget(&self, failed: &Arc<Link>) {
        let mut kept = self.link.lock().await;
        if kept.as_ref().is_some_and(|link| Arc::ptr_eq(link, failed)) {
            *kept = None;
        }
    }

    async fn consumer(&self, line: Line) -> Result<Box<dyn Deliveries>, QueueError> {
        let consumer = Consumer::start(Arc::clone(&self.address), line).await?;
        Ok(Box::new(consumer))
    }
}

#[async_trait]
impl Queue for RabbitMq {
    async fn publish(&self, tasks: &[ShardTask]) -> Result<(), QueueError> {
        let link = self.link().await?;
        let payloads = tasks.iter().map(ShardTask::to_payload);
        let published = link.publish(payloads).await;
        if published.is_err() {
            self.forget(&link).await;
        }
        published
    }

    async fn consume(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.consumer(Line::Shards).await
    }

    async fn consume_dead(&self) -> Result<Box<dyn Deliveries>, QueueError> {
        self.consumer(Line::DeadLetters).await
    }

    async fn try_out(&self) -> Result<(), QueueError> {
        let link = self.link().await?;
        let tried = link.try_out().await;
        if tried.is_err() {
            self.forget(&link).await;
        }
        tried
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        let link = self.link().await?;
        let depth = link.depth().await;
        if depth.is_err() {
            self.forget(&link).await;
        }
        depth
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
        let link = self.link().await?;
        let payload = serde_json::to_vec(&request).unwrap_or_default();
        let asked = link.ask(&talk, &payload).await;
        if asked.is_err() {
            self.forget(&link).await;
        }
        asked
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

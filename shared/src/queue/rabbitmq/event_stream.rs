//! What is published on a topic, received over lost connections. Nothing is sent twice, so what comes in between is missed.

use std::marker::PhantomData;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::debug;

use super::address::Address;
use super::client::{BasicAckOptions, Consumer, answered, received};
use super::connection::Connection;
use super::retry::Retry;
use super::topic::Topic;
use super::topology;
use crate::failure::chain;
use crate::queue::QueueError;

/// Bytes of a message, at most: an event has one text in it, and some names.
const MOST_BYTES: usize = 1 << 16;
/// Messages on their way to a subscriber.
const IN_FLIGHT: u16 = 256;

/// Returns what is published on a topic from now on, or from when the broker can be reached.
pub(super) async fn subscribe<T: DeserializeOwned + Send + 'static>(
    address: Arc<Address>,
    topic: Topic,
) -> BoxStream<'static, T> {
    let mut subscriber = Subscriber {
        address,
        topic,
        stream: None,
        retry: Retry::new(),
        receives: PhantomData,
    };
    subscriber.connect().await;
    stream::unfold(subscriber, |mut subscriber| async move {
        let message = subscriber.next().await;
        Some((message, subscriber))
    })
    .boxed()
}

/// What is published on a topic, as it comes over one connection.
struct EventStream {
    connection: Connection,
    messages: Consumer,
}

impl EventStream {
    async fn open(connection: Connection, topic: &Topic) -> Result<Self, QueueError> {
        let declared =
            topology::declare_subscriber(&connection.channel, &connection.address, topic);
        let queue = connection.answered("listen", declared).await?;
        let messages = connection.consume(queue, IN_FLIGHT).await?;
        Ok(Self {
            connection,
            messages,
        })
    }

    async fn next(&mut self) -> Result<Vec<u8>, QueueError> {
        let address = &self.connection.address;
        let message = received(address, self.messages.next().await)?;
        let acked = message.acker.ack(BasicAckOptions::default());
        answered(address, "listen", acked).await?;
        Ok(message.data)
    }
}

/// One that receives what is published on a topic, over one connection after the other.
struct Subscriber<T> {
    address: Arc<Address>,
    topic: Topic,
    stream: Option<EventStream>,
    retry: Retry,
    receives: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Subscriber<T> {
    async fn connect(&mut self) {
        let connection = Connection::open(Arc::clone(&self.address), "listen").await;
        let stream = match connection {
            Ok(connection) => EventStream::open(connection, &self.topic).await,
            Err(error) => Err(error),
        };
        match stream {
            Ok(stream) => {
                self.stream = Some(stream);
                self.retry.connected(Instant::now());
            }
            Err(error) => debug!(error = chain(&error), "cannot listen, waiting"),
        }
    }

    async fn next(&mut self) -> T {
        loop {
            if let Some(stream) = &mut self.stream {
                match stream.next().await {
                    Ok(payload) if payload.len() > MOST_BYTES => {
                        debug!(
                            bytes = payload.len(),
                            max_bytes = MOST_BYTES,
                            "passed over a message that is too large"
                        );
                        continue;
                    }
                    Ok(payload) => match serde_json::from_slice(&payload) {
                        Ok(message) => {
                            self.retry.reset();
                            return message;
                        }
                        Err(error) => {
                            debug!(
                                error = chain(&error),
                                "passed over a message that cannot be read"
                            );
                            continue;
                        }
                    },
                    Err(error) => debug!(error = chain(&error), "lost the connection"),
                }
                self.stream = None;
                self.retry.lost(Instant::now());
            }
            self.retry.pause().await;
            self.connect().await;
        }
    }
}

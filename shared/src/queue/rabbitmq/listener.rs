//! What is said, heard over lost connections. Nobody says it twice, so what comes in between is missed.

use std::marker::PhantomData;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::debug;

use super::address::{Address, Talk};
use super::delivery::Hearing;
use super::link::Link;
use super::retry::Retry;
use crate::failure::chain;

/// Bytes of what is said, at most: an event has one message in it, and some names.
const MOST_BYTES: usize = 1 << 16;

/// Returns what is said from now on, or from when the broker can be reached.
pub(super) async fn listen<T: DeserializeOwned + Send + 'static>(
    address: Arc<Address>,
    talk: Talk,
) -> BoxStream<'static, T> {
    let mut listener = Listener {
        address,
        talk,
        hearing: None,
        retry: Retry::new(),
        hears: PhantomData,
    };
    listener.connect().await;
    stream::unfold(listener, |mut listener| async move {
        let heard = listener.next().await;
        Some((heard, listener))
    })
    .boxed()
}

struct Listener<T> {
    address: Arc<Address>,
    talk: Talk,
    hearing: Option<Hearing>,
    retry: Retry,
    hears: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Listener<T> {
    async fn connect(&mut self) {
        let link = Link::open(Arc::clone(&self.address), "listen").await;
        let hearing = match link {
            Ok(link) => link.listen(&self.talk).await,
            Err(error) => Err(error),
        };
        match hearing {
            Ok(hearing) => {
                self.hearing = Some(hearing);
                self.retry.connected(Instant::now());
            }
            Err(error) => debug!(error = chain(&error), "cannot listen, waiting"),
        }
    }

    async fn next(&mut self) -> T {
        loop {
            if let Some(hearing) = &mut self.hearing {
                match hearing.next().await {
                    Ok(payload) if payload.len() > MOST_BYTES => {
                        debug!(bytes = payload.len(), "heard more than anybody says");
                        continue;
                    }
                    Ok(payload) => match serde_json::from_slice(&payload) {
                        Ok(heard) => {
                            self.retry.reset();
                            return heard;
                        }
                        Err(error) => {
                            debug!(error = chain(&error), "heard something unknown");
                            continue;
                        }
                    },
                    Err(error) => debug!(error = chain(&error), "lost the connection"),
                }
                self.hearing = None;
                self.retry.lost(Instant::now());
            }
            self.retry.pause().await;
            self.connect().await;
        }
    }
}

//! One connection to the broker, and what goes over it.
//!
//! - `publishing`: messages to queues, which the broker confirms; `sending`: requests and events, which are not kept
//! - `queues`: messages are taken from queues, and counted
//! - `probe`: the proof that messages come through
//! - `properties`: what is said with a message

mod probe;
mod properties;
mod publishing;
mod queues;
mod sending;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

pub(super) use self::publishing::publish_alone;

use super::address::Address;
use super::alarm::Alarm;
use super::client::{
    ANSWER, Channel, ClientConnection, ClientResult, GOODBYE, answered, connect, silent, told,
};
use super::topology;
use crate::queue::QueueError;

/// A connection with a channel, on which everything is declared.
pub(super) struct Connection {
    pub(super) address: Arc<Address>,
    client: ClientConnection,
    pub(super) channel: Channel,
    publishing: tokio::sync::Mutex<()>,
    alarm: Alarm,
    /// How long an alarm is waited for.
    patience: Duration,
}

impl Connection {
    /// Connects and declares.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied` or `Misconfigured`.
    pub(super) async fn open(
        address: Arc<Address>,
        purpose: &'static str,
    ) -> Result<Self, QueueError> {
        let client = connect(&address, purpose).await?;
        let alarm = Alarm::of(&client, &address);
        let declared = async {
            let channel = client.create_channel().await?;
            topology::declare(&channel, &address).await?;
            Ok(channel)
        };
        let channel = answered(&address, "declare queues", declared).await?;
        Ok(Self {
            patience: address.alarm_patience(),
            address,
            client,
            channel,
            publishing: tokio::sync::Mutex::default(),
            alarm,
        })
    }

    /// Returns the same connection, which waits no longer than this for the end of an alarm.
    pub(super) fn with_patience(self, most: Duration) -> Self {
        let patience = self.patience.min(most);
        Self { patience, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        self.client.status().connected() && self.channel.status().connected()
    }

    /// Returns whether an alarm of the broker holds it up: nothing that is sent is read.
    pub(super) fn is_held_up(&self) -> bool {
        self.is_open() && self.alarm.reason().is_some()
    }

    /// Waits until no alarm holds it up, so that nothing more is put behind one.
    ///
    /// # Errors
    ///
    /// `Alarm` if it lasts.
    pub(super) async fn wait_for_alarm(&self, operation: &'static str) -> Result<(), QueueError> {
        let mut alarm = self.alarm.watch();
        let ended = timeout(self.patience, alarm.wait_for(Option::is_none));
        let has_ended = ended.await.is_ok();
        match self.alarm.reason() {
            Some(reason) if !has_ended => Err(self.address.alarmed(operation, reason)),
            Some(_) | None => Ok(()),
        }
    }

    /// Waits for an answer of the broker, but not for ever: for an alarm that holds it up as long as the settings say, and
    /// after an alarm as long as ever.
    pub(super) async fn answered<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = ClientResult<T>>,
    ) -> Result<T, QueueError> {
        let mut alarm = self.alarm.watch();
        let mut answer = pin!(answer);
        loop {
            let reason = alarm.borrow_and_update().clone();
            let patience = match reason {
                Some(_) => self.patience,
                None => ANSWER,
            };
            tokio::select! {
                biased;
                answer = &mut answer => return told(&self.address, operation, answer),
                // It ends with the connection, which is held here.
                _ = alarm.changed() => {}
                () = sleep(patience) => {
                    return Err(match reason {
                        Some(reason) => self.address.alarmed(operation, reason),
                        None => silent(&self.address, operation),
                    });
                }
            }
        }
    }

    /// Closes the connection in order, or at least lets go of it if the broker does not answer.
    pub(super) async fn close(self) {
        // A broker with an alarm does not read it, and finds the end of the connection later.
        if self.is_held_up() {
            return;
        }
        timeout(GOODBYE, self.client.close(200, "done".into()))
            .await
            .ok();
    }

    /// Closes the connection by a task of its own: a broker that is slow to answer keeps no caller waiting.
    pub(super) fn leave(self) {
        tokio::spawn(self.close());
    }
}

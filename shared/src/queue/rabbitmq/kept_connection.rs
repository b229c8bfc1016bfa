//! A connection that one kind of use keeps from one time to the next.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::address::Address;
use super::connection::Connection;
use crate::queue::{QueueError, QueueErrorKind};

/// A connection that is made when it is needed.
pub(super) struct KeptConnection {
    purpose: &'static str,
    used: Mutex<Option<Used>>,
}

struct Used {
    connection: Arc<Connection>,
    /// Something was sent over it that an alarm kept from its end.
    is_doubtful: bool,
}

impl KeptConnection {
    pub(super) fn new(purpose: &'static str) -> Self {
        Self {
            purpose,
            used: Mutex::default(),
        }
    }

    /// Returns the connection, a new one if the last one is gone. One that an alarm holds up is waited for: the broker
    /// would hold up the next one as well, and each of them stays open until the alarm ends.
    pub(super) async fn get(
        &self,
        address: &Arc<Address>,
        operation: &'static str,
    ) -> Result<Arc<Connection>, QueueError> {
        if let Some(held_up) = self.held_up().await {
            held_up.wait_for_alarm(operation).await?;
        }
        let mut kept = self.used.lock().await;
        if let Some(used) = kept.as_ref()
            && used.connection.is_open()
            && !used.is_doubtful
        {
            return Ok(Arc::clone(&used.connection));
        }
        let connection = Connection::open(Arc::clone(address), self.purpose).await?;
        let connection = Arc::new(connection);
        *kept = Some(Used {
            connection: Arc::clone(&connection),
            is_doubtful: false,
        });
        Ok(connection)
    }

    async fn held_up(&self) -> Option<Arc<Connection>> {
        let kept = self.used.lock().await;
        let connection = &kept.as_ref()?.connection;
        connection.is_held_up().then(|| Arc::clone(connection))
    }

    /// Lets go of the connection if what was done over it failed. What fails may leave it open, and it is not to be
    /// trusted nevertheless.
    pub(super) async fn checked<T>(
        &self,
        connection: &Arc<Connection>,
        done: Result<T, QueueError>,
    ) -> Result<T, QueueError> {
        let Err(error) = &done else {
            return done;
        };
        let mut kept = self.used.lock().await;
        let is_alarm = error.kind == QueueErrorKind::Alarm;
        match kept
            .as_mut()
            .filter(|used| Arc::ptr_eq(&used.connection, connection))
        {
            Some(used) if is_alarm => used.is_doubtful = true,
            Some(_) => *kept = None,
            None => {}
        }
        done
    }
}

impl fmt::Debug for KeptConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptConnection")
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

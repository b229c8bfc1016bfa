//! Whether what a program works with answers, for those who supervise it.
//!
//! That a program is alive is another question: one whose storage is away waits, and starting it anew would not help.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::artifact::ArtifactKey;
use crate::failure::chain;
use crate::ids::RunId;
use crate::queue::WorkQueue;
use crate::storage::Storage;

/// How long an answer holds: who asks without end asks storage and broker no more often.
const HOLDS: Duration = Duration::from_secs(5);
/// What has not answered after this counts as away: probes wait little longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// The storage root.
    Storage,
    /// The broker.
    Broker,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage => "storage does not answer",
            Self::Broker => "the broker does not answer",
        })
    }
}

/// An answer, and when it was found.
type Answer = Option<(Instant, Option<Away>)>;

/// Asks storage and broker whether they answer.
#[derive(Debug)]
pub struct Readiness {
    storage: Arc<dyn Storage>,
    queue: Option<Arc<dyn WorkQueue>>,
    /// Of an object that need not be there: whether it is can be told by storage that answers only.
    looked_for: ArtifactKey,
    last: Mutex<Answer>,
}

impl Readiness {
    /// Returns what asks a storage root, and a broker if one is used.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, queue: Option<Arc<dyn WorkQueue>>) -> Self {
        let run: RunId = "ready".parse().expect("a run may be called so");
        Self {
            storage,
            queue,
            looked_for: ArtifactKey::RunRecord(run),
            last: Mutex::default(),
        }
    }

    /// Returns what does not answer; none if everything does. Those who ask at once get one answer.
    pub async fn away(&self) -> Option<Away> {
        let mut last = self.last.lock().await;
        let before = match *last {
            Some((found, away)) if found.elapsed() < HOLDS => return away,
            Some((_, away)) => away,
            None => None,
        };
        let away = self.ask(before).await;
        if away.is_none() && before.is_some() {
            tracing::info!("storage and broker answer again");
        }
        *last = Some((Instant::now(), away));
        away
    }

    async fn ask(&self, before: Option<Away>) -> Option<Away> {
        let looked = tokio::time::timeout(PATIENCE, self.storage.exists(&self.looked_for));
        let storage = match looked.await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(chain(&error)),
            Err(late) => Some(late.to_string()),
        };
        if let Some(reason) = storage {
            return Some(told(Away::Storage, before, &reason));
        }
        let counted = tokio::time::timeout(PATIENCE, self.queue.as_ref()?.depth());
        let broker = match counted.await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(chain(&error)),
            Err(late) => Some(late.to_string()),
        };
        broker.map(|reason| told(Away::Broker, before, &reason))
    }
}

/// Returns what is away; says so in the log if it was not so before.
fn told(away: Away, before: Option<Away>, reason: &str) -> Away {
    if before != Some(away) {
        tracing::warn!(reason, "{away}");
    }
    away
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::InProcessBroker;
    use crate::storage::{LocalStorage, MemoryStorage};

    #[tokio::test]
    async fn storage_and_broker_that_answer_are_ready() {
        let storage = Arc::new(MemoryStorage::new());
        let queue = InProcessBroker::new().ports().work;
        let readiness = Readiness::new(storage.clone(), Some(queue));
        assert_eq!(readiness.away().await, None);
        assert_eq!(Readiness::new(storage, None).away().await, None);
    }

    #[tokio::test]
    async fn storage_that_cannot_be_asked_is_away() {
        let folder = tempfile::tempdir().unwrap();
        // A file in the place of the folder: nothing below it can be looked for.
        std::fs::write(folder.path().join("runs"), b"").unwrap();
        let readiness = Readiness::new(Arc::new(LocalStorage::new(folder.path())), None);
        assert_eq!(readiness.away().await, Some(Away::Storage));
    }
}

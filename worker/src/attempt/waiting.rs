//! Waiting for inputs that are away: a dataset that is not mounted, a ticket that has expired.
//!
//! What is away says nothing about any item, so nothing is quarantined and no attempt counts. It is waited for as long
//! as the run says, from when it was found to be away: a share that is slow to answer is not away meanwhile. After that
//! the worker stops, and its shard goes back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::dataset::entry::DatasetEntry;
use shared::model::ImageSize;
use tokio::time::Instant;

use super::ports::{InputKind, LoadedInput, Quarantine, Stage, Unusable};
use super::{Attempt, AttemptError};
use crate::retry_pauses::RetryPauses;

/// Between two looks whether to stop.
const TICK: Duration = Duration::from_millis(250);

impl Attempt<'_> {
    /// Returns an input at the model's size, or why its items are quarantined.
    pub(super) async fn load(
        &self,
        kind: InputKind,
        listing: &DatasetEntry,
    ) -> Result<Result<LoadedInput, Quarantine>, AttemptError> {
        self.load_at(kind, listing, self.context.size).await
    }

    /// Returns an input at a size, or why its items are quarantined.
    pub(super) async fn load_at(
        &self,
        kind: InputKind,
        listing: &DatasetEntry,
        size: ImageSize,
    ) -> Result<Result<LoadedInput, Quarantine>, AttemptError> {
        let (mut away_since, mut pauses) = (None::<Instant>, RetryPauses::new());
        loop {
            self.progress.begin(Stage::Load);
            let reason = match self.context.inputs.load(kind, listing, size).await {
                Ok(loaded) => {
                    if let Some(since) = away_since {
                        let waited_s = since.elapsed().as_secs();
                        tracing::info!(input = listing.name(), waited_s, "it is there again");
                    }
                    return Ok(Ok(loaded));
                }
                Err(Unusable::Quarantine(why)) => return Ok(Err(why)),
                Err(Unusable::Away(reason)) => reason,
            };
            let waited = away_since.get_or_insert_with(Instant::now).elapsed();
            let Some(left) = self
                .patience
                .checked_sub(waited)
                .filter(|left| !left.is_zero())
            else {
                return Err(AttemptError::Away { reason, waited });
            };
            let (waited_s, patience_s) = (waited.as_secs(), self.patience.as_secs());
            tracing::warn!(
                reason,
                waited_s,
                patience_s,
                "an input is away: waiting for it"
            );
            self.progress.waits(&reason);
            self.pause(pauses.next_pause().min(left)).await?;
        }
    }

    /// Waits unless told to stop.
    async fn pause(&self, pause: Duration) -> Result<(), AttemptError> {
        let end = Instant::now() + pause;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(AttemptError::ToldToStop);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(TICK)).await;
        }
    }
}

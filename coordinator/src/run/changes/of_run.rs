//! How the inputs of a run differ from those that it was planned with: contents and styles.

use shared::dataset::entry::DatasetEntry;
use shared::decision::{ChangedInput, ChangedInputs};
use shared::run_record::RunInputs;
use shared::storage::StorageError;

use super::difference::{Difference, difference};
use super::entry::change;
use crate::run::freeze::FrozenRun;
use crate::run::inventory::Inventory;

/// How a run's inputs have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its contents.
    pub contents: Difference,
    /// Its styles.
    pub styles: Difference,
}

impl Changes {
    /// Compares what a run was planned with, as changed by decisions, with what was found now.
    #[must_use]
    pub fn between(run: &FrozenRun, decided: &ChangedInputs, found: &Inventory) -> Self {
        let frozen = &run.record.frozen;
        let content = |planned: &DatasetEntry, now: &DatasetEntry| {
            let before = decided.content(planned);
            let listing = now.as_decided(before);
            let other = change(before, &listing, None)?;
            Some((other, ChangedInput::Content { listing }))
        };
        let style = |planned: &DatasetEntry, now: &DatasetEntry| {
            let before = decided.style_sha256(planned.name(), &frozen.styles);
            // Whatever is listed now has its digest there, and this is.
            let sha256 = found.frozen.styles[now.name()].clone();
            let digests = before.map(|before| (before, sha256.as_str()));
            let planned = decided.style(planned);
            let listing = now.as_decided(planned);
            let other = change(planned, &listing, digests)?;
            Some((other, ChangedInput::Style { listing, sha256 }))
        };
        Self {
            contents: difference(&run.plan.contents, &found.plan.contents, content),
            styles: difference(&run.plan.styles, &found.plan.styles, style),
        }
    }

    /// Finds out which of the inputs that are not listed any more are there.
    ///
    /// # Errors
    ///
    /// If a dataset cannot be listed.
    pub async fn look_for_removed(
        &mut self,
        run: &FrozenRun,
        inputs: &RunInputs,
    ) -> Result<(), StorageError> {
        let plan = &run.plan;
        self.contents
            .look_for_removed(&plan.contents, &inputs.content)
            .await?;
        self.styles
            .look_for_removed(&plan.styles, &inputs.style)
            .await
    }

    /// Returns whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let nothing =
            |of: &Difference| of.changed.is_empty() && of.added.is_empty() && of.removed.is_empty();
        nothing(&self.contents) && nothing(&self.styles)
    }

    /// Returns how many inputs have changed in each way, for people.
    #[must_use]
    pub fn counts(&self) -> Vec<String> {
        let mut lines = self.contents.counts("content");
        lines.extend(self.styles.counts("style"));
        lines
    }

    /// Returns what has changed, for people: counts, and the first of each kind.
    #[must_use]
    pub fn summary(&self, run: &FrozenRun) -> Vec<String> {
        let mut lines = self.contents.summary("content", &run.plan.contents);
        lines.extend(self.styles.summary("style", &run.plan.styles));
        lines
    }
}

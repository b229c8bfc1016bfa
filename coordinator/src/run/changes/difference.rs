//! How one dataset differs from what was planned: which inputs are others, new, or not there.

use std::collections::{BTreeSet, HashMap};

use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInput;
use shared::location::Location;
use shared::source;
use shared::storage::StorageError;
use shared::wording::first_names;

use super::entry::Other;
use super::sizes::sizes;

/// How one of its datasets has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Inputs with other files, in the order of the plan.
    pub changed: Vec<Change>,
    /// Names of inputs that the plan does not have.
    pub added: Vec<String>,
    /// Positions in the plan of inputs that are not listed any more.
    pub removed: Vec<usize>,
    /// Those of them whose files are all there: settings leave them out.
    pub left_out: Vec<usize>,
}

/// An input with other files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its position in the plan.
    pub position: usize,
    /// What is other, for people.
    pub what: String,
    /// Whether its label file is.
    pub of_label: bool,
    /// What it is now.
    pub now: ChangedInput,
}

impl Difference {
    /// Finds out which of the inputs that are not listed any more are there.
    pub(super) async fn look_for_removed(
        &mut self,
        planned: &[DatasetEntry],
        at: &Location,
    ) -> Result<(), StorageError> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let removed = self.removed.iter().map(|&position| &planned[position]);
        let there = sizes(source::open(at).await?.as_ref(), removed).await?;
        let is_there = |position: &&usize| {
            let mut files = planned[**position].files();
            files.all(|file| there.contains_key(&file.path))
        };
        self.left_out = self.removed.iter().filter(is_there).copied().collect();
        Ok(())
    }

    /// Returns what has changed, for people: counts, and the first of each kind.
    pub(super) fn summary(&self, kind: &str, planned: &[DatasetEntry]) -> Vec<String> {
        let changed: Vec<String> = self.changed.iter().map(|of| of.what.clone()).collect();
        let removed = self
            .removed
            .iter()
            .map(|&place| planned[place].name().to_owned());
        let removed: Vec<String> = removed.collect();
        let parts = [
            (&changed, "changed"),
            (&self.added, "added"),
            (&removed, "not listed any more"),
        ];
        let parts = parts.into_iter().filter(|(names, _)| !names.is_empty());
        parts
            .map(|(names, how)| {
                let counted = inputs(names.len(), kind, how);
                format!("{counted} ({})", first_names(names))
            })
            .collect()
    }

    /// Returns how many inputs have changed in each way, for people.
    pub(super) fn counts(&self, kind: &str) -> Vec<String> {
        let parts = [
            (self.changed.len(), "changed"),
            (self.added.len(), "added"),
            (self.removed.len(), "not listed any more"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        parts.map(|(count, how)| inputs(count, kind, how)).collect()
    }
}

/// Returns how many inputs have changed in a way: `2 contents changed`.
fn inputs(count: usize, kind: &str, how: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {kind}{plural} {how}")
}

/// Compares what was planned with what was found, where `change` says what is other about an input.
pub(super) fn difference(
    planned: &[DatasetEntry],
    found: &[DatasetEntry],
    change: impl Fn(&DatasetEntry, &DatasetEntry) -> Option<(Other, ChangedInput)>,
) -> Difference {
    let now: HashMap<&str, &DatasetEntry> = found.iter().map(|now| (now.name(), now)).collect();
    let known: BTreeSet<&str> = planned.iter().map(DatasetEntry::name).collect();
    let mut difference = Difference {
        added: found
            .iter()
            .map(DatasetEntry::name)
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect(),
        ..Difference::default()
    };
    for (position, planned) in planned.iter().enumerate() {
        match now.get(planned.name()) {
            None => difference.removed.push(position),
            Some(now) => {
                if let Some((other, now)) = change(planned, now) {
                    difference.changed.push(Change {
                        position,
                        what: other.what,
                        of_label: other.of_label,
                        now,
                    });
                }
            }
        }
    }
    difference
}

//! Inputs that were changed after a run was planned, and from which nothing was made by then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::entry::DatasetEntry;

/// An input that is another one than when the run was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ChangedInput {
    /// A content.
    Content {
        /// Its files as they are now.
        listing: DatasetEntry,
    },
    /// A style.
    Style {
        /// Its files as they are now.
        listing: DatasetEntry,
        /// Digest of their bytes, as a run's record holds it.
        sha256: String,
    },
}

/// A style as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedStyle {
    /// Its files.
    pub listing: DatasetEntry,
    /// Digest of their bytes.
    pub sha256: String,
}

/// What holds in place of the plan's listings, by the names of inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangedInputs {
    contents: BTreeMap<String, DatasetEntry>,
    styles: BTreeMap<String, ChangedStyle>,
}

impl ChangedInputs {
    /// Adds a change; the last one of an input holds.
    pub(super) fn add(&mut self, change: ChangedInput) {
        match change {
            ChangedInput::Content { listing } => {
                self.contents.insert(listing.name.clone(), listing);
            }
            ChangedInput::Style { listing, sha256 } => {
                let style = ChangedStyle { listing, sha256 };
                self.styles.insert(style.listing.name.clone(), style);
            }
        }
    }

    /// Returns the same with more changes; the last one of an input holds.
    #[must_use]
    pub fn with(&self, changes: &[ChangedInput]) -> Self {
        let mut with = self.clone();
        changes.iter().for_each(|change| with.add(change.clone()));
        with
    }

    /// Returns the content that holds in place of a planned one.
    #[must_use]
    pub fn content<'a>(&'a self, planned: &'a DatasetEntry) -> &'a DatasetEntry {
        self.contents.get(planned.name()).unwrap_or(planned)
    }

    /// Returns the style that holds in place of a planned one.
    #[must_use]
    pub fn style<'a>(&'a self, planned: &'a DatasetEntry) -> &'a DatasetEntry {
        let changed = self.styles.get(planned.name());
        changed.map_or(planned, |style| &style.listing)
    }

    /// Returns the names of the contents that are others than the plan says.
    pub(super) fn contents(&self) -> impl Iterator<Item = &str> {
        self.contents.keys().map(String::as_str)
    }

    /// Returns the contents that are others than the plan says, by their names.
    #[must_use]
    pub fn content_listings(&self) -> &BTreeMap<String, DatasetEntry> {
        &self.contents
    }

    /// Returns the styles that are others than the plan says, by their names.
    #[must_use]
    pub fn styles(&self) -> &BTreeMap<String, ChangedStyle> {
        &self.styles
    }

    /// Returns the digests of all styles' bytes: the planned ones, and in their place the changed ones.
    #[must_use]
    pub fn styles_sha256(&self, planned: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let changed = self.styles.iter();
        let changed = changed.map(|(name, style)| (name.clone(), style.sha256.clone()));
        planned.clone().into_iter().chain(changed).collect()
    }

    /// Returns the digest of a style's bytes: the changed one, or that of the run's record.
    #[must_use]
    pub fn style_sha256<'a>(
        &'a self,
        name: &str,
        planned: &'a BTreeMap<String, String>,
    ) -> Option<&'a str> {
        let changed = self.styles.get(name).map(|style| &style.sha256);
        changed.or_else(|| planned.get(name)).map(String::as_str)
    }
}

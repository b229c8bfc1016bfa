//! Quarantined items that are tried again.
//!
//! Nothing that is committed is rewritten, so what became of them is committed beside their shard, as a revision of it.
//! A revision is decided before it is made: which items it is about stands here and in no message.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{ItemId, ShardId};

/// Quarantined items of a committed shard that are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The shard.
    pub shard: ShardId,
    /// Number of the revision that they are committed as, from 1.
    pub revision: u32,
    /// The items.
    pub items: Items,
}

/// Some items of a shard: the contents of each style.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Items(BTreeMap<String, BTreeSet<String>>);

impl Items {
    /// Returns whether an item is one of them.
    #[must_use]
    pub fn has(&self, style: &str, content: &str) -> bool {
        let contents = self.0.get(style);
        contents.is_some_and(|contents| contents.contains(content))
    }

    /// Returns their number.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeSet::is_empty)
    }

    /// Returns them, sorted by style and content.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(style, contents)| {
            contents
                .iter()
                .map(move |content| (style.as_str(), content.as_str()))
        })
    }

    fn add(&mut self, others: Self) {
        for (style, contents) in others.0 {
            self.0.entry(style).or_default().extend(contents);
        }
    }
}

impl FromIterator<ItemId> for Items {
    fn from_iter<I: IntoIterator<Item = ItemId>>(items: I) -> Self {
        let mut by_style: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for item in items {
            by_style.entry(item.style).or_default().insert(item.content);
        }
        Self(by_style)
    }
}

/// The revisions of a run's shards that were decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retries(BTreeMap<ShardId, BTreeMap<u32, Items>>);

impl Retries {
    /// Adds a decided one. Two decisions about one revision, the second after it failed for good, are about the items of
    /// both.
    pub(super) fn add(&mut self, retry: Retry) {
        let revisions = self.0.entry(retry.shard).or_default();
        revisions
            .entry(retry.revision)
            .or_default()
            .add(retry.items);
    }

    /// Returns the items of a revision; nothing if it was not decided.
    #[must_use]
    pub fn of(&self, shard: ShardId, revision: u32) -> Option<&Items> {
        self.0.get(&shard)?.get(&revision)
    }

    /// Returns the numbers of a shard's revisions, in rising order.
    pub fn revisions(&self, shard: ShardId) -> impl Iterator<Item = u32> + '_ {
        let revisions = self.0.get(&shard);
        revisions.into_iter().flat_map(|all| all.keys().copied())
    }

    /// Returns the number of a shard's last revision; 0 if it has none.
    pub(super) fn last(&self, shard: ShardId) -> u32 {
        let revisions = self.0.get(&shard);
        let last = revisions.and_then(BTreeMap::last_key_value);
        last.map_or(0, |(&revision, _)| revision)
    }

    /// Returns the shards that have any.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(revision: u32, items: &[(&str, &str)]) -> Retry {
        let item = |&(style, content): &(&str, &str)| ItemId {
            style: style.into(),
            content: content.into(),
        };
        Retry {
            shard: ShardId(3),
            revision,
            items: items.iter().map(item).collect(),
        }
    }

    #[test]
    fn two_decisions_about_one_revision_are_about_the_items_of_both() {
        let mut retries = Retries::default();
        retries.add(retry(1, &[("night", "1"), ("night", "1"), ("snow", "1")]));
        retries.add(retry(1, &[("night", "2")]));
        retries.add(retry(2, &[("night", "2")]));
        let first = retries.of(ShardId(3), 1).unwrap();
        let all: Vec<_> = first.iter().collect();
        assert_eq!(all, [("night", "1"), ("night", "2"), ("snow", "1")]);
        assert_eq!(first.len(), 3);
        assert!(first.has("snow", "1") && !first.has("snow", "2"));
        assert_eq!(retries.revisions(ShardId(3)).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(retries.of(ShardId(4), 1), None);
    }

    #[test]
    fn items_are_stored_by_their_styles() {
        let retry = retry(1, &[("snow", "2"), ("night", "1"), ("snow", "1")]);
        let json = serde_json::to_string(&retry).unwrap();
        let expected = r#"{"shard":3,"revision":1,"items":{"night":["1"],"snow":["1","2"]}}"#;
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Retry>(&json).unwrap(), retry);
    }
}

//! Items grouped into shards, each a product of contents and styles.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::digest;
use shared::ids::ShardId;
use shared::settings::ShardSize;

/// A group of contents times a group of styles, as positions in the listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its id.
    pub id: ShardId,
    /// Positions of its contents.
    pub contents: Vec<usize>,
    /// Positions of its styles.
    pub styles: Vec<usize>,
}

/// All shards of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The shards, in the order of their ids.
    pub shards: Vec<Shard>,
}

/// Returns the plan in which style `s` meets the contents `pairs[s]`.
///
/// Styles are taken in groups, so that a shard's outputs share a content's work; within a group the contents that meet
/// the same styles are taken together.
#[must_use]
pub fn group(pairs: &[Vec<usize>], size: ShardSize) -> Plan {
    let mut shards = Vec::new();
    for first in (0..pairs.len()).step_by(size.styles) {
        let styles = first..pairs.len().min(first + size.styles);
        let mut styles_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for style in styles {
            for &content in &pairs[style] {
                styles_of.entry(content).or_default().push(style);
            }
        }
        let mut contents_of: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (content, styles) in styles_of {
            contents_of.entry(styles).or_default().push(content);
        }
        for (styles, contents) in contents_of {
            for part in contents.chunks(size.contents) {
                shards.push((part.to_vec(), styles.clone()));
            }
        }
    }
    let with_id = |(id, (contents, styles)): (usize, _)| Shard {
        id: ShardId(id as u32),
        contents,
        styles,
    };
    Plan {
        shards: shards.into_iter().enumerate().map(with_id).collect(),
    }
}

impl Plan {
    /// Returns the number of items.
    #[must_use]
    pub fn num_items(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.contents.len() * shard.styles.len())
            .sum()
    }

    /// Returns a digest of which items are in which shard, given the listings' names.
    #[must_use]
    pub fn sha256(&self, contents: &[&str], styles: &[&str]) -> String {
        let items = self.shards.iter().flat_map(|shard| {
            let pairs = shard
                .styles
                .iter()
                .flat_map(|&s| shard.contents.iter().map(move |&c| (s, c)));
            pairs.map(|(s, c)| (shard.id, styles[s].to_owned(), contents[c].to_owned()))
        });
        items_sha256(items.collect())
    }
}

/// Returns a digest of (shard, style, content) triples in any order; an audit recomputes it from the manifest.
#[must_use]
pub fn items_sha256(mut items: Vec<(ShardId, String, String)>) -> String {
    #[derive(Serialize)]
    struct Items<'a>(&'a [(ShardId, String, String)]);
    items.sort();
    digest::sha256_of_json(&Items(&items))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SIZE: ShardSize = ShardSize {
        contents: 4,
        styles: 3,
    };

    fn items(plan: &Plan) -> Vec<(usize, usize)> {
        let of = |shard: &Shard| {
            let pairs = shard
                .styles
                .iter()
                .flat_map(|&s| shard.contents.iter().map(move |&c| (s, c)));
            pairs.collect::<Vec<_>>()
        };
        plan.shards.iter().flat_map(of).collect()
    }

    #[test]
    fn every_pair_is_in_exactly_one_shard() {
        let pairs = vec![vec![0, 1, 2, 3, 4], vec![0, 2], vec![], vec![4], vec![1, 4]];
        let plan = group(&pairs, SIZE);
        let found = items(&plan);
        let expected: BTreeSet<_> = pairs
            .iter()
            .enumerate()
            .flat_map(|(s, contents)| contents.iter().map(move |&c| (s, c)))
            .collect();
        assert_eq!(found.len(), expected.len());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        assert!(
            plan.shards
                .iter()
                .all(|shard| shard.contents.len() <= 4 && shard.styles.len() <= 3)
        );
    }

    #[test]
    fn all_contents_in_all_styles_make_full_shards() {
        let plan = group(&vec![(0..12).collect(); 3], SIZE);
        assert_eq!(plan.shards.len(), 3);
        assert_eq!(plan.num_items(), 36);
        assert_eq!(plan.shards[1].contents, vec![4, 5, 6, 7]);
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_items() {
        let a = (ShardId(0), "night".to_owned(), "1".to_owned());
        let b = (ShardId(0), "night".to_owned(), "2".to_owned());
        assert_eq!(
            items_sha256(vec![a.clone(), b.clone()]),
            items_sha256(vec![b, a])
        );
    }
}

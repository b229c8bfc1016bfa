//! Items grouped into shards, each a product of contents and styles.

use std::collections::BTreeMap;

use shared::ids::ShardId;
use shared::plan::Shard;
use shared::settings::ShardSize;

/// Returns the shards, in the order of their ids, of a run in which style `s` meets the contents `pairs[s]`.
///
/// Styles are taken in groups, so that a shard's outputs share a content's work; within a group the contents that meet
/// the same styles are taken together.
#[must_use]
pub fn group(pairs: &[Vec<usize>], size: ShardSize) -> Vec<Shard> {
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
        id: ShardId(u32::try_from(id).expect("more shards have no room in memory")),
        contents,
        styles,
    };
    shards.into_iter().enumerate().map(with_id).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SIZE: ShardSize = ShardSize {
        contents: 4,
        styles: 3,
    };

    fn items(shards: &[Shard]) -> Vec<(usize, usize)> {
        shards.iter().flat_map(Shard::items).collect()
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
            plan.iter()
                .all(|shard| shard.contents.len() <= 4 && shard.styles.len() <= 3)
        );
    }

    #[test]
    fn all_contents_in_all_styles_make_full_shards() {
        let plan = group(&vec![(0..12).collect(); 3], SIZE);
        assert_eq!(plan.len(), 3);
        assert_eq!(items(&plan).len(), 36);
        assert_eq!(plan[1].contents, vec![4, 5, 6, 7]);
    }
}

//! A part of a set of features that is the same in whatever order they come: those of the items whose names have the
//! smallest digests.

use std::collections::BTreeMap;

use faer::Mat;
use shared::digest;

/// Items that a sample holds at most. The kernel distance draws subsets of a thousand from it.
pub const MAX_ITEMS: usize = 5_000;

/// A sample of features.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    kept: BTreeMap<String, Vec<f32>>,
}

impl Sample {
    /// Offers an item by a name that no other has.
    pub fn offer(&mut self, name: &str, features: &[f32]) {
        let place = digest::sha256(name.as_bytes());
        let full = self.kept.len() >= MAX_ITEMS;
        if full
            && self
                .kept
                .last_key_value()
                .is_some_and(|(last, _)| *last <= place)
        {
            return;
        }
        self.kept.insert(place, features.to_vec());
        if self.kept.len() > MAX_ITEMS {
            self.kept.pop_last();
        }
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns the features of each item, in an order of their own.
    pub fn items(&self) -> impl Iterator<Item = &[f32]> {
        self.kept.values().map(Vec::as_slice)
    }

    /// Returns the features as a matrix, an item a column.
    #[must_use]
    pub fn matrix(&self) -> Mat<f64> {
        let items: Vec<&[f32]> = self.items().collect();
        let num_features = items.first().map_or(0, |item| item.len());
        Mat::from_fn(num_features, items.len(), |i, j| f64::from(items[j][i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_does_not_depend_on_the_order_of_items() {
        let names: Vec<String> = (0..MAX_ITEMS + 500).map(|i| format!("night/{i}")).collect();
        let (mut there, mut back) = (Sample::default(), Sample::default());
        for (i, name) in names.iter().enumerate() {
            there.offer(name, &[i as f32]);
        }
        for (i, name) in names.iter().enumerate().rev() {
            back.offer(name, &[i as f32]);
            back.offer(name, &[i as f32]);
        }
        assert_eq!(there.len(), MAX_ITEMS);
        assert_eq!(there.kept, back.kept);
    }
}

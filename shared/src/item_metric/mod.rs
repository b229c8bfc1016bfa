//! Metrics that compare an output with its content: SSIM and LPIPS.
//!
//! Manifests, means, reports, pages and audits go over [`ItemMetric::ALL`] and ask a metric what it is called and how it is
//! shown. One that a network gives is loaded, frozen and judged with by going over them too.
//!
//! To add one: its variant, behind the others, and its `Facts` here; of one that a network gives of a pair of images, the
//! key in [`RawQuality`](crate::settings::raw::RawQuality). What is stored of them goes by these as well: see [`keyed`].

pub mod keyed;

use std::ops::{Index, IndexMut, RangeInclusive};

crate::enumerated! {
    /// A figure of an output, compared with its content.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum ItemMetric {
        /// Structural similarity, computed from the pixels alone.
        Ssim,
        /// Learned perceptual image patch similarity, a distance that a network gives.
        Lpips,
    }
}

/// Which of two figures keeps more of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The higher one.
    Higher,
    /// The lower one.
    Lower,
}

/// The network that gives a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricNetwork {
    /// The name of its contract's file.
    pub contract: &'static str,
    /// Its key in reports.
    pub report_key: &'static str,
    /// The key by which its contract says that its figures can be compared with published ones.
    pub published_key: &'static str,
    /// Whether records of runs without it say so. Of a later one they do not: plan hashes of earlier runs were made without
    /// it.
    pub is_in_every_record: bool,
}

/// All that is said of a metric anywhere.
struct Facts {
    /// Its column in manifests, its key in reports, and the key of its network in settings and records.
    name: &'static str,
    /// What people call it in tables.
    title: &'static str,
    /// What it is, in words.
    meaning: &'static str,
    better: Better,
    least: f64,
    most: f64,
    /// How many decimals of it people see.
    decimals: usize,
    /// What gives it; none if it is computed from the pixels alone, and every output has it.
    network: Option<MetricNetwork>,
}

impl ItemMetric {
    const fn facts(self) -> Facts {
        match self {
            Self::Ssim => Facts {
                name: "ssim",
                title: "SSIM",
                meaning: "structural similarity",
                better: Better::Higher,
                least: -1.0,
                most: 1.0,
                decimals: 3,
                network: None,
            },
            Self::Lpips => Facts {
                name: "lpips",
                title: "LPIPS",
                meaning: "perceptual distance",
                better: Better::Lower,
                least: 0.0,
                most: f64::INFINITY,
                decimals: 3,
                network: Some(MetricNetwork {
                    contract: "perceptual.json",
                    report_key: "lpips_network",
                    published_key: "published_lpips",
                    is_in_every_record: true,
                }),
            },
        }
    }

    /// Returns the name of its column and key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// Returns what people call it: `SSIM`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// Returns what it is: `structural similarity`.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.facts().meaning
    }

    /// Returns which of two figures keeps more of the content.
    #[must_use]
    pub const fn better(self) -> Better {
        self.facts().better
    }

    /// Returns how many decimals of it people see.
    #[must_use]
    pub const fn decimals(self) -> usize {
        self.facts().decimals
    }

    /// Returns what gives it; none if it is computed from the pixels alone, and every output has it.
    #[must_use]
    pub const fn network(self) -> Option<MetricNetwork> {
        self.facts().network
    }

    /// Returns what it can be.
    #[must_use]
    pub const fn range(self) -> RangeInclusive<f64> {
        let Facts { least, most, .. } = self.facts();
        RangeInclusive::new(least, most)
    }

    /// Returns what it can be, in words: `-1 to 1`, `0 or more`.
    #[must_use]
    pub fn range_in_words(self) -> String {
        let Facts { least, most, .. } = self.facts();
        if most.is_finite() {
            format!("{least} to {most}")
        } else {
            format!("{least} or more")
        }
    }
}

impl Better {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
        }
    }
}

/// Something of each metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerMetric<T>([T; ItemMetric::ALL.len()]);

impl<T> PerMetric<T> {
    /// Returns what a function gives for each metric.
    #[must_use]
    pub fn from_fn(of: impl FnMut(ItemMetric) -> T) -> Self {
        Self(ItemMetric::ALL.map(of))
    }

    /// Returns each metric with its value.
    pub fn iter(&self) -> impl Iterator<Item = (ItemMetric, &T)> {
        ItemMetric::ALL.into_iter().zip(&self.0)
    }

    /// Returns each metric with its value, which may be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ItemMetric, &mut T)> {
        ItemMetric::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T> Index<ItemMetric> for PerMetric<T> {
    type Output = T;

    fn index(&self, metric: ItemMetric) -> &T {
        &self.0[metric as usize]
    }
}

impl<T> IndexMut<ItemMetric> for PerMetric<T> {
    fn index_mut(&mut self, metric: ItemMetric) -> &mut T {
        &mut self.0[metric as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_metric_has_a_place_names_and_a_contract_of_its_own() {
        let places = PerMetric::from_fn(|metric| metric);
        let mut keys = BTreeSet::new();
        for (metric, place) in places.iter() {
            assert_eq!((*place, places[metric]), (metric, metric));
            assert!(keys.insert(metric.as_str()), "{metric:?}");
            assert!(keys.insert(metric.title()), "{metric:?}");
            if let Some(network) = metric.network() {
                assert!(keys.insert(network.contract), "{metric:?}");
                assert!(keys.insert(network.report_key), "{metric:?}");
                assert!(keys.insert(network.published_key), "{metric:?}");
            }
        }
    }

    /// Columns of manifests and lines of tables: word by word, and a new one stands behind the others.
    #[test]
    fn metrics_have_the_names_that_are_stored_in_their_order() {
        assert_eq!(ItemMetric::ALL.map(ItemMetric::as_str), ["ssim", "lpips"]);
    }

    #[test]
    fn what_a_metric_can_be_is_said_in_words() {
        let words = ItemMetric::ALL.map(ItemMetric::range_in_words);
        assert_eq!(words, ["-1 to 1", "0 or more"]);
        assert!(!ItemMetric::Ssim.range().contains(&f64::NAN));
        assert!(!ItemMetric::Lpips.range().contains(&-0.5));
        assert!(ItemMetric::Lpips.range().contains(&1.5));
    }
}

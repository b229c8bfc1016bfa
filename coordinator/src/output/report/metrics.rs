//! Metrics in the JSON of a report: each under a key of its own, among the other fields of its object.
//!
//! Fields have this as `#[serde(flatten, with = "...")]`.

use std::sync::LazyLock;

use serde::{Deserializer, Serialize, Serializer};
use shared::item_metric::keyed::{KeyOf, keys, read};
use shared::item_metric::{ItemMetric, PerMetric};

/// A figure of each metric: `ssim`, `lpips`.
pub(super) mod figures {
    use super::*;

    static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| keys(key));

    fn key(metric: ItemMetric) -> Option<&'static str> {
        Some(metric.as_str())
    }

    pub(in crate::output::report) fn serialize<S: Serializer>(
        figures: &PerMetric<Option<f64>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        write(figures, key, serializer)
    }

    pub(in crate::output::report) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PerMetric<Option<f64>>, D::Error> {
        read(&KEYS, key, deserializer)
    }
}

/// The network of each metric that one gives: `lpips_network`.
pub(super) mod networks {
    use super::*;
    use crate::output::report::NetworkReport;

    static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| keys(key));

    fn key(metric: ItemMetric) -> Option<&'static str> {
        metric.network().map(|network| network.report_key)
    }

    pub(in crate::output::report) fn serialize<S: Serializer>(
        networks: &PerMetric<Option<NetworkReport>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        write(networks, key, serializer)
    }

    pub(in crate::output::report) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PerMetric<Option<NetworkReport>>, D::Error> {
        read(&KEYS, key, deserializer)
    }
}

fn write<T: Serialize, S: Serializer>(
    values: &PerMetric<Option<T>>,
    key_of: KeyOf,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let entries = values.iter();
    serializer.collect_map(entries.filter_map(|(metric, value)| Some((key_of(metric)?, value))))
}

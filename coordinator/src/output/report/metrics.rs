//! Metrics in the JSON of a report: each under a key of its own, among the other fields of its object.
//!
//! Fields have this as `#[serde(flatten, with = "...")]`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::item_metric::{ItemMetric, PerMetric};

/// The key of a metric, if it has one.
type KeyOf = fn(ItemMetric) -> Option<&'static str>;

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
        deserializer.deserialize_struct("Figures", &KEYS, Keyed::of(key))
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
        deserializer.deserialize_struct("Networks", &KEYS, Keyed::of(key))
    }
}

fn keys(key_of: KeyOf) -> Vec<&'static str> {
    ItemMetric::ALL.into_iter().filter_map(key_of).collect()
}

fn write<T: Serialize, S: Serializer>(
    values: &PerMetric<Option<T>>,
    key_of: KeyOf,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (metric, value) in values.iter() {
        if let Some(key) = key_of(metric) {
            map.serialize_entry(key, value)?;
        }
    }
    map.end()
}

/// Reads values by their keys. What is not there is none.
struct Keyed<T> {
    key_of: KeyOf,
    values: PhantomData<T>,
}

impl<T> Keyed<T> {
    fn of(key_of: KeyOf) -> Self {
        Self {
            key_of,
            values: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Keyed<T> {
    type Value = PerMetric<Option<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", keys(self.key_of).join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Self::Value::default();
        let mut read = PerMetric::<bool>::default();
        while let Some(key) = map.next_key::<String>()? {
            let mut metrics = ItemMetric::ALL.into_iter();
            let metric = metrics.find(|&metric| (self.key_of)(metric) == Some(key.as_str()));
            let Some(metric) = metric else {
                return Err(A::Error::custom(format_args!("unknown field `{key}`")));
            };
            if std::mem::replace(&mut read[metric], true) {
                return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
            }
            values[metric] = map.next_value()?;
        }
        Ok(values)
    }
}

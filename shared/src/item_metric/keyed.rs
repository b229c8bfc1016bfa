//! Something of each metric in JSON: under a key of its metric, among the other fields of its object.
//!
//! Fields have it as `#[serde(flatten, with = "...")]`, by a module of functions such as [`networks`].

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ItemMetric, PerMetric};

/// The key of a metric, if it has one.
pub type KeyOf = fn(ItemMetric) -> Option<&'static str>;

/// Returns the keys of all metrics that have one.
#[must_use]
pub fn keys(key_of: KeyOf) -> Vec<&'static str> {
    ItemMetric::ALL.into_iter().filter_map(key_of).collect()
}

/// Reads values by their keys, which are those of [`keys`]. What is not there is the default.
///
/// # Errors
///
/// The deserializer's, if a value is none or is there twice.
pub fn read<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    keys: &'static [&'static str],
    key_of: KeyOf,
    deserializer: D,
) -> Result<PerMetric<T>, D::Error> {
    let values = PhantomData;
    deserializer.deserialize_struct("Metrics", keys, Keyed { key_of, values })
}

/// What the networks of metrics have in settings and records, by the names of their metrics.
pub mod networks {
    use super::*;

    static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| keys(key));

    fn key(metric: ItemMetric) -> Option<&'static str> {
        metric.network().map(|_| metric.as_str())
    }

    /// Writes what there is, and none only of networks that every record says.
    ///
    /// # Errors
    ///
    /// The serializer's.
    pub fn serialize<T: Serialize, S: Serializer>(
        networks: &PerMetric<Option<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(networks.iter().filter_map(|(metric, value)| {
            let is_written = value.is_some() || metric.network()?.is_in_every_record;
            Some((key(metric)?, value)).filter(|_| is_written)
        }))
    }

    /// Reads what [`serialize`] wrote.
    ///
    /// # Errors
    ///
    /// The deserializer's.
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PerMetric<Option<T>>, D::Error> {
        read(&KEYS, key, deserializer)
    }
}

/// Whether the figures of a network can be compared with published ones, in its contract.
pub mod published {
    use super::*;

    static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| keys(key));

    fn key(metric: ItemMetric) -> Option<&'static str> {
        metric.network().map(|network| network.published_key)
    }

    /// Reads what a contract says; what it does not say is not so.
    ///
    /// # Errors
    ///
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PerMetric<bool>, D::Error> {
        read(&KEYS, key, deserializer)
    }
}

/// Reads values by their keys.
struct Keyed<T> {
    key_of: KeyOf,
    values: PhantomData<T>,
}

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Keyed<T> {
    type Value = PerMetric<T>;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        first: u8,
        #[serde(flatten, with = "networks")]
        networks: PerMetric<Option<u8>>,
        last: u8,
    }

    #[test]
    fn networks_stand_among_the_other_fields_of_a_record_as_they_always_did() {
        for (lpips, json) in [
            (None, r#"{"first":1,"lpips":null,"last":2}"#),
            (Some(3), r#"{"first":1,"lpips":3,"last":2}"#),
        ] {
            let mut networks = PerMetric::default();
            networks[ItemMetric::Lpips] = lpips;
            let record = Record {
                first: 1,
                networks,
                last: 2,
            };
            assert_eq!(serde_json::to_string(&record).unwrap(), json);
            assert_eq!(serde_json::from_str::<Record>(json).unwrap(), record);
        }
        let absent = serde_json::from_str::<Record>(r#"{"first":1,"last":2}"#).unwrap();
        assert_eq!(absent.networks, PerMetric::default());
    }

    #[test]
    fn a_metric_without_a_network_is_no_field_of_a_record() {
        let told = serde_json::from_str::<Record>(r#"{"first":1,"ssim":3,"last":2}"#);
        let told = told.unwrap_err().to_string();
        assert!(told.contains("unknown field `ssim`"), "{told}");
    }
}

//! What programs count and time, for Prometheus.
//!
//! - [`names`]: every metric that there is, its unit, labels and meaning
//! - [`Exporter`]: where they are kept in a process, and how they are shown
//!
//! A metric is used where the thing happens: `names::DEAD_LETTERS.counter([]).increment(1)`. Without an exporter in the
//! process that does nothing, so what runs in a command line costs nothing.

mod exporter;
pub mod names;

pub use self::exporter::{Exporter, forget};

pub use ::metrics::Gauge;
use ::metrics::{Counter, Histogram, Label, Unit};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Values counted by these upper bounds.
    Histogram(&'static [f64]),
}

/// A metric with its labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric<const LABELS: usize> {
    /// Its name, which ends in its unit, and in `_total` if it only grows.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// Its unit; nothing for things that are counted.
    pub unit: Option<Unit>,
    /// What it says, for a person.
    pub help: &'static str,
    /// Names of its labels. None of them has more values than there are runs, or workers, or a hundred styles of a run.
    pub labels: [&'static str; LABELS],
}

impl<const LABELS: usize> Metric<LABELS> {
    /// Returns the counter with some values of its labels.
    pub fn counter(&self, values: [&str; LABELS]) -> Counter {
        debug_assert_eq!(self.kind, MetricKind::Counter, "{}", self.name);
        ::metrics::counter!(self.name, self.labelled(values))
    }

    /// Returns the gauge with some values of its labels.
    pub fn gauge(&self, values: [&str; LABELS]) -> Gauge {
        debug_assert_eq!(self.kind, MetricKind::Gauge, "{}", self.name);
        ::metrics::gauge!(self.name, self.labelled(values))
    }

    /// Returns the histogram with some values of its labels.
    pub fn histogram(&self, values: [&str; LABELS]) -> Histogram {
        debug_assert!(
            matches!(self.kind, MetricKind::Histogram(_)),
            "{}",
            self.name
        );
        ::metrics::histogram!(self.name, self.labelled(values))
    }

    fn labelled(&self, values: [&str; LABELS]) -> Vec<Label> {
        let labels = self.labels.iter().zip(values);
        labels
            .map(|(name, value)| Label::new(*name, value.to_owned()))
            .collect()
    }
}

/// A metric, whatever its labels.
pub trait Described: Sync {
    /// Returns its name.
    fn name(&self) -> &'static str;
    /// Returns what it is.
    fn kind(&self) -> MetricKind;
    /// Returns the names of its labels.
    fn labels(&self) -> &[&'static str];
    /// Returns what it says, for a person.
    fn help(&self) -> &'static str;
    /// Tells the exporter of this process its unit and what it says.
    fn describe(&self);
}

impl<const LABELS: usize> Described for Metric<LABELS> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> MetricKind {
        self.kind
    }

    fn labels(&self) -> &[&'static str] {
        &self.labels
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn describe(&self) {
        let unit = self.unit.unwrap_or(Unit::Count);
        match self.kind {
            MetricKind::Counter => ::metrics::describe_counter!(self.name, unit, self.help),
            MetricKind::Gauge => ::metrics::describe_gauge!(self.name, unit, self.help),
            MetricKind::Histogram(_) => ::metrics::describe_histogram!(self.name, unit, self.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_says_whose_it_is_its_unit_and_whether_it_only_grows() {
        for metric in names::ALL {
            let name = metric.name();
            assert!(name.starts_with("synth2real_"), "{name}");
            let grows = metric.kind() == MetricKind::Counter;
            assert_eq!(name.ends_with("_total"), grows, "{name}");
            if matches!(metric.kind(), MetricKind::Histogram(_)) {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            assert!(metric.help().ends_with('.'), "{name}");
        }
        let different: BTreeSet<_> = names::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(different.len(), names::ALL.len());
    }

    #[test]
    fn no_label_is_an_item_or_a_shard() {
        let allowed = BTreeSet::from([
            "class", "device", "of", "outcome", "place", "run", "stage", "state", "style",
            "version", "worker",
        ]);
        for metric in names::ALL {
            for label in metric.labels() {
                assert!(allowed.contains(label), "{} {label}", metric.name());
            }
        }
    }
}

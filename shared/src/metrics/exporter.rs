//! The Prometheus exporter of a process.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::Gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use super::{Metric, MetricKind, names};

/// Pause between two drains of the histograms, which grow until they are shown or drained.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// The value of a gauge that is not shown. The library below cannot remove a gauge, but for all that are old.
const FORGOTTEN: f64 = f64::NAN;

static INSTALLED: OnceLock<Exporter> = OnceLock::new();

/// Shows a gauge no more, until it is set again.
pub fn forget(gauge: &Gauge) {
    gauge.set(FORGOTTEN);
}

/// The metrics of this process.
pub struct Exporter {
    kept: PrometheusHandle,
    process: Collector,
}

impl Exporter {
    /// Installs the exporter of this process, unless there is one. `counters` are shown from now on, at 0: a
    /// counter that is first seen at 1 is not seen to grow.
    ///
    /// # Panics
    ///
    /// Outside a runtime, or if something else keeps metrics already: a defect of the program.
    pub fn install(counters: &[Metric<0>]) -> &'static Self {
        let installed = INSTALLED.get_or_init(|| {
            let kept = builder()
                .install_recorder()
                .expect("nothing else keeps metrics in this process");
            let process = Collector::default();
            process.describe();
            names::ALL.iter().for_each(|metric| metric.describe());
            let tidied = kept.clone();
            tokio::spawn(async move {
                let mut interval = tokio::time::interval(TIDY_EVERY);
                loop {
                    interval.tick().await;
                    tidied.run_upkeep();
                }
            });
            Self { kept, process }
        });
        begin_at_zero(counters);
        installed
    }

    /// Returns every metric in Prometheus' text format, those of the process as it is now included.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.collect();
        shown(&self.kept)
    }

    /// The media type of what is rendered.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

fn begin_at_zero(counters: &[Metric<0>]) {
    for counter in counters {
        counter.counter([]).increment(0);
    }
}

fn shown(kept: &PrometheusHandle) -> String {
    let text = kept.render();
    let forgotten = format!(" {FORGOTTEN}\n");
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.ends_with(&forgotten)).collect()
}

fn builder() -> PrometheusBuilder {
    let of_histograms = names::ALL.iter().filter_map(|metric| match metric.kind() {
        MetricKind::Histogram(bounds) => Some((metric.name(), bounds)),
        MetricKind::Counter | MetricKind::Gauge => None,
    });
    of_histograms.fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
        let of_this = Matcher::Full(name.to_owned());
        let bounded = builder.set_buckets_for_metric(of_this, bounds);
        bounded.expect("a histogram has bounds")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_shown_no_more_until_it_is_set_again() {
        let kept = builder().build_recorder();
        metrics::with_local_recorder(&kept, || {
            let [gone, stays] = ["gone", "stays"].map(|run| names::RUN_HALTED.gauge([run]));
            gone.set(1.0);
            stays.set(1.0);
            let is_shown = |run: &str| {
                let line = format!("synth2real_run_halted{{run=\"{run}\"}} 1\n");
                shown(&kept.handle()).contains(&line)
            };
            assert!(is_shown("gone") && is_shown("stays"));
            forget(&gone);
            let text = shown(&kept.handle());
            assert!(!text.contains("gone") && is_shown("stays"), "{text}");
            gone.set(1.0);
            assert!(is_shown("gone"));
        });
    }

    #[test]
    fn a_counter_can_be_seen_to_grow_from_zero() {
        let kept = builder().build_recorder();
        metrics::with_local_recorder(&kept, || {
            let is_at = |count: u64| {
                let line = format!("synth2real_s3_requests_total {count}\n");
                shown(&kept.handle()).contains(&line)
            };
            begin_at_zero(&[names::S3_REQUESTS]);
            assert!(is_at(0));
            names::S3_REQUESTS.counter([]).increment(1);
            begin_at_zero(&[names::S3_REQUESTS]);
            assert!(is_at(1));
        });
    }

    #[test]
    fn times_are_counted_from_a_millisecond_to_minutes() {
        let kept = builder().build_recorder();
        metrics::with_local_recorder(&kept, || {
            let load = names::WORKER_STAGE_SECONDS.histogram(["load"]);
            for seconds in [0.002, 0.002, 250.0] {
                load.record(seconds);
            }
        });
        let shown = kept.handle().render();
        for (bound, count) in [
            ("0.001", 0),
            ("0.003", 2),
            ("100", 2),
            ("300", 3),
            ("+Inf", 3),
        ] {
            let line = format!("_bucket{{stage=\"load\",le=\"{bound}\"}} {count}");
            assert!(shown.contains(&line), "{line}\n{shown}");
        }
    }
}

//! Where a process keeps its metrics, and how they are shown.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use metrics_util::MetricKindMask;

use super::{Kind, names};

/// Between two times that histograms are tidied up. Nobody may ever ask for them.
const TIDY_EVERY: Duration = Duration::from_secs(5);

static INSTALLED: OnceLock<Exporter> = OnceLock::new();

/// The metrics of this process.
pub struct Exporter {
    kept: PrometheusHandle,
    process: Collector,
}

impl Exporter {
    /// Begins to keep this process's metrics; called again, it changes nothing. Gauges that nobody sets for
    /// `forget_after` are gone, as those of a run that was removed.
    ///
    /// # Panics
    ///
    /// Outside a runtime, or if something else keeps metrics already: a defect of the program.
    pub fn install(forget_after: Option<Duration>) -> &'static Self {
        INSTALLED.get_or_init(|| {
            let kept = builder(forget_after)
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
        })
    }

    /// Returns every metric in Prometheus' text format, those of the process as it is now included.
    #[must_use]
    pub fn render(&self) -> String {
        self.process.collect();
        self.kept.render()
    }

    /// The media type of what is rendered.
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

fn builder(forget_after: Option<Duration>) -> PrometheusBuilder {
    let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::GAUGE, forget_after);
    let of_histograms = names::ALL.iter().filter_map(|metric| match metric.kind() {
        Kind::Histogram(bounds) => Some((metric.name(), bounds)),
        Kind::Counter | Kind::Gauge => None,
    });
    of_histograms.fold(builder, |builder, (name, bounds)| {
        let of_this = Matcher::Full(name.to_owned());
        let bounded = builder.set_buckets_for_metric(of_this, bounds);
        bounded.expect("a histogram has bounds")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_gauge_that_nobody_sets_is_forgotten_and_a_counter_is_kept() {
        let kept = builder(Some(Duration::from_millis(50))).build_recorder();
        let handle = kept.handle();
        metrics::with_local_recorder(&kept, || {
            names::RUN_HALTED.gauge(["gone"]).set(1.0);
            names::S3_REQUESTS.counter([]).increment(1);
        });
        let is_shown = || {
            handle
                .render()
                .contains("synth2real_run_halted{run=\"gone\"} 1")
        };
        assert!(is_shown());
        let begun = Instant::now();
        while is_shown() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it is still shown"
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
        assert!(handle.render().contains("synth2real_s3_requests_total 1"));
    }

    #[test]
    fn times_are_counted_from_a_millisecond_to_minutes() {
        let kept = builder(None).build_recorder();
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

//! Every metric that there is.
//!
//! Seconds and bytes, as Prometheus counts them. What a worker says of itself begins with `synth2real_worker`, `_engine`
//! or `_s3`; what the coordinator reads in storage and at the broker begins with `synth2real_run`, `_queue` or
//! `_collector`, and is the truth about a run.

use ::metrics::Unit;

use super::{Described, Metric, MetricKind};

/// From a small image on a GPU to a style at full size on a CPU.
const DURATIONS: &[f64] = &[
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0,
];

const fn num(labels: &[&str]) -> usize {
    labels.len()
}

/// Declares metrics, and the list of all of them.
macro_rules! metrics {
    ($(
        $(#[doc = $help:literal])+
        $constant:ident = $name:literal, $kind:expr, $unit:expr, [$($label:literal),*];
    )+) => {
        $(
            $(#[doc = $help])+
            pub const $constant: Metric<{ num(&[$($label),*]) }> = Metric {
                name: $name,
                kind: $kind,
                unit: $unit,
                help: concat!($($help),+).trim_ascii_start(),
                labels: [$($label),*],
            };
        )+

        /// Every metric.
        pub const ALL: &[&dyn Described] = &[$(&$constant),+];
    };
}

metrics! {
    /// Always 1; its labels say which worker, device and version the process is.
    WORKER_INFO = "synth2real_worker_info", MetricKind::Gauge, None, ["worker", "device", "version"];

    /// Items that got their row from this worker, by state: done or quarantined. A shard that is tried again counts its items again.
    WORKER_ITEMS = "synth2real_worker_items_total", MetricKind::Counter, None, ["run", "state"];

    /// Attempts at shards that ended here, by outcome: committed, stopped or failed.
    WORKER_ATTEMPTS = "synth2real_worker_attempts_total", MetricKind::Counter, None, ["run", "outcome"];

    /// Attempts at shards that failed here, by class of failure.
    WORKER_ATTEMPTS_FAILED = "synth2real_worker_attempts_failed_total", MetricKind::Counter, None, ["run", "class"];

    /// Seconds of an item in a stage: load, encode, denoise, decode, store or judge. What items share is divided among them.
    /// The stage style is the recording of a style, and no item's.
    WORKER_STAGE_SECONDS = "synth2real_worker_stage_seconds", MetricKind::Histogram(DURATIONS), Some(Unit::Seconds), ["stage"];

    /// Whether the worker has a shard in hand.
    WORKER_BUSY = "synth2real_worker_busy", MetricKind::Gauge, None, [];

    /// Whole seconds with a shard in hand.
    WORKER_BUSY_SECONDS = "synth2real_worker_busy_seconds_total", MetricKind::Counter, Some(Unit::Seconds), [];

    /// Whole seconds of waiting for a shard, pauses after failures included.
    WORKER_WAITING_SECONDS = "synth2real_worker_waiting_seconds_total", MetricKind::Counter, Some(Unit::Seconds), [];

    /// Seconds of an evaluation of the UNet on one latent, attention included. Its count is the number of evaluations.
    ENGINE_UNET_SECONDS = "synth2real_engine_unet_evaluation_seconds", MetricKind::Histogram(DURATIONS), Some(Unit::Seconds), [];

    /// Size of the files of the model that is loaded.
    ENGINE_MODEL_BYTES = "synth2real_engine_model_bytes", MetricKind::Gauge, Some(Unit::Bytes), [];

    /// Size of the keys and values of recorded styles: on the device, in memory or on disk.
    ENGINE_STYLE_BANK_BYTES = "synth2real_engine_style_bank_bytes", MetricKind::Gauge, Some(Unit::Bytes), ["place"];

    /// Operations on objects in buckets.
    S3_OPERATIONS = "synth2real_s3_operations_total", MetricKind::Counter, None, [];

    /// Requests that those operations took; more than operations if some had to be sent again.
    S3_REQUESTS = "synth2real_s3_requests_total", MetricKind::Counter, None, [];

    /// Items of a run, by state: done, quarantined, failed or pending.
    RUN_ITEMS = "synth2real_run_items", MetricKind::Gauge, None, ["run", "state"];

    /// Shards of a run, by state: committed, failed or open.
    RUN_SHARDS = "synth2real_run_shards", MetricKind::Gauge, None, ["run", "state"];

    /// Items of a run that are done and whose labels are doubtful.
    RUN_ITEMS_DOUBTFUL = "synth2real_run_items_doubtful", MetricKind::Gauge, None, ["run"];

    /// Mean IoU of what a segmenter predicts for a run's images with their labels, 0 to 1; of contents or of outputs.
    RUN_LABEL_AGREEMENT = "synth2real_run_label_agreement_ratio", MetricKind::Gauge, None, ["run", "of"];

    /// The same of each style of a run with at most a hundred.
    RUN_STYLE_LABEL_AGREEMENT = "synth2real_run_style_label_agreement_ratio", MetricKind::Gauge, None, ["run", "style", "of"];

    /// Share of the labelled pixels of a run's images that a segmenter predicts as labelled, 0 to 1; of contents or of outputs.
    RUN_LABEL_ACCURACY = "synth2real_run_label_accuracy_ratio", MetricKind::Gauge, None, ["run", "of"];

    /// Intersection over union of what a segmenter predicts for a run's images with their labels, by class, 0 to 1; of contents or of outputs.
    RUN_LABEL_CLASS_IOU = "synth2real_run_label_class_iou_ratio", MetricKind::Gauge, None, ["run", "of", "class"];

    /// Failed attempts at shards of a run that storage knows of.
    RUN_ATTEMPTS_FAILED = "synth2real_run_attempts_failed", MetricKind::Gauge, None, ["run"];

    /// Items of a run that were converted by the attempt which committed them; the others it had found stored.
    RUN_ITEMS_CONVERTED = "synth2real_run_items_converted", MetricKind::Gauge, None, ["run"];

    /// Evaluations of the UNet behind a run's converted items, recorded styles included.
    RUN_UNET_EVALUATIONS = "synth2real_run_unet_evaluations", MetricKind::Gauge, None, ["run"];

    /// Seconds of work behind a run's converted items.
    RUN_WORK_SECONDS = "synth2real_run_work_seconds", MetricKind::Gauge, Some(Unit::Seconds), ["run"];

    /// Whether a run is halted.
    RUN_HALTED = "synth2real_run_halted", MetricKind::Gauge, None, ["run"];

    /// Whether every shard of a run is committed or has failed for good.
    RUN_COMPLETE = "synth2real_run_complete", MetricKind::Gauge, None, ["run"];

    /// When the collector saw a new committed shard of a run; when it saw the run first if there was none since.
    RUN_LAST_COMMIT = "synth2real_run_last_commit_timestamp_seconds", MetricKind::Gauge, Some(Unit::Seconds), ["run"];

    /// When it was decided last that a run is halted or goes on; 0 if it never was.
    RUN_LAST_DECISION = "synth2real_run_last_decision_timestamp_seconds", MetricKind::Gauge, Some(Unit::Seconds), ["run"];

    /// Whether the broker answered at the last look. While it does not, nothing else is said about the queue.
    QUEUE_REACHABLE = "synth2real_queue_reachable", MetricKind::Gauge, None, [];

    /// Shards that wait for a worker.
    QUEUE_SHARDS_READY = "synth2real_queue_shards_ready", MetricKind::Gauge, None, [];

    /// Shards that were given up and wait for the collector to take note.
    QUEUE_DEAD_LETTERS = "synth2real_queue_dead_letters", MetricKind::Gauge, None, [];

    /// Workers that are connected to the broker.
    QUEUE_WORKERS = "synth2real_queue_workers", MetricKind::Gauge, None, [];

    /// Dead letters that the collector took note of.
    COLLECTOR_DEAD_LETTERS = "synth2real_collector_dead_letters_total", MetricKind::Counter, None, [];

    /// Seconds of a look at every run.
    COLLECTOR_LOOK_SECONDS = "synth2real_collector_look_seconds", MetricKind::Histogram(DURATIONS), Some(Unit::Seconds), [];

    /// When the last look at every run ended; when the collector started if none did.
    COLLECTOR_LAST_LOOK = "synth2real_collector_last_look_timestamp_seconds", MetricKind::Gauge, Some(Unit::Seconds), [];
}

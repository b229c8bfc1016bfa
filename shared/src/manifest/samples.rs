//! Rows that tests write, read and compare.

use super::{ManifestRow, Output, Predictions, Quality, Status, Work};
use crate::confusion::{Confusion, LabelAgreement};
use crate::failure::FailureClass;
use crate::ids::{ItemId, ShardId};
use crate::item_metric::PerMetric;
use crate::platform::Platform;
use crate::warning::WarningKind;

/// Returns the row of an item that is done, or was quarantined.
pub(super) fn row(style: &str, content: &str, done: bool) -> ManifestRow {
    ManifestRow {
        run: "demo".parse().unwrap(),
        shard: ShardId(3),
        item: ItemId {
            style: style.into(),
            content: content.into(),
        },
        status: if done {
            Status::Done
        } else {
            Status::Quarantined
        },
        error_class: (!done).then_some(FailureClass::BadInput),
        error: (!done).then(|| "images/00001.png: is truncated".into()),
        warning: done.then(|| "a.png is greyscale".into()),
        warning_kinds: done.then_some(WarningKind::Greyscale).into_iter().collect(),
        attempt: 2,
        worker: "here".into(),
        device: "cuda:0".into(),
        platform: Platform {
            gpu: Some("NVIDIA L4".into()),
            compute_capability: Some("8.9".into()),
            driver: Some("580.65.06".into()),
            cudnn: Some("9.28.1".into()),
            onnxruntime: done.then(|| "1.31.0".into()),
            injection: done.then(|| "fused sm_80".into()),
        },
        seed: u64::MAX,
        config_hash: "c".into(),
        model_sha256: "m".into(),
        output: done.then(|| Output {
            image_key: "i".into(),
            label_key: "l".into(),
            width: 512,
            height: 256,
            image_sha256: "x".into(),
            label_sha256: "y".into(),
        }),
        quality: done.then(|| Quality {
            figures: PerMetric::from_fn(|metric| metric.network().is_none().then_some(0.25)),
            train_ids: vec![0, 10],
            ..Quality::default()
        }),
        content_sha256: done.then(|| "z".into()),
        prior_sha256: None,
        work: done.then(|| Work {
            unet_evaluations: 20.0 + 20.0 / 3.0,
            ..Work::default()
        }),
        started_at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
        finished_at: "2026-01-02T03:04:06Z".parse().unwrap(),
    }
}

/// Returns the row of a doubtful item that is done, with what a segmenter finds in it.
pub(super) fn doubtful(style: &str, content: &str) -> ManifestRow {
    let mut row = row(style, content, true);
    row.quality = row.quality.map(|quality| Quality {
        agreement: Some(LabelAgreement {
            output: Confusion::of(&[0, 0, 10, 18], &[0, 1, 10, 255]),
            content: Confusion::of(&[0, 0, 10, 18], &[0, 0, 10, 18]),
        }),
        is_doubtful: true,
        predictions: Some(Predictions {
            output_sha256: "p".into(),
            content_sha256: "q".into(),
        }),
        ..quality
    });
    row
}

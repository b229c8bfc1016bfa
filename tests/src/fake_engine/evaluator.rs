//! Figures of images, and numbers that are none.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use imaging::{NamedBytes, decode_image};
use shared::item_metric::ItemMetric;
use worker::attempt::{Evaluator, LoadedInput};
use worker::evaluation::{Evaluation, EvaluationError};

use super::FakeEngineHandle;
use super::names::{SEGMENTED, UNCERTAIN, UNJUDGED};
use super::pictures::{agreement, quality};

#[async_trait]
impl Evaluator for FakeEngineHandle {
    async fn evaluate(
        &self,
        content: Arc<LoadedInput>,
        png: Bytes,
    ) -> Result<Evaluation, EvaluationError> {
        decode_image(NamedBytes {
            name: "the output",
            bytes: &png,
        })?;
        let mut quality = quality(&png);
        if content.name.starts_with(UNJUDGED) {
            quality.figures[ItemMetric::Lpips] = Some(f64::NAN);
            quality.features = Some(vec![1.0, f32::INFINITY, 2.0]);
        }
        if content.name.starts_with(SEGMENTED) {
            quality.agreement = Some(agreement());
        }
        if content.name.starts_with(UNCERTAIN) {
            quality.figures[ItemMetric::Ssim] = Some(f64::NAN);
        }
        Ok(Evaluation {
            quality,
            predictions: None,
            warnings: Vec::new(),
        })
    }
}

//! The networks of a run as the evaluator of an attempt.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::attempt::{Evaluator, LoadedInput};
use crate::evaluation::{Evaluation, EvaluationError, OutputImage, QualityEvaluator};

#[async_trait]
impl Evaluator for QualityEvaluator {
    async fn evaluate(
        &self,
        content: Arc<LoadedInput>,
        png: Bytes,
    ) -> Result<Evaluation, EvaluationError> {
        self.call(move |networks| {
            networks.evaluate(OutputImage {
                content_name: &content.name,
                content: &content.prepared,
                png: &png,
            })
        })
        .await
    }
}

//! Networks that judge outputs as an attempt uses them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::attempt::{Judge, LoadedInput};
use crate::quality::{Judged, Output, OutputJudge, QualityError};

#[async_trait]
impl Judge for OutputJudge {
    async fn judge(&self, content: Arc<LoadedInput>, png: Bytes) -> Result<Judged, QualityError> {
        self.call(move |networks| {
            networks.judge(Output {
                content_name: &content.name,
                content: &content.prepared,
                png: &png,
            })
        })
        .await
    }
}

//! Methods without a model as an attempt uses them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use imaging::{encode_png, tones};
use method::baseline::StyleStatistics;
use shared::blocking;
use shared::settings::BaselineConfig;
use shared::warning::ItemWarning;

use super::recorded_styles::{RecordedStyle, RecordedStyles};
use crate::attempt::{
    AttemptError, ConversionBackend, ConvertedBatch, ConvertedOutput, LoadedInput, Progress,
};

/// A method without a model as the backend of conversions.
pub(super) struct BaselineBackend {
    config: BaselineConfig,
    styles: RecordedStyles<StyleStatistics>,
}

impl BaselineBackend {
    /// Returns a backend that keeps what was measured of so many styles, of which no shard has more.
    pub(super) fn new(config: BaselineConfig, max_styles: usize) -> Self {
        Self {
            config,
            styles: RecordedStyles::new(max_styles),
        }
    }
}

#[async_trait]
impl ConversionBackend for BaselineBackend {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        Ok(self.styles.has(name))
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        _progress: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        let config = self.config;
        let measure = move || {
            let image = style.prepared.image.view();
            RecordedStyle {
                lent: StyleStatistics::of(image, &config),
                warning: tones::style_warning(&style.file, image),
                name: style.name,
            }
        };
        let style = blocking::run(measure).await;
        self.styles.keep(style);
        Ok(0)
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError> {
        let recorded = self.styles.of(&styles);
        blocking::run(move || convert(&content, &recorded, progress.as_ref())).await
    }

    async fn warnings(
        &self,
        _content: Arc<LoadedInput>,
        style: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        let warning = move || tones::style_warning(&style.file, style.prepared.image.view());
        Ok(blocking::run(warning).await.into_iter().collect())
    }
}

fn convert(
    content: &LoadedInput,
    styles: &[Arc<RecordedStyle<StyleStatistics>>],
    progress: &dyn Progress,
) -> Result<ConvertedBatch, AttemptError> {
    let mut batch = ConvertedBatch {
        outputs: Vec::with_capacity(styles.len()),
        evaluations: 0,
        encode: Duration::ZERO,
        denoise: Duration::ZERO,
        in_unet: Duration::ZERO,
        in_content: Duration::ZERO,
        decode: Duration::ZERO,
    };
    for style in styles {
        let started = Instant::now();
        let image = style.lent.lent_to(content.prepared.image.view());
        let converted = Instant::now();
        let png = encode_png(image.view()).map_err(AttemptError::Encode)?;
        batch.denoise += converted - started;
        batch.decode += converted.elapsed();
        batch.outputs.push(Ok(ConvertedOutput {
            png,
            warnings: style.warning.clone().into_iter().collect(),
        }));
        progress.output_step();
    }
    Ok(batch)
}

//! The engine as an attempt uses it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use engine::EngineError;
use engine::conversion::{ConversionInput, Converter};
use engine::thread::EngineThread;
use imaging::encode_png;
use method::denoise::{Observer, StepRecord};
use shared::warning::ItemWarning;

use crate::attempt::{
    AttemptError, ConversionBackend, ConvertedBatch, ConvertedOutput, LoadedInput, Progress,
    Quarantine,
};

/// The engine's thread as the backend of conversions.
#[derive(Debug, Clone)]
pub(super) struct EngineBackend(pub(super) EngineThread);

#[async_trait]
impl ConversionBackend for EngineBackend {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        let name = name.to_owned();
        Ok(self
            .0
            .call(move |converter| converter.has_style(&name))
            .await?)
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        progress: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        let work = move |converter: &mut Converter| -> Result<u64, EngineError> {
            let before = converter.evaluations();
            let noise = converter.style_noise(&style.name);
            let source = ConversionInput {
                name: &style.name,
                file: &style.file,
                prepared: &style.prepared,
                noise: &noise,
            };
            converter.record_style(&source, &mut Steps(progress.as_ref()))?;
            Ok(converter.evaluations() - before)
        };
        Ok(self.0.call(work).await??)
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError> {
        self.0
            .call(move |converter| {
                let styles: Vec<&str> = styles.iter().map(String::as_str).collect();
                convert(converter, &content, &styles, progress.as_ref())
            })
            .await?
    }

    async fn warnings(
        &self,
        content: Arc<LoadedInput>,
        style: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        let warnings = self.0.call(move |converter| {
            converter.warnings_of_unrecorded(&content.prepared, &style.file, &style.prepared)
        });
        Ok(warnings.await?)
    }
}

fn convert(
    converter: &mut Converter,
    content: &LoadedInput,
    styles: &[&str],
    progress: &dyn Progress,
) -> Result<ConvertedBatch, AttemptError> {
    let noise = converter.content_noise(&content.name);
    let source = ConversionInput {
        name: &content.name,
        file: &content.file,
        prepared: &content.prepared,
        noise: &noise,
    };
    let converted = converter.convert(&source, styles, &mut Steps(progress))?;
    tracing::debug!(
        content = content.name,
        outputs = styles.len(),
        evaluations = converted.evaluations,
        in_unet_ms = milliseconds(converted.in_unet),
        in_attention_ms = milliseconds(converted.in_attention),
        "converted content"
    );
    let started = Instant::now();
    let mut outputs = Vec::with_capacity(styles.len());
    for (image, style) in converted.images.into_iter().zip(styles) {
        outputs.push(match image {
            Ok(image) => Ok(ConvertedOutput {
                png: encode_png(image.view()).map_err(AttemptError::Encode)?,
                warnings: converter.warnings(&content.prepared, style),
            }),
            Err(error) => Err(Quarantine::of(&error, error.class())),
        });
    }
    Ok(ConvertedBatch {
        outputs,
        evaluations: converted.evaluations,
        encode: converted.encode,
        denoise: converted.denoise,
        in_unet: converted.in_unet,
        in_content: converted.in_content,
        decode: converted.decode + started.elapsed(),
    })
}

fn milliseconds(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}

/// Passes steps on to progress.
struct Steps<'a>(&'a dyn Progress);

impl Observer for Steps<'_> {
    fn step(&mut self, _: &StepRecord<'_>) {
        self.0.output_step();
    }

    fn style_step(&mut self) {
        self.0.style_step();
    }
}

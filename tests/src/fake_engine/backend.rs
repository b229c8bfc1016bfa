//! Conversions that take a time, or fail as the names of contents and styles say.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use engine::{EngineError, RuntimeError};
use method::denoise::At;
use method::finite::{NotFinite, Quantity};
use shared::storage::{StorageError, StorageErrorKind};
use shared::warning::ItemWarning;
use worker::attempt::{
    AttemptError, ConversionBackend, ConvertedBatch, ConvertedOutput, LoadedInput, Progress,
    Quarantine,
};

use super::FakeEngineHandle;
use super::names::{BROKEN, CURSED, DENIED, FATAL, HANGING, OVERFLOWING};
use super::pictures::image;

#[async_trait]
impl ConversionBackend for FakeEngineHandle {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        Ok(!name.starts_with(BROKEN))
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        _: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        self.0.records.fetch_add(1, Ordering::Relaxed);
        match style.name.starts_with(BROKEN) {
            true => Err(not_finite(format!("style {}", style.name)).into()),
            false => Ok(1),
        }
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError> {
        if !self.0.takes.is_zero() {
            tokio::time::sleep(self.0.takes).await;
        }
        let fail = |kind| {
            Err(AttemptError::Storage(StorageError {
                kind,
                operation: "convert",
                path: content.name.clone(),
                source: None,
            }))
        };
        if !self.0.begins(styles.len()) {
            return Err(AttemptError::Engine(EngineError::Run {
                part: "the fake engine".to_owned(),
                source: RuntimeError::new("failed to allocate memory"),
            }));
        }
        match content.name.as_str() {
            _ if self.0.cursed.load(Ordering::Relaxed) => {
                return fail(StorageErrorKind::Unavailable);
            }
            name if name.starts_with(CURSED) => return fail(StorageErrorKind::Unavailable),
            name if name.starts_with(FATAL) => return fail(StorageErrorKind::Full),
            name if name.starts_with(DENIED) => return fail(StorageErrorKind::Denied),
            name if name.starts_with(HANGING) => std::future::pending().await,
            name if name.starts_with(BROKEN) => {
                return Err(not_finite(format!("content {name}")).into());
            }
            _ => {}
        }
        styles.iter().for_each(|_| progress.output_step());
        let made = |style: &String| {
            if style.starts_with(OVERFLOWING) {
                let error = not_finite(format!(
                    "the output of content {} in style {style}",
                    content.name
                ));
                return Err(Quarantine::of(&error, error.class()));
            }
            self.0.conversions.fetch_add(1, Ordering::Relaxed);
            Ok(ConvertedOutput {
                png: image(&content.name, style),
                warnings: Vec::new(),
            })
        };
        Ok(ConvertedBatch {
            outputs: styles.iter().map(made).collect(),
            evaluations: styles.len() as u64,
            encode: Duration::ZERO,
            denoise: self.0.takes,
            in_unet: self.0.takes,
            in_content: Duration::ZERO,
            decode: Duration::ZERO,
        })
    }

    async fn warnings(
        &self,
        _: Arc<LoadedInput>,
        _: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        Ok(Vec::new())
    }
}

fn not_finite(what: String) -> EngineError {
    let at = At {
        step: 3,
        timestep: 421,
    };
    EngineError::NotFinite {
        what,
        numbers: NotFinite {
            quantity: Quantity::NoisePrediction(at),
            num_bad: 1,
            num_values: 4,
        },
        cure: "the fake engine has no cure",
    }
}

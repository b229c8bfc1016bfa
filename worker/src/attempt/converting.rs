//! The images of a content that are missing: converted, evaluated and stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shared::digest;
use shared::failure::FailureClass;
use shared::manifest::Work;
use tracing::Instrument;

use super::content::InHand;
use super::rows::{self, RowMaker, Stored, item_of};
use super::styles::UsableStyle;
use super::{Attempt, AttemptError, ConvertedBatch, ConvertedOutput, Quarantine, Stage};

impl Attempt<'_> {
    /// Makes and stores a content's images, all in one pass.
    pub(super) async fn convert(
        &self,
        content: &InHand<'_>,
        styles: &[UsableStyle<'_>],
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        if styles.is_empty() {
            return Ok(());
        }
        self.progress.begin(Stage::OutputStep);
        let names = styles.iter().map(|style| style.name().to_owned());
        let (loaded, progress) = (Arc::clone(&content.loaded), Arc::clone(&self.progress));
        let backend = &self.context.backend;
        match backend.convert(loaded, names.collect(), progress).await {
            Ok(batch) => self.store(content, styles, batch, rows).await,
            Err(error) if error.class() == FailureClass::BadOutput => {
                let why = error.into_quarantine();
                for style in styles {
                    rows.quarantined(content.name(), style.name(), &why);
                }
                Ok(())
            }
            // Outputs are evaluated one after the other, so fewer of them need no less memory at once.
            Err(error) => Err(error),
        }
    }

    /// Evaluates and stores what was made in a pass, each with its label, and gives it its row.
    async fn store(
        &self,
        content: &InHand<'_>,
        styles: &[UsableStyle<'_>],
        batch: ConvertedBatch,
        rows: &mut RowMaker<'_>,
    ) -> Result<(), AttemptError> {
        // Work is divided among the outputs that have come of it.
        let outputs = batch.outputs.iter().filter(|output| output.is_ok()).count() as f64;
        let share = |duration: Duration| milliseconds(duration) / outputs;
        let of_content = content.loaded.elapsed + batch.encode + batch.in_content;
        let sha256_of = |output: &Result<ConvertedOutput, Quarantine>| match output {
            Ok(output) => digest::sha256(&output.png),
            Err(_) => String::new(),
        };
        let digests: Vec<String> = batch.outputs.iter().map(sha256_of).collect();
        let names = styles.iter().map(UsableStyle::name);
        let made_now: Vec<(&str, &str)> = names.zip(digests.iter().map(String::as_str)).collect();
        let outputs_made = batch.outputs.into_iter().zip(&digests);
        for (style, (output, sha256)) in styles.iter().zip(outputs_made) {
            let ConvertedOutput { png, mut warnings } = match output {
                Ok(output) => output,
                Err(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            let png = Bytes::from(png);
            let key = self.image_key(content.name(), style.name());
            rows.check_image(&item_of(content.name(), style.name()), &key, sha256)?;
            let span = rows::span(content.name(), style.name());
            // What has no figures is not stored, so it is evaluated first.
            let started = Instant::now();
            let evaluating = self.evaluate(&content.loaded, &key, png.clone());
            let mut evaluation = match evaluating.instrument(span.clone()).await? {
                Ok(evaluation) => evaluation,
                Err(why) => {
                    rows.quarantined(content.name(), style.name(), &why);
                    continue;
                }
            };
            warnings.append(&mut evaluation.warnings);
            let (evaluated_in, started) = (started.elapsed(), Instant::now());
            self.progress.begin(Stage::Store);
            if let Err(why) = self.store_label(content, rows).await? {
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            self.note(content, &made_now, rows).await?;
            if let Err(error) = self.storage.create(&key, png).instrument(span).await {
                let why = AttemptError::from(error).of_item()?;
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            let predictions = self.store_predictions(content, style.listing, &mut evaluation, rows);
            if let Err(why) = predictions.await? {
                rows.quarantined(content.name(), style.name(), &why);
                continue;
            }
            let work = Work {
                unet_evaluations: batch.evaluations as f64 / outputs,
                style_evaluations: style.recording.evaluations as f64,
                load_ms: share(content.loaded.elapsed),
                encode_ms: share(batch.encode),
                denoise_ms: share(batch.denoise),
                decode_ms: share(batch.decode),
                store_ms: milliseconds(started.elapsed()),
                quality_ms: milliseconds(evaluated_in),
                content_ms: Some(share(of_content)),
                style_ms: Some(milliseconds(style.recording.elapsed)),
            };
            let stored = Stored {
                output: self.output(content, style.listing, sha256.clone()),
                quality: evaluation.quality,
                work: Some(work),
                warnings,
            };
            rows.done(&content.loaded, style.name(), stored);
        }
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    1000.0 * duration.as_secs_f64()
}

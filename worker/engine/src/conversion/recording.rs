//! The recording of styles: each is walked once, and what conversions need of it is kept.

use std::time::Instant;

use ndarray::Array3;
use shared::digest;

use super::failures::{in_engine, not_finite};
use super::{ConversionInput, Converter};
use crate::EngineError;
use crate::injection::{self, RecordStyle};
use crate::style_bank::StyleRecord;
use imaging::tones;
use method::denoise::{self, Observer, StyleTrajectory};
use method::finite::NotFinite;

/// A style that is not tried again as long as it is the same image.
pub(super) struct BrokenStyle {
    image_sha256: String,
    numbers: NotFinite,
}

impl Converter {
    /// Returns whether a style has been recorded.
    #[must_use]
    pub fn has_style(&self, name: &str) -> bool {
        self.bank.get(name).is_some()
    }

    /// Walks a style's branch once and keeps what conversions need; returns its latent. A style whose numbers are not
    /// finite is walked once as well.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the model fails or the record cannot be kept; [`EngineError::NotFinite`] if numbers of the style
    /// are not finite.
    pub fn record_style(
        &mut self,
        style: &ConversionInput<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Array3<f32>, EngineError> {
        let digest = || {
            let pixels = style.prepared.image.as_standard_layout();
            digest::sha256(pixels.as_slice().expect("its pixels lie in order"))
        };
        if let Some(broken) = self.broken_styles.get(style.name)
            && broken.image_sha256 == digest()
        {
            return Err(not_finite(self, style_named(style.name))(broken.numbers));
        }
        let recorded =
            self.retry_with_room(|converter| converter.record_style_once(style, observer));
        if let Err(EngineError::NotFinite { numbers, .. }) = &recorded {
            let broken = BrokenStyle {
                image_sha256: digest(),
                numbers: *numbers,
            };
            self.broken_styles.insert(style.name.to_owned(), broken);
        }
        recorded
    }

    fn record_style_once(
        &mut self,
        style: &ConversionInput<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Array3<f32>, EngineError> {
        let started = Instant::now();
        let not_finite = not_finite(self, style_named(style.name));
        let latent = self.encode(style, &not_finite)?;
        self.give_back_if_short()?;
        let num_bytes = injection::style_num_bytes(&self.engine.unet, &self.recipe.injection);
        let mut steps = self.bank.reserve(style.name, num_bytes)?;
        let mut pass = RecordStyle {
            unet: &mut self.engine.unet,
            attention: self.attention.as_mut(),
            injection: &self.recipe.injection,
            steps: &mut steps,
        };
        let after = denoise::walk_style(
            &mut pass,
            &self.schedule,
            latent.view(),
            style.noise,
            observer,
        )
        .map_err(|error| in_engine(error, &not_finite))?;
        let trajectory = StyleTrajectory {
            labels: self.style_labels(style.prepared).to_owned(),
            after,
        };
        self.bank
            .insert(style.name.to_owned(), StyleRecord::new(trajectory, steps));
        match tones::style_warning(style.file, style.prepared.image.view()) {
            Some(warning) => drop(self.plain_styles.insert(style.name.to_owned(), warning)),
            None => drop(self.plain_styles.remove(style.name)),
        }
        tracing::info!(
            style = style.name,
            num_bytes,
            elapsed_ms = started.elapsed().as_millis(),
            "recorded style"
        );
        Ok(latent)
    }
}

fn style_named(name: &str) -> String {
    format!("style {name}")
}

//! The conversion of a content into styles that are recorded, all of them in one pass.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ndarray::{Array3, ArrayView3};

use super::failures::{in_engine, not_finite};
use super::{ConversionInput, Converter};
use crate::EngineError;
use crate::injection::by_class::ClassPass;
use crate::injection::{self, InjectStyles};
use method::denoise::{self, Content, DenoiseError, FinalLatent, Observer};
use method::unit_range::from_unit_range;

/// What a conversion made and what it took.
#[derive(Debug)]
pub struct Converted {
    /// The outputs, `(height, width, 3)`, in the order of the styles; of one whose numbers are not finite,
    /// [`EngineError::NotFinite`].
    pub images: Vec<Result<Array3<u8>, EngineError>>,
    /// The content's latent.
    pub content_latent: Array3<f32>,
    /// UNet evaluations.
    pub evaluations: u64,
    /// Time in them.
    pub in_unet: Duration,
    /// Time of that in injected layers.
    pub in_attention: Duration,
    /// Time in the content's branch, which its outputs share.
    pub in_content: Duration,
    /// Time in the VAE encoder.
    pub encode: Duration,
    /// Time in denoising.
    pub denoise: Duration,
    /// Time in the VAE decoder.
    pub decode: Duration,
}

impl Converter {
    /// Converts a content into the given styles, all of them recorded before.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the model fails; [`EngineError::NotFinite`] if numbers of the content are not finite, on which
    /// every output depends.
    pub fn convert(
        &mut self,
        content: &ConversionInput<'_>,
        styles: &[&str],
        observer: &mut dyn Observer,
    ) -> Result<Converted, EngineError> {
        self.retry_with_room(|converter| converter.convert_once(content, styles, observer))
    }

    fn convert_once(
        &mut self,
        content: &ConversionInput<'_>,
        styles: &[&str],
        observer: &mut dyn Observer,
    ) -> Result<Converted, EngineError> {
        let unet = &self.engine.unet;
        let (evaluations, in_unet) = (unet.evaluations(), unet.busy());
        let in_attention = unet.in_attention();
        let started = Instant::now();
        let not_finite = not_finite(self, format!("content {}", content.name));
        let latent = self.encode(content, &not_finite)?;
        self.give_back_if_short()?;
        let encoded = Instant::now();
        let denoised = self.denoise(content, latent.view(), styles, observer);
        let (latents, in_content) = denoised.map_err(|error| in_engine(error, &not_finite))?;
        self.give_back_if_short()?;
        let denoised = Instant::now();
        let mut images = Vec::with_capacity(styles.len());
        for (latent, style) in latents.into_iter().zip(styles) {
            images.push(self.decode(latent, content.name, style)?);
        }
        Ok(Converted {
            images,
            content_latent: latent,
            evaluations: self.engine.unet.evaluations() - evaluations,
            in_unet: self.engine.unet.busy() - in_unet,
            in_attention: self.engine.unet.in_attention() - in_attention,
            in_content,
            encode: encoded - started,
            denoise: denoised - encoded,
            decode: denoised.elapsed(),
        })
    }

    /// Returns the last latents of the outputs, or what of them is not finite, and the time that the content's branch took.
    fn denoise(
        &mut self,
        content: &ConversionInput<'_>,
        latent: ArrayView3<'_, f32>,
        styles: &[&str],
        observer: &mut dyn Observer,
    ) -> Result<(Vec<FinalLatent>, Duration), DenoiseError<EngineError>> {
        debug_assert_eq!(styles.iter().collect::<HashSet<_>>().len(), styles.len());
        let records = injection::records(&self.bank, styles);
        let trajectories: Vec<_> = records.iter().map(|record| &record.trajectory).collect();
        let (_, height, width) = latent.dim();
        let classes = self.recipe.injection.classes.as_ref().map(|classes| {
            let labels = content.prepared.label.view();
            let pass = ClassPass::new(classes, labels, (height, width), &records);
            pass.reading_kept_pairs(observer.reads_kept_pairs())
        });
        let content = Content {
            latent,
            labels: self.content_labels(content.prepared),
            noise: content.noise,
        };
        let mut pass = InjectStyles {
            unet: &mut self.engine.unet,
            attention: self.attention.as_mut(),
            injection: &self.recipe.injection,
            styles: &records,
            classes,
            in_content: Duration::ZERO,
        };
        let denoise = denoise::Denoise {
            schedule: &self.schedule,
            plan: &self.recipe.adain,
            observer,
        };
        let latents = denoise.run(&mut pass, &content, &trajectories)?;
        Ok((latents, pass.in_content))
    }

    /// Returns the image of an output's last latent, or what of it is not finite.
    fn decode(
        &mut self,
        latent: FinalLatent,
        content: &str,
        style: &str,
    ) -> Result<Result<Array3<u8>, EngineError>, EngineError> {
        let image = match latent {
            Ok(latent) => from_unit_range(self.engine.vae.decode(latent.view())?.view()),
            Err(numbers) => Err(numbers),
        };
        let output = format!("the output of content {content} in style {style}");
        Ok(image.map_err(not_finite(self, output)))
    }
}

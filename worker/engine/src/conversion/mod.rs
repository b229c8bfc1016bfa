//! Converting one content into several styles: method and engine put together.

mod noise;
mod recipe;
mod schedule;
mod warm_up;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use ndarray::{Array3, ArrayView2};
pub use noise::{DrawnNoise, GivenNoise};
pub use recipe::Recipe;
pub use schedule::schedule_constants;
use shared::digest;
use shared::failure::{FailureClass, chain};
use shared::settings::{Device, EngineConfig, MethodConfig};
use shared::warning::{ItemWarning, WarningKind};

use crate::attention::AttentionKernel;
use crate::injection::{self, InjectStyles, RecordStyle};
use crate::style_bank::{StyleBank, StyleBankLimits, StyleRecord};
use crate::{Engine, EngineError};
use imaging::Prepared;
use imaging::tones;
use method::denoise::{self, Content, DenoiseError, NoiseSource, Observer, StyleTrajectory};
use method::finite::{NotFinite, Quantity};
use method::schedule::Schedule;
use method::unit_range::{from_unit_range, to_unit_range};
use shared::model::ImageSize;

/// Converts contents into styles: a loaded model with a method's settings and the styles recorded so far.
pub struct Converter {
    engine: Engine,
    recipe: Recipe,
    schedule: Schedule,
    bank: StyleBank,
    /// Styles of which no record can be made, by their names.
    broken_styles: HashMap<String, BrokenStyle>,
    /// What is said of recorded styles that show one colour, by their names.
    plain_styles: HashMap<String, ItemWarning>,
    attention: Box<dyn AttentionKernel>,
    seed: u64,
}

/// A style that is not tried again as long as it is the same image.
struct BrokenStyle {
    image_sha256: String,
    numbers: NotFinite,
}

/// An image about to be converted, or a style about to be recorded.
pub struct ConversionInput<'a> {
    /// Its name in the dataset.
    pub name: &'a str,
    /// Its image file, as warnings name it.
    pub file: &'a str,
    /// Its pixels and labels at the model's size.
    pub prepared: &'a Prepared,
    /// Its noise.
    pub noise: &'a dyn NoiseSource,
}

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
    /// Time in the VAE encoder.
    pub encode: Duration,
    /// Time in denoising.
    pub denoise: Duration,
    /// Time in the VAE decoder.
    pub decode: Duration,
}

impl Converter {
    /// Returns a converter whose styles are still to be recorded. One on a GPU has been [warmed up](Self::warm_up).
    ///
    /// # Errors
    ///
    /// [`EngineError::Schedule`] if the settings do not fit the model's schedule, [`EngineError::Device`] if a GPU cannot
    /// compute what a conversion does.
    pub fn new(
        engine: Engine,
        method: &MethodConfig,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        let constants = schedule_constants(&engine.contract);
        let recipe = Recipe::new(method);
        let mut converter = Self {
            attention: engine.attention(recipe.injection.attention),
            schedule: Schedule::new(&constants, method.steps, method.skip)?,
            recipe,
            bank: StyleBank::new(StyleBankLimits::from(config)),
            broken_styles: HashMap::new(),
            plain_styles: HashMap::new(),
            engine,
            seed: method.seed,
        };
        match config.device {
            // What was loaded there runs there.
            Device::Cpu => {}
            device @ Device::Cuda(_) => converter.warm_up(device)?,
        }
        Ok(converter)
    }

    /// Returns the converter with another attention in the injected layers.
    #[must_use]
    pub fn with_attention(mut self, attention: Box<dyn AttentionKernel>) -> Self {
        self.attention = attention;
        self
    }

    /// Returns the model's sizes.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        self.engine.contract.image_size()
    }

    /// Returns the channels of the model's latents.
    #[must_use]
    pub fn latent_channels(&self) -> usize {
        self.engine.contract.model.latent.channels
    }

    /// Returns the SHA-256 of the model's contract.
    #[must_use]
    pub fn model_sha256(&self) -> &str {
        &self.engine.contract.sha256
    }

    /// Returns the timesteps of the whole schedule.
    #[must_use]
    pub fn timesteps(&self) -> Vec<usize> {
        (0..self.schedule.steps())
            .map(|index| self.schedule.timestep(index))
            .collect()
    }

    /// Returns the number of executed steps.
    #[must_use]
    pub fn num_executed(&self) -> usize {
        self.schedule.num_executed()
    }

    /// Returns how often the UNet has been evaluated on one latent since the model was loaded.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.engine.unet.evaluations()
    }

    /// Returns the noise that the run's seed gives a content.
    #[must_use]
    pub fn content_noise(&self, name: &str) -> DrawnNoise {
        DrawnNoise::new(
            self.seed,
            format!("content/{name}"),
            self.size(),
            self.latent_channels(),
        )
    }

    /// Returns the noise that the run's seed gives a style.
    #[must_use]
    pub fn style_noise(&self, name: &str) -> DrawnNoise {
        DrawnNoise::new(
            self.seed,
            format!("style/{name}"),
            self.size(),
            self.latent_channels(),
        )
    }

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
            self.retry_after_eviction(|converter| converter.record_style_once(style, observer));
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
            labels: style.prepared.label_latent.clone(),
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

    /// Returns the latent of an image.
    fn encode(
        &mut self,
        input: &ConversionInput<'_>,
        not_finite: &impl Fn(NotFinite) -> EngineError,
    ) -> Result<Array3<f32>, EngineError> {
        let image = to_unit_range(input.prepared.image.view());
        let latent = self.engine.vae.encode(image.view())?;
        let checked = Quantity::EncodedLatent.check(latent.view());
        checked.map_err(not_finite)?;
        Ok(latent)
    }

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
        self.retry_after_eviction(|converter| converter.convert_once(content, styles, observer))
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
        let encoded = Instant::now();
        let latents = self.denoise(content, latent.view(), styles, observer);
        let latents = latents.map_err(|error| in_engine(error, &not_finite))?;
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
            encode: encoded - started,
            denoise: denoised - encoded,
            decode: denoised.elapsed(),
        })
    }

    /// Returns the image of an output's last latent, or what of it is not finite.
    fn decode(
        &mut self,
        latent: Result<Array3<f32>, NotFinite>,
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

    /// Does something; if the device runs out of memory and may hold styles, these are evicted and it is done once more.
    fn retry_after_eviction<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let error = match work(self) {
            Err(error) if error.class() == FailureClass::Resources => error,
            done => return done,
        };
        let unet = &mut self.engine.unet;
        if !self
            .bank
            .evict_from_device(|layer| unet.copy_to_host(layer))?
        {
            return Err(error);
        }
        tracing::warn!(
            error = chain(&error),
            "the device is out of memory: keys and values of styles leave it from now on"
        );
        work(self)
    }

    /// Returns the warnings about a content in a recorded style.
    #[must_use]
    pub fn warnings(&self, content: &Prepared, style: &str) -> Vec<ItemWarning> {
        let Some(record) = self.bank.get(style) else {
            return Vec::new();
        };
        let labels = record.trajectory.labels.view();
        let of_labels = self.warning_of_labels(content, labels);
        let of_style = self.plain_styles.get(style).cloned();
        of_labels.into_iter().chain(of_style).collect()
    }

    /// Returns the [`warnings`](Self::warnings) of a style that need not be recorded, given its image file and what that
    /// holds.
    #[must_use]
    pub fn warnings_of_unrecorded(
        &self,
        content: &Prepared,
        file: &str,
        style: &Prepared,
    ) -> Vec<ItemWarning> {
        let of_labels = self.warning_of_labels(content, style.label_latent.view());
        let of_style = tones::style_warning(file, style.image.view());
        of_labels.into_iter().chain(of_style).collect()
    }

    fn warning_of_labels(
        &self,
        content: &Prepared,
        style: ArrayView2<'_, u8>,
    ) -> Option<ItemWarning> {
        let class_adain = &self.recipe.adain.class_adain;
        let shared = class_adain.num_shared_classes(content.label_latent.view(), style);
        let unrelated = self.recipe.adain.class_wise.contains(&true) && shared == 0;
        unrelated.then(|| ItemWarning {
            kind: WarningKind::NoCommonClass,
            text:
                "content and style have no class in common, so class-wise AdaIN changed nothing; \
                   the image was converted by injection and global AdaIN"
                    .to_owned(),
        })
    }

    fn denoise(
        &mut self,
        content: &ConversionInput<'_>,
        latent: ndarray::ArrayView3<'_, f32>,
        styles: &[&str],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Result<Array3<f32>, NotFinite>>, DenoiseError<EngineError>> {
        debug_assert_eq!(styles.iter().collect::<HashSet<_>>().len(), styles.len());
        let records = injection::records(&self.bank, styles);
        let trajectories: Vec<_> = records.iter().map(|record| &record.trajectory).collect();
        let content = Content {
            latent,
            labels: content.prepared.label_latent.view(),
            noise: content.noise,
        };
        let mut pass = InjectStyles {
            unet: &mut self.engine.unet,
            attention: self.attention.as_mut(),
            injection: &self.recipe.injection,
            styles: &records,
        };
        let denoise = denoise::Denoise {
            schedule: &self.schedule,
            plan: &self.recipe.adain,
            observer,
        };
        denoise.run(&mut pass, &content, &trajectories)
    }
}

fn style_named(name: &str) -> String {
    format!("style {name}")
}

/// Returns what makes an error of numbers of an image, with what helps with this model.
fn not_finite(converter: &Converter, what: String) -> impl Fn(NotFinite) -> EngineError + use<> {
    let cure = converter.engine.contract.model.cure_of_not_finite();
    move |numbers| EngineError::NotFinite {
        what: what.clone(),
        numbers,
        cure,
    }
}

/// Returns an error of the denoising loop as one of the engine.
fn in_engine(
    error: DenoiseError<EngineError>,
    not_finite: impl Fn(NotFinite) -> EngineError,
) -> EngineError {
    match error {
        DenoiseError::Unet(error) => error,
        DenoiseError::Adain(error) => EngineError::Adain(error),
        DenoiseError::NotFinite(numbers) => not_finite(numbers),
    }
}

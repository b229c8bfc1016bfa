//! Converting one content into several styles: method and engine put together.
//!
//! - `recipe`, `schedule`, `noise`: what a method's settings and a model's contract mean
//! - [`trial`]: what a GPU computes before the first conversion, and how it is judged
//! - `recording`: styles; `converting`: contents
//! - `warnings`: what is said of them; `failures`: what becomes of numbers that are not finite, and of too little memory

mod converting;
mod failures;
mod noise;
mod recipe;
mod recording;
mod schedule;
pub mod trial;
mod warnings;

use std::collections::HashMap;

pub use converting::Converted;
use ndarray::Array3;
pub use noise::{DrawnNoise, GivenNoise};
pub use recipe::Recipe;
pub use schedule::schedule_constants;
use shared::platform::Platform;
use shared::settings::{Device, DiffusionConfig, EngineConfig};
use shared::warning::ItemWarning;

use self::recording::BrokenStyle;
use self::trial::Trial;
use crate::attention::AttentionKernel;
use crate::reclaim::Reclaim;
use crate::style_bank::{StyleBank, StyleBankLimits};
use crate::{Engine, EngineError};
use imaging::Prepared;
use method::denoise::NoiseSource;
use method::finite::{NotFinite, Quantity};
use method::schedule::Schedule;
use method::unit_range::to_unit_range;
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
    reclaim: Reclaim,
    /// Whether the device has run out of memory.
    is_short_of_memory: bool,
    seed: u64,
    /// Of a GPU.
    trial: Option<Trial>,
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

impl Converter {
    /// Returns a converter whose styles are still to be recorded. One on a GPU has been [tried out](Self::try_out).
    ///
    /// # Errors
    ///
    /// [`EngineError::Schedule`] if the settings do not fit the model's schedule, [`EngineError::Contract`] if the model does
    /// not hand over what the method takes, [`EngineError::Device`] if a GPU cannot compute what a conversion does,
    /// [`EngineError::Trial`] if it computes something else.
    pub fn new(
        engine: Engine,
        method: &DiffusionConfig,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        engine.contract.check_method(method)?;
        let constants = schedule_constants(&engine.contract);
        let recipe = Recipe::new(method);
        let mut converter = Self {
            attention: engine.attention(&recipe.injection)?,
            schedule: Schedule::new(&constants, method.steps, method.skip)?,
            recipe,
            bank: StyleBank::new(StyleBankLimits::from(config)),
            broken_styles: HashMap::new(),
            plain_styles: HashMap::new(),
            reclaim: Reclaim::new(&engine.runtime),
            is_short_of_memory: false,
            engine,
            seed: method.seed,
            trial: None,
        };
        match config.device {
            // What was loaded there runs there, by kernels that tests compare with those of others.
            Device::Cpu => {}
            device @ Device::Cuda(_) => converter.trial = Some(converter.try_out(device)?),
        }
        Ok(converter)
    }

    /// Returns the converter with another attention in the injected layers.
    #[must_use]
    pub fn with_attention(mut self, attention: Box<dyn AttentionKernel>) -> Self {
        self.attention = attention;
        self
    }

    /// Returns what it computes with.
    #[must_use]
    pub fn platform(&self) -> Platform {
        let injects = self.recipe.injection.injected.contains(&true);
        Platform {
            injection: injects.then(|| self.attention.kind().to_string()),
            ..self.engine.runtime.platform()
        }
    }

    /// Returns what the trial of a GPU has found.
    #[must_use]
    pub fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
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

    /// Returns the latent of an image.
    fn encode(
        &mut self,
        input: &ConversionInput<'_>,
        not_finite: &impl Fn(NotFinite) -> EngineError,
    ) -> Result<Array3<f32>, EngineError> {
        self.give_back_if_short()?;
        let image = to_unit_range(input.prepared.image.view());
        let latent = self.engine.vae.encode(image.view())?;
        let checked = Quantity::EncodedLatent.check(latent.view());
        checked.map_err(not_finite)?;
        Ok(latent)
    }
}

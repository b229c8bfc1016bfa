//! The translator: a network that makes the output of an item in one evaluation, such as the generator of a GAN.
//!
//! Items are evaluated one at a time, on every device: bytes cannot depend on what else is made. A GPU is busy with one image
//! of the sizes that are trained on.

use std::path::Path;

use imaging::Prepared;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use shared::model::{ImageSize, Precision};
use shared::network::{
    NetworkContract, TRANSLATOR_FILE, TRANSLATOR_OUTPUT, TranslatorInput, TranslatorShapes,
};
use shared::platform::Platform;
use shared::settings::{Device, EngineConfig};

use crate::runtime::Runtime;
use crate::session::{GraphSession, InputSize};
use crate::tensor::Tensors;
use crate::{EngineError, network, tensor};
use method::translation::{from_range, item_noise, one_hot, to_range};

/// What helps where an output is not finite.
const CURE: &str =
    "does the network divide by zero on this image, or was it exported from damaged weights?";

/// A translator that is loaded and matches its contract.
pub struct Translator {
    /// Its contract, `translator.json`.
    pub contract: NetworkContract,
    /// What it is computed with.
    pub platform: Platform,
    shapes: TranslatorShapes,
    session: GraphSession,
}

/// A content as a translator takes it, for all of its styles.
pub struct TranslatorContent {
    name: String,
    tensors: Tensors,
}

/// What else an item has. What the translator does not take is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct TranslatorStyle<'a> {
    /// The style's name in the dataset.
    pub name: &'a str,
    /// The photograph `(height, width, 3)`, of the content's size.
    pub image: Option<ArrayView3<'a, u8>>,
    /// The item's noise, as [`Translator::noise`] draws it.
    pub noise: Option<ArrayView3<'a, f32>>,
}

impl Translator {
    /// Loads a folder that `onnx_export.translator` wrote. On a GPU it has computed once.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if ONNX Runtime cannot be loaded, or a file is missing, altered or not what the contract says, or a
    /// GPU cannot compute what the network does.
    pub fn load(folder: &Path, config: &EngineConfig) -> Result<Self, EngineError> {
        let runtime = Runtime::load(config)?;
        let contract = NetworkContract::load(folder, TRANSLATOR_FILE)?;
        let shapes = TranslatorShapes::of(&contract)?;
        let (height, width) = shapes.image;
        let mut translator = Self {
            session: network::session(&contract, &runtime, Some(InputSize { width, height }))?,
            platform: runtime.platform(),
            shapes,
            contract,
        };
        match config.device {
            // What was loaded there runs there.
            Device::Cpu => {}
            device @ Device::Cuda(_) => translator.warm_up(device)?,
        }
        Ok(translator)
    }

    /// Returns the size of images, labels and outputs.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        self.shapes.size()
    }

    /// Returns whether it takes the content's label.
    #[must_use]
    pub fn takes_label(&self) -> bool {
        self.shapes.label.is_some()
    }

    /// Returns whether it takes the photograph.
    #[must_use]
    pub fn takes_style(&self) -> bool {
        self.shapes.takes_style
    }

    /// Returns whether the outputs of a content differ from style to style: where they do not, one stands for all.
    #[must_use]
    pub fn differs_by_style(&self) -> bool {
        self.shapes.differs_by_style()
    }

    /// Returns the noise that a run's seed gives an item; none if the translator takes none.
    #[must_use]
    pub fn noise(&self, seed: u64, content: &str, style: &str) -> Option<Array3<f32>> {
        let shape = self.shapes.noise.as_ref()?;
        Some(item_noise(seed, (content, style), shape))
    }

    /// Returns a content as the translator takes it, of the size that it has.
    ///
    /// # Errors
    ///
    /// [`EngineError::Run`] if ONNX Runtime takes no tensors.
    pub fn content(
        &self,
        name: &str,
        prepared: &Prepared,
    ) -> Result<TranslatorContent, EngineError> {
        self.content_of(name, prepared.image.view(), prepared.label.view())
    }

    fn content_of(
        &self,
        name: &str,
        image: ArrayView3<'_, u8>,
        train_ids: ArrayView2<'_, u8>,
    ) -> Result<TranslatorContent, EngineError> {
        let mut content = TranslatorContent {
            name: name.to_owned(),
            tensors: Tensors::new(),
        };
        if self.shapes.takes_image {
            let planes = to_range(image, self.shapes.translation.input_range);
            self.give(&mut content, TranslatorInput::Image, planes.view())?;
        }
        if let Some(unknown) = self.shapes.label {
            let planes = one_hot(train_ids, unknown);
            self.give(&mut content, TranslatorInput::Label, planes.view())?;
        }
        Ok(content)
    }

    /// Has an input of the graph be some planes `(channels, height, width)`.
    fn give(
        &self,
        content: &mut TranslatorContent,
        input: TranslatorInput,
        planes: ArrayView3<'_, f32>,
    ) -> Result<(), EngineError> {
        let tensor = tensor::from_array(planes, Precision::Fp32);
        let tensor = tensor.map_err(|error| self.session.error(error))?;
        content.tensors.insert(input.as_str().to_owned(), tensor);
        Ok(())
    }

    /// Returns the output `(height, width, 3)` of a content in a style.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFinite`] if values of it are not finite, [`EngineError::Contract`] if it has another size than the
    /// contract says, [`EngineError::Run`] if ONNX Runtime fails.
    pub fn translate(
        &mut self,
        content: &mut TranslatorContent,
        style: TranslatorStyle<'_>,
    ) -> Result<Array3<u8>, EngineError> {
        self.give_style(content, style)?;
        let made = self.session.run(&content.tensors)?;
        let failed = |error| self.session.error(error);
        let output = made
            .get(TRANSLATOR_OUTPUT)
            .ok_or_else(|| failed(ort::Error::new(format!("no {TRANSLATOR_OUTPUT} came out"))))?;
        let found = tensor::shape::<4>(output).map_err(failed)?;
        let (height, width) = self.shapes.image;
        if found != [1, 3, height, width] {
            let told = format!(
                "names a graph that gives {TRANSLATOR_OUTPUT} of shape {found:?}, expected [1, 3, {height}, {width}] as the \
                 contract says; export the network again"
            );
            return Err(self.contract.refuse(told).into());
        }
        let planes = tensor::to_array(output).map_err(failed)?;
        let image = from_range(planes.view(), self.shapes.translation.output_range);
        image.map_err(|numbers| EngineError::NotFinite {
            what: self.told(&content.name, style.name),
            numbers,
            cure: CURE,
        })
    }

    /// Has the inputs of the graph that differ from style to style be those of a style.
    fn give_style(
        &self,
        content: &mut TranslatorContent,
        style: TranslatorStyle<'_>,
    ) -> Result<(), EngineError> {
        if let Some(image) = style.image.filter(|_| self.shapes.takes_style) {
            let planes = to_range(image, self.shapes.translation.input_range);
            self.give(content, TranslatorInput::Style, planes.view())?;
        }
        match (self.shapes.noise.as_deref(), style.noise) {
            (Some([_]), Some(noise)) => {
                let numbers = noise.iter().copied().collect();
                let tensor = tensor::from_numbers(numbers);
                let tensor = tensor.map_err(|error| self.session.error(error))?;
                let name = TranslatorInput::Noise.as_str().to_owned();
                content.tensors.insert(name, tensor);
                Ok(())
            }
            (Some(_), Some(noise)) => self.give(content, TranslatorInput::Noise, noise),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Returns what an output is called.
    fn told(&self, content: &str, style: &str) -> String {
        if self.differs_by_style() {
            format!("the output of content {content} in style {style}")
        } else {
            format!("the output of content {content}")
        }
    }

    /// Evaluates an item of zeros: a device may take a graph and still lack a library or the memory to run it.
    fn warm_up(&mut self, device: Device) -> Result<(), EngineError> {
        match self.compute_once() {
            // It may divide by them, which says nothing about the device.
            Ok(_) | Err(EngineError::NotFinite { .. }) => Ok(()),
            Err(error) => Err(error.of_warm_up(device)),
        }
    }

    fn compute_once(&mut self) -> Result<Array3<u8>, EngineError> {
        let (height, width) = self.shapes.image;
        let image = Array3::zeros((height, width, 3));
        let train_ids = Array2::zeros((height, width));
        let noise = self.noise(0, "content", "style");
        let mut content = self.content_of("of the warm-up", image.view(), train_ids.view())?;
        let style = TranslatorStyle {
            name: "of the warm-up",
            image: Some(image.view()),
            noise: noise.as_ref().map(|noise| noise.view()),
        };
        self.translate(&mut content, style)
    }
}

//! The warm-up of a device: what conversions ask of it, computed once before there is anything to lose.

use std::error::Error as _;
use std::time::Duration;

use ndarray::{Array2, Array3};
use shared::settings::Device;

use crate::conversion::Converter;
use crate::injection::{InjectStyles, RecordStyle};
use crate::style_bank::{StyleRecord, StyleSteps};
use crate::{EngineError, cause};
use method::denoise::{At, ContentPass as _, OutputBranch, StylePass as _, StyleTrajectory};

impl Converter {
    /// Computes everything that a conversion does once, on an image of zeros: encodes it, evaluates it as a style, as a
    /// content and as an output at a step that injects, and decodes it.
    ///
    /// A device may take every graph and still lack a library or the memory to run them. It also makes the graphs of
    /// attention, so that the first image takes as long as the others.
    ///
    /// # Errors
    ///
    /// [`EngineError::Device`] saying what it cannot do.
    pub fn warm_up(&mut self, device: Device) -> Result<(), EngineError> {
        self.compute_once().map_err(|error| {
            let source = error.source().map(ToString::to_string);
            let why = source.map_or_else(String::new, |source| format!(": {}", cause(&source)));
            EngineError::Device {
                device,
                reason: format!(
                    "the model was loaded there and cannot be computed with, {error}{why}; are CUDA's libraries and \
                     libcudnn.so.9 where the loader looks (LD_LIBRARY_PATH), and has the GPU memory to spare?"
                ),
            }
        })
    }

    fn compute_once(&mut self) -> Result<(), EngineError> {
        let size = self.size();
        let image = Array3::zeros((3, size.height, size.width));
        let latent = self.engine.vae.encode(image.view())?;
        let injection = &self.recipe.injection;
        let injected = injection.injected.iter().position(|injected| *injected);
        // Without injection, every step asks for the same.
        let step = injected.unwrap_or(0);
        let timestep = self.schedule.timestep(self.schedule.index(step));
        let at = At { step, timestep };

        let mut steps = StyleSteps::where_made("of the warm-up");
        let mut style = RecordStyle {
            unet: &mut self.engine.unet,
            attention: self.attention.as_mut(),
            injection,
            steps: &mut steps,
        };
        style.evaluate(at, latent.view())?;
        let trajectory = StyleTrajectory {
            labels: Array2::zeros((0, 0)),
            after: Vec::new(),
        };
        let record = StyleRecord::new(trajectory, steps);
        let mut pass = InjectStyles {
            unet: &mut self.engine.unet,
            attention: self.attention.as_mut(),
            injection,
            styles: &[&record],
            in_content: Duration::ZERO,
        };
        let output = OutputBranch {
            position: 0,
            latent: latent.view(),
        };
        let predictions = pass.evaluate(at, latent.view(), &[output])?;
        for latent in &predictions.outputs {
            self.engine.vae.decode(latent.view())?;
        }
        Ok(())
    }
}

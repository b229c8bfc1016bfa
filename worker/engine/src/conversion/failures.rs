//! What becomes of failures: numbers that are not finite, and a device that runs out of memory.

use shared::failure::{FailureClass, chain};

use super::Converter;
use crate::EngineError;
use method::denoise::DenoiseError;
use method::finite::NotFinite;

impl Converter {
    /// Does something; if the device runs out of memory and may hold styles, these are evicted and it is done once more.
    pub(super) fn retry_after_eviction<T>(
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
}

/// Returns what makes an error of numbers of an image, with what helps with this model.
pub(super) fn not_finite(
    converter: &Converter,
    what: String,
) -> impl Fn(NotFinite) -> EngineError + use<> {
    let cure = converter.engine.contract.model.cure_of_not_finite();
    move |numbers| EngineError::NotFinite {
        what: what.clone(),
        numbers,
        cure,
    }
}

/// Returns an error of the denoising loop as one of the engine.
pub(super) fn in_engine(
    error: DenoiseError<EngineError>,
    not_finite: impl Fn(NotFinite) -> EngineError,
) -> EngineError {
    match error {
        DenoiseError::Unet(error) => error,
        DenoiseError::Adain(error) => EngineError::Adain(error),
        DenoiseError::NotFinite(numbers) => not_finite(numbers),
    }
}

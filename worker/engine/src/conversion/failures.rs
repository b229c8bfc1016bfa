//! What becomes of failures: numbers that are not finite, and a device that runs out of memory.

use shared::failure::{FailureClass, chain};

use super::Converter;
use crate::EngineError;
use method::denoise::DenoiseError;
use method::finite::NotFinite;

impl Converter {
    /// Does something, and does it once more whenever a GPU has run out of memory and room could be made on it.
    pub(super) fn retry_with_room<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        loop {
            let error = match work(self) {
                Err(error) if error.class() == FailureClass::Resources => error,
                done => return done,
            };
            if !self.make_room()? {
                return Err(error);
            }
            tracing::warn!(
                error = chain(&error),
                styles_bytes = self.bank.bytes_on_device(),
                "the device is out of memory: keys and values of styles leave it, half of them at a time, and from now on \
                 what is free is given back to it between encoding, denoising and decoding"
            );
        }
    }

    /// Makes room on a GPU: half of the styles there leave it, and what is free is given back, then and from then on.
    /// Returns whether there was anything left to do.
    fn make_room(&mut self) -> Result<bool, EngineError> {
        let unet = &mut self.engine.unet;
        if unet.tensors_are_on_host() {
            return Ok(false);
        }
        let evicted = self
            .bank
            .evict_half_from_device(|layer| unet.copy_to_host(layer))?;
        let was_short = std::mem::replace(&mut self.is_short_of_memory, true);
        self.reclaim.give_back()?;
        Ok(evicted || !was_short)
    }

    /// Gives back to a GPU that has run out of memory what the part before has left, which is of other sizes than what the
    /// next one asks for.
    pub(super) fn give_back_if_short(&mut self) -> Result<(), EngineError> {
        match self.is_short_of_memory {
            true => self.reclaim.give_back(),
            false => Ok(()),
        }
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

//! What outputs are like, each judged by itself against its content: similarity, perceptual distance, features.
//!
//! - [`ssim`]: structural similarity
//! - [`OutputJudge`]: all of it for one output, with the run's networks
//!
//! What several outputs are like together (FID, KID) is made from this by the coordinator.

pub mod ssim;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use shared::failure::FailureClass;
use shared::manifest::Quality;

use self::ssim::SsimError;
use crate::attempt::{Judge, LoadedInput};
use crate::dataset::{InputError, NamedBytes, Prepared, decode_image};
use crate::engine::EngineError;
use crate::engine::extractor::Extractor;
use crate::engine::perceptual::Perceptual;
use crate::method::label_map::NUM_CLASSES;

/// Why an output cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// It is no image.
    #[error(transparent)]
    Output(#[from] InputError),
    /// It is not of its content's size.
    #[error(transparent)]
    Ssim(#[from] SsimError),
    /// A network failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl QualityError {
    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            // It concerns one image: its shard fails, counted, and the others go on.
            Self::Output(_) | Self::Ssim(_) => FailureClass::Transient,
            Self::Engine(error) => error.class(),
        }
    }
}

/// The networks of a run. Structural similarity needs none.
#[derive(Default)]
pub struct Networks {
    /// Whose features FID and KID compare.
    pub extractor: Option<Extractor>,
    /// For LPIPS.
    pub perceptual: Option<Perceptual>,
}

/// Judges outputs one at a time, away from the threads that wait for the network.
#[derive(Clone, Default)]
pub struct OutputJudge {
    networks: Arc<Mutex<Networks>>,
}

impl OutputJudge {
    /// Returns a judge with these networks.
    #[must_use]
    pub fn new(networks: Networks) -> Self {
        Self {
            networks: Arc::new(Mutex::new(networks)),
        }
    }
}

impl Networks {
    /// Returns what an output, a PNG file as it is stored, is like.
    ///
    /// # Errors
    ///
    /// [`QualityError`] if the file is no image of its content's size, or a network fails.
    pub fn judge(&mut self, content: &Prepared, png: &[u8]) -> Result<Quality, QualityError> {
        let before = content.image.view();
        let after = decode_image(NamedBytes {
            name: "the output",
            bytes: png,
        })?;
        // It says so of an output of another size, which networks were not loaded for.
        let ssim = ssim::ssim(before, after.view())?;
        let features = match &mut self.extractor {
            Some(extractor) => Some(extractor.features(after.view())?),
            None => None,
        };
        let lpips = match &mut self.perceptual {
            Some(perceptual) => Some(perceptual.distance(before, after.view())?),
            None => None,
        };
        let mut shown = [false; NUM_CLASSES];
        for &train_id in &content.label {
            if let Some(shown) = shown.get_mut(usize::from(train_id)) {
                *shown = true;
            }
        }
        Ok(Quality {
            ssim,
            lpips,
            train_ids: (0..)
                .zip(shown)
                .filter(|(_, shown)| *shown)
                .map(|(id, _)| id)
                .collect(),
            features,
        })
    }
}

#[async_trait]
impl Judge for OutputJudge {
    async fn judge(&self, content: Arc<LoadedInput>, png: Bytes) -> Result<Quality, QualityError> {
        let (networks, span) = (Arc::clone(&self.networks), tracing::Span::current());
        let work = move || {
            let _in_span = span.entered();
            // A network that panicked holds nothing that a later call could see half-made.
            let mut networks = networks.lock().unwrap_or_else(PoisonError::into_inner);
            networks.judge(&content.prepared, &png)
        };
        shared::blocking::run(work).await
    }
}

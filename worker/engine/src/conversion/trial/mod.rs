//! The trial of a GPU: what conversions ask of it, computed before there is anything to lose, and judged.
//!
//! A device may take every graph and still lack a library or the memory to run them, compute something else than it
//! should, or compute something else each time. It is given seeded noise:
//!
//! - `layers`: the attention of the injected layers, beside that of the host; `scene`: what they attend to
//! - `pass`: all else, twice: a style, a content, an output, and a round trip of the VAE
//! - `deviation`: how far numbers are apart, and how far they may be; `consequence`: what becomes of a GPU that fails
//! - `engines`: what cuDNN notes of its own, where that is logged

mod consequence;
mod deviation;
mod engines;
mod layers;
mod pass;
mod scene;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, Instant};

use ndarray::Array2;
use ort::value::DynValue;
use shared::settings::Device;

use self::consequence::Consequence;
use crate::conversion::Converter;
use crate::transfer::Transfer;
use crate::{EngineError, tensor};

/// What a trial has found.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// How far the attention of injected layers is from that of the host: of each shape of theirs, at two sizes.
    pub deviations: Vec<LayerDeviation>,
    /// What is wrong all the same, where the environment says that it is reported and not refused.
    pub failures: Vec<TrialFailure>,
    /// Whether it is known of all engines of cuDNN that were taken whether they are deterministic.
    pub knows_engines: bool,
    /// The time that it took.
    pub elapsed: Duration,
}

/// How far the attention of a layer is from that of the host, as a share of the size of its numbers, in the worst head.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerDeviation {
    /// The layer, and the number of its tokens.
    pub layer: String,
    /// Of attention to itself.
    pub to_itself: f64,
    /// Of attention to a style, where the method injects one.
    pub injected: Option<f64>,
    /// The most that rounding explains.
    pub most: f64,
}

impl fmt::Display for LayerDeviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: attention to itself {:.1e}",
            self.layer, self.to_itself
        )?;
        if let Some(injected) = self.injected {
            write!(f, ", injected {injected:.1e}")?;
        }
        write!(f, " off the CPU's, at most {:.0e}", self.most)
    }
}

/// What is wrong with what a device computes.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrialFailure {
    /// It is something else than the host computes.
    #[error(
        "{part} is {found:.1e} of its size off what the CPU computes, in head {head}, and rounding explains {most:.0e} at most"
    )]
    Apart {
        /// The part of the model.
        part: String,
        /// The worst head, from 0.
        head: usize,
        /// How far it is off.
        found: f64,
        /// The most that it may be.
        most: f64,
    },
    /// It is no number.
    #[error("{part} has values that are not finite")]
    NotFinite {
        /// The part of the model.
        part: String,
    },
    /// It is something else each time.
    #[error("{part} comes out with other bytes when it is computed again from the same numbers")]
    NotRepeated {
        /// The part of the model.
        part: String,
    },
    /// It may be something else each time, by what cuDNN notes of itself.
    #[error(
        "cuDNN computes convolutions with {engine}, an engine that it notes as not deterministic"
    )]
    NotDeterministic {
        /// The engine.
        engine: String,
    },
}

impl Converter {
    /// Computes everything that a conversion does on seeded noise, and judges what comes out.
    ///
    /// It also makes the graphs of attention, so that the first image takes as long as the others.
    ///
    /// # Errors
    ///
    /// [`EngineError::Device`] saying what the device cannot do, [`EngineError::Trial`] naming the part of the model that it
    /// computes wrongly, unless `SYNTH2REAL_TRIAL` says that this is reported.
    pub fn try_out(&mut self, device: Device) -> Result<Trial, EngineError> {
        let consequence = Consequence::told();
        let consequence = consequence.map_err(|reason| EngineError::Device { device, reason })?;
        let (started, mut trial) = (Instant::now(), Trial::default());
        let mut transfer = Transfer::new(&self.engine.runtime, self.engine.unet.precision);
        let judged = self.judge_layers(&mut transfer, &mut trial);
        judged.map_err(|error| impossible(device, error))?;
        trial.check(device, consequence)?;
        let repeated = self.pass_twice(&mut transfer);
        let failure = repeated.map_err(|error| impossible(device, error))?;
        trial.failures.extend(failure);
        trial.ask_for_engines();
        trial.check(device, consequence)?;
        trial.elapsed = started.elapsed();
        for failure in &trial.failures {
            tracing::warn!(%device, "what the device computes cannot be trusted: {failure}");
        }
        let elapsed_ms = trial.elapsed.as_millis();
        tracing::info!(%device, elapsed_ms, "tried out the device");
        Ok(trial)
    }
}

impl Trial {
    /// Takes note of engines that are not deterministic.
    fn ask_for_engines(&mut self) {
        let engines = engines::not_deterministic();
        self.knows_engines = engines.is_some();
        let engines = engines.into_iter().flatten();
        let failures = engines.map(|engine| TrialFailure::NotDeterministic { engine });
        self.failures.extend(failures);
    }

    /// Refuses a device that has failed so far, if that is the consequence.
    fn check(&self, device: Device, consequence: Consequence) -> Result<(), EngineError> {
        match (consequence, self.failures.first()) {
            (Consequence::Refuse, Some(failure)) => Err(EngineError::Trial {
                device,
                failure: failure.clone(),
            }),
            (Consequence::Refuse, None) | (Consequence::Report, _) => Ok(()),
        }
    }
}

/// Returns the error of a device that cannot compute what is asked of it.
fn impossible(device: Device, error: EngineError) -> EngineError {
    if let EngineError::Device { .. } = error {
        return error;
    }
    error.of_warm_up(device)
}

/// Returns the numbers of a tensor `(1, tokens, width)` in the host's memory.
fn on_host(value: &DynValue) -> Result<Array2<f32>, EngineError> {
    let tokens = tensor::tokens(value).map_err(|source| EngineError::Run {
        part: "the trial".to_owned(),
        source,
    })?;
    Ok(tokens.into_owned())
}

//! The networks that judge a run's outputs, loaded.

use std::path::Path;

use shared::location::Location;
use shared::run_record::RunRecord;
use shared::settings::EngineConfig;

use super::{WorkshopError, folder_of};
use crate::quality::Networks;
use engine::EngineError;
use engine::InputSize;
use engine::extractor::Extractor;
use engine::perceptual::Perceptual;
use shared::network::{FEATURES_FILE, NetworkContract, PERCEPTUAL_FILE};

/// Loads the networks that a run names, and proves that they are those it was planned with.
///
/// # Errors
///
/// [`WorkshopError`] if one cannot be reached, cannot be used, or is another one.
pub async fn load(run: &RunRecord, config: &EngineConfig) -> Result<Networks, WorkshopError> {
    let (named, planned) = (&run.quality, &run.frozen.judges);
    let extractor = Wanted {
        at: named.features.as_ref(),
        planned: planned.features.as_deref(),
        file: FEATURES_FILE,
        load: Extractor::load,
        contract: |extractor: &Extractor| &extractor.contract,
    };
    let perceptual = Wanted {
        at: named.lpips.as_ref(),
        planned: planned.lpips.as_deref(),
        file: PERCEPTUAL_FILE,
        load: Perceptual::load,
        contract: |perceptual: &Perceptual| &perceptual.contract,
    };
    let size = InputSize {
        width: run.frozen.model.width,
        height: run.frozen.model.height,
    };
    Ok(Networks {
        extractor: extractor.open(config, size).await?,
        perceptual: perceptual.open(config, size).await?,
    })
}

/// A network as a run speaks of it.
struct Wanted<'a, T> {
    at: Option<&'a Location>,
    planned: Option<&'a str>,
    file: &'static str,
    load: fn(&Path, &EngineConfig, Option<InputSize>) -> Result<T, EngineError>,
    contract: fn(&T) -> &NetworkContract,
}

impl<T: Send + 'static> Wanted<'_, T> {
    /// Loads it for outputs of a size.
    async fn open(
        self,
        config: &EngineConfig,
        size: InputSize,
    ) -> Result<Option<T>, WorkshopError> {
        let (Some(at), Some(planned)) = (self.at, self.planned) else {
            return Ok(None);
        };
        let folder = folder_of(at, self.file, &config.cache_dir).await?;
        let (load, config) = (self.load, config.clone());
        let network = shared::blocking::run(move || load(&folder, &config, Some(size))).await?;
        let found = &(self.contract)(&network).sha256;
        if found == planned {
            return Ok(Some(network));
        }
        Err(WorkshopError::OtherModel {
            path: format!("{at}/{}", self.file),
            found: found.clone(),
            planned: planned.to_owned(),
        })
    }
}

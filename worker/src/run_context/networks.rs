//! The networks that evaluate a run's outputs, loaded.

use std::path::Path;

use shared::item_metric::{ItemMetric, PerMetric};
use shared::location::Location;
use shared::run_record::RunRecord;
use shared::settings::EngineConfig;

use super::{RunContextError, folder_of};

use crate::evaluation::{LabelEvaluator, Networks};
use engine::EngineError;
use engine::InputSize;
use engine::feature_extractor::FeatureExtractor;
use engine::perceptual_network::PerceptualNetwork;
use engine::segmentation_network::SegmentationNetwork;
use shared::network::{FEATURES_FILE, NetworkContract, SEGMENTER_FILE};

/// Loads the networks that a run names, and proves that they are those it was planned with.
///
/// # Errors
///
/// [`RunContextError`] if one cannot be reached, cannot be used, or is another one.
pub async fn load(run: &RunRecord, config: &EngineConfig) -> Result<Networks, RunContextError> {
    let (named, planned) = (&run.quality, &run.frozen.evaluators);
    let extractor = Wanted {
        at: named.features.as_ref(),
        planned: planned.features.as_deref(),
        file: FEATURES_FILE,
        load: |folder, _, config, size| FeatureExtractor::load(folder, config, size),
        contract: |extractor: &FeatureExtractor| &extractor.contract,
    };
    let size = InputSize {
        width: run.frozen.model.width,
        height: run.frozen.model.height,
    };
    let extractor = extractor.open(config, size).await?;
    let mut perceptual = PerMetric::default();
    for metric in ItemMetric::ALL {
        let Some(network) = metric.network() else {
            continue;
        };
        let wanted = Wanted {
            at: named.network_of(metric),
            planned: planned.of_metric(metric),
            file: network.contract,
            load: PerceptualNetwork::load,
            contract: |perceptual: &PerceptualNetwork| &perceptual.contract,
        };
        perceptual[metric] = wanted.open(config, size).await?;
    }
    let segmenter = Wanted {
        at: named.segmenter.as_ref(),
        planned: planned.segmenter.as_deref(),
        file: SEGMENTER_FILE,
        load: |folder, _, config, size| SegmentationNetwork::load(folder, config, size),
        contract: |segmenter: &SegmentationNetwork| &segmenter.contract,
    };
    let segmenter = segmenter.open(config, size).await?;
    let min_agreement = planned.min_label_agreement;
    Ok(Networks {
        extractor,
        perceptual,
        labels: segmenter.map(|network| LabelEvaluator::new(network, min_agreement)),
    })
}

/// Loads a network from a folder by its contract's file.
pub(super) type Load<T> =
    fn(&Path, &str, &EngineConfig, Option<InputSize>) -> Result<T, EngineError>;

/// A network as a run speaks of it.
pub(super) struct Wanted<'a, T> {
    pub(super) at: Option<&'a Location>,
    pub(super) planned: Option<&'a str>,
    pub(super) file: &'static str,
    pub(super) load: Load<T>,
    pub(super) contract: fn(&T) -> &NetworkContract,
}

impl<T: Send + 'static> Wanted<'_, T> {
    /// Loads it for outputs of a size.
    pub(super) async fn open(
        self,
        config: &EngineConfig,
        size: InputSize,
    ) -> Result<Option<T>, RunContextError> {
        let (Some(at), Some(planned)) = (self.at, self.planned) else {
            return Ok(None);
        };
        let folder = folder_of(at, self.file, &config.cache_dir).await?;
        let (load, config) = (self.load, config.clone());
        let file = self.file;
        let network = move || load(&folder, file, &config, Some(size));
        let network = shared::blocking::run(network).await?;
        let found = &(self.contract)(&network).sha256;
        if found == planned {
            return Ok(Some(network));
        }
        Err(RunContextError::OtherModel {
            path: format!("{at}/{}", self.file),
            found: found.clone(),
            planned: planned.to_owned(),
        })
    }
}

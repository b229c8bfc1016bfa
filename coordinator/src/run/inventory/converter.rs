//! What a run converts with: a diffusion model, a translator, or pixels alone.

use shared::model::{ModelContract, OpenError};
use shared::network::{NetworkContract, TRANSLATOR_FILE, TranslatorShapes};
use shared::run_record::FrozenModel;
use shared::settings::{MethodConfig, RunConfig};

use super::InventoryError;

/// The contract of what a run converts with.
#[derive(Debug)]
pub enum ConverterContract {
    /// A diffusion model.
    Model(Box<ModelContract>),
    /// A translator.
    Translator(Box<NetworkContract>),
}

impl ConverterContract {
    /// Returns the SHA-256 of its file, which holds the digests of all others.
    #[must_use]
    pub fn sha256(&self) -> &str {
        match self {
            Self::Model(contract) => &contract.sha256,
            Self::Translator(contract) => &contract.sha256,
        }
    }

    /// Returns what people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Model(contract) => &contract.model.source.name,
            Self::Translator(contract) => &contract.network.name,
        }
    }
}

/// Returns the contract of what converts, and what is frozen of it: of a method without a model the size of outputs alone.
///
/// Of a model in a bucket, the contract alone is read: workers fetch the rest.
pub(super) async fn open(
    config: &RunConfig,
) -> Result<(Option<ConverterContract>, FrozenModel), InventoryError> {
    let (size, contract) = match (&config.method, &config.model) {
        (MethodConfig::Diffusion(method), Some(at)) => {
            let contract = ModelContract::open(at).await?;
            let checked = contract.check_method(method);
            checked.map_err(OpenError::from)?;
            let size = contract.image_size();
            (size, Some(ConverterContract::Model(Box::new(contract))))
        }
        (MethodConfig::Translator(_), Some(at)) => {
            let contract = NetworkContract::open(at, TRANSLATOR_FILE).await?;
            let shapes = TranslatorShapes::of(&contract).map_err(OpenError::from)?;
            let contract = ConverterContract::Translator(Box::new(contract));
            (shapes.size(), Some(contract))
        }
        (MethodConfig::Diffusion(_) | MethodConfig::Translator(_), None) => {
            let method = config.method.method();
            let told = format!("method {method} converts with a model, and the settings name none");
            return Err(InventoryError::Nothing(told));
        }
        (MethodConfig::Baseline(method), _) => (method.size(), None),
    };
    let sha256 = contract.as_ref().map(ConverterContract::sha256);
    let frozen = FrozenModel {
        sha256: sha256.map(str::to_owned),
        width: size.width,
        height: size.height,
    };
    Ok((contract, frozen))
}

//! The settings of the method that converts with an image-to-image network.

use serde::{Deserialize, Serialize};

use super::TranslatorMethod;
use crate::settings::defaults;
use crate::settings::raw::RawMethod;

/// The settings of a translator. With its network, content and style they determine every output byte; what it takes and the
/// size of outputs are in its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslatorConfig {
    /// The only one.
    pub method: TranslatorMethod,
    /// Seed of all noise.
    pub seed: u64,
}

impl TranslatorConfig {
    /// Returns the settings of a `[method]` table.
    pub(super) fn of(raw: &RawMethod) -> Self {
        Self {
            method: TranslatorMethod::Translator,
            seed: raw.seed.unwrap_or(defaults::SEED),
        }
    }
}

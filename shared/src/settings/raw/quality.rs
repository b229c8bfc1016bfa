//! `[quality]`: the networks and statistics that outputs are judged with.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::item_metric::ItemMetric;

/// `[quality]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawQuality {
    /// Folder written by `onnx_export.features`: the network whose features FID and KID compare.
    pub features: Option<String>,
    /// Folder written by `onnx_export.perceptual`: the network that LPIPS is computed with.
    pub lpips: Option<String>,
    /// Folder written by `onnx_export.segmenter`: the network that tells whether labels are still true.
    pub segmenter: Option<String>,
    /// Share of the content's own agreement with its label below which an output is doubtful.
    pub min_label_agreement: Option<f64>,
    /// Statistics of real photographs; `{style}` in a path stands for the style's name.
    pub reference: Option<RawReference>,
    /// Figures for the items that show a class, for each class; default [`PER_CLASS`](crate::settings::defaults::PER_CLASS).
    pub per_class: Option<bool>,
}

impl RawQuality {
    /// Returns the key of the network that gives a metric, and the folder that it names; none if no network gives it.
    pub(in crate::settings) fn network_of(
        &self,
        metric: ItemMetric,
    ) -> Option<(&'static str, Option<&str>)> {
        match metric {
            ItemMetric::Ssim => None,
            ItemMetric::Lpips => Some(("quality.lpips", self.lpips.as_deref())),
        }
    }
}

/// `quality.reference`
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum RawReference {
    /// A file for every style.
    ForEveryStyle(String),
    /// A file for each glob over style names.
    ByStyle(BTreeMap<String, String>),
}

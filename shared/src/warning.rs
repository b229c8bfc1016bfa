//! Warnings about items that are done.

use std::fmt;

use serde::{Deserialize, Serialize};

crate::enumerated! {
    /// A kind of warning: what reports count.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum WarningKind {
        /// A greyscale image was converted to RGB.
        Greyscale,
        /// An alpha channel was dropped.
        AlphaDropped,
        /// More than 8 bits per channel were scaled to 8.
        DepthReduced,
        /// More than a quarter of an image was cut away for the model's shape.
        Cropped,
        /// An image of fewer pixels than the model's was enlarged.
        Enlarged,
        /// An image has an orientation, which was or was not applied.
        Orientation,
        /// An image's colours are of another space than sRGB and were taken as they are.
        ColourSpace,
        /// An image that is not compressed ends in zeros: it has a black edge, or a part of it was lost.
        TrailingZeros,
        /// A label's content is not what was promised of it and was believed, or it cannot be told and the promise was.
        LabelEncoding,
        /// Content and style have no class in common.
        NoCommonClass,
        /// A content shows one colour.
        ConstantContent,
        /// A style shows one colour.
        ConstantStyle,
        /// An output shows one colour.
        ConstantOutput,
        /// An output is out of all proportion to its content.
        DisproportionateOutput,
        /// The class map of a style without a label says nearly everywhere the same.
        UniformClassMap,
        /// A network that evaluates outputs gives no figure for one.
        #[serde(rename = "not-judged")]
        NotEvaluated,
    }
}

impl WarningKind {
    /// Returns the name in manifests and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greyscale => "greyscale",
            Self::AlphaDropped => "alpha-dropped",
            Self::DepthReduced => "depth-reduced",
            Self::Cropped => "cropped",
            Self::Enlarged => "enlarged",
            Self::Orientation => "orientation",
            Self::ColourSpace => "colour-space",
            Self::TrailingZeros => "trailing-zeros",
            Self::LabelEncoding => "label-encoding",
            Self::NoCommonClass => "no-common-class",
            Self::ConstantContent => "constant-content",
            Self::ConstantStyle => "constant-style",
            Self::ConstantOutput => "constant-output",
            Self::DisproportionateOutput => "disproportionate-output",
            Self::UniformClassMap => "uniform-class-map",
            Self::NotEvaluated => "not-judged",
        }
    }

    /// Returns the kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A warning about an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemWarning {
    /// What reports count it as.
    pub kind: WarningKind,
    /// What was found and what was done about it, with the file's name.
    pub text: String,
}

impl fmt::Display for ItemWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name_everywhere() {
        for kind in WarningKind::ALL {
            assert_eq!(WarningKind::from_name(kind.as_str()), Some(kind));
            let quoted = serde_json::to_string(&kind).unwrap();
            assert_eq!(quoted, format!("{:?}", kind.as_str()));
        }
    }
}

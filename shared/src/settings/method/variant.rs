//! The methods that can be compared, and the two readings of them where paper and released code differ.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A row of the paper's first table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// No injection, global AdaIN.
    Adain,
    /// Injection, global AdaIN.
    CrossImage,
    /// Injection, class-wise AdaIN.
    Cacti,
    /// CACTI with filtered injection.
    Cactif,
}

impl Method {
    /// Returns whether keys and values of the style are injected.
    #[must_use]
    pub fn injects(self) -> bool {
        match self {
            Self::Adain => false,
            Self::CrossImage | Self::Cacti | Self::Cactif => true,
        }
    }

    /// Returns whether AdaIN is class-wise at the class AdaIN steps.
    #[must_use]
    pub fn uses_classes(self) -> bool {
        match self {
            Self::Adain | Self::CrossImage => false,
            Self::Cacti | Self::Cactif => true,
        }
    }

    /// Returns whether weak positions keep the content's own keys and values.
    #[must_use]
    pub fn filters(self) -> bool {
        match self {
            Self::Adain | Self::CrossImage | Self::Cacti => false,
            Self::Cactif => true,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adain => "adain",
            Self::CrossImage => "cross-image",
            Self::Cacti => "cacti",
            Self::Cactif => "cactif",
        })
    }
}

/// Which reading of the method is followed where paper and released code differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// What the authors' program computes.
    ReleasedCode,
    /// What the article says.
    Paper,
}

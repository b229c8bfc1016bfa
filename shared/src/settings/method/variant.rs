//! The methods that can be compared, and the two readings of those of the paper where it and the released code differ.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A method as settings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// [`DiffusionMethod::Adain`]
    Adain,
    /// [`DiffusionMethod::CrossImage`]
    CrossImage,
    /// [`DiffusionMethod::Cacti`]
    Cacti,
    /// [`DiffusionMethod::Cactif`]
    Cactif,
    /// [`DiffusionMethod::Ast`]
    Ast,
    /// [`Baseline::Reinhard`]
    Reinhard,
    /// [`Baseline::Histogram`]
    Histogram,
    /// [`Baseline::Fda`]
    Fda,
    /// [`Baseline::Identity`]
    Identity,
    /// [`TranslatorMethod::Translator`]
    Translator,
}

/// A method by what it converts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodKind {
    /// With a diffusion model.
    Diffusion(DiffusionMethod),
    /// With pixels alone.
    Baseline(Baseline),
    /// With an image-to-image network.
    Translator(TranslatorMethod),
}

/// A method that converts with a diffusion model: a row of the paper's first table, or its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffusionMethod {
    /// No injection, global AdaIN.
    Adain,
    /// Injection, global AdaIN.
    CrossImage,
    /// Injection, class-wise AdaIN.
    Cacti,
    /// CACTI with filtered injection.
    Cactif,
    /// ASTModel: injection of strong pairs of one class, hybrid class-wise AdaIN.
    Ast,
}

/// A method without a model, for the others to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// Mean and spread of the style's colours.
    Reinhard,
    /// Histograms of the style's channels.
    Histogram,
    /// Amplitudes of the style's low frequencies.
    Fda,
    /// Nothing of the style: the content, cropped and resized.
    Identity,
}

/// The method that converts with an image-to-image network, such as a one-step GAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TranslatorMethod {
    /// One evaluation of the network gives the output.
    Translator,
}

impl Method {
    /// Returns what it converts with.
    #[must_use]
    pub fn kind(self) -> MethodKind {
        use MethodKind::{Baseline as Pixels, Diffusion};
        match self {
            Self::Adain => Diffusion(DiffusionMethod::Adain),
            Self::CrossImage => Diffusion(DiffusionMethod::CrossImage),
            Self::Cacti => Diffusion(DiffusionMethod::Cacti),
            Self::Cactif => Diffusion(DiffusionMethod::Cactif),
            Self::Ast => Diffusion(DiffusionMethod::Ast),
            Self::Reinhard => Pixels(Baseline::Reinhard),
            Self::Histogram => Pixels(Baseline::Histogram),
            Self::Fda => Pixels(Baseline::Fda),
            Self::Identity => Pixels(Baseline::Identity),
            Self::Translator => MethodKind::Translator(TranslatorMethod::Translator),
        }
    }
}

impl From<DiffusionMethod> for Method {
    fn from(method: DiffusionMethod) -> Self {
        match method {
            DiffusionMethod::Adain => Self::Adain,
            DiffusionMethod::CrossImage => Self::CrossImage,
            DiffusionMethod::Cacti => Self::Cacti,
            DiffusionMethod::Cactif => Self::Cactif,
            DiffusionMethod::Ast => Self::Ast,
        }
    }
}

impl From<Baseline> for Method {
    fn from(baseline: Baseline) -> Self {
        match baseline {
            Baseline::Reinhard => Self::Reinhard,
            Baseline::Histogram => Self::Histogram,
            Baseline::Fda => Self::Fda,
            Baseline::Identity => Self::Identity,
        }
    }
}

impl From<TranslatorMethod> for Method {
    fn from(method: TranslatorMethod) -> Self {
        match method {
            TranslatorMethod::Translator => Self::Translator,
        }
    }
}

impl DiffusionMethod {
    /// Returns whether keys and values of the style are injected.
    #[must_use]
    pub fn injects(self) -> bool {
        match self {
            Self::Adain => false,
            Self::CrossImage | Self::Cacti | Self::Cactif | Self::Ast => true,
        }
    }

    /// Returns whether AdaIN is class-wise at the class AdaIN steps.
    #[must_use]
    pub fn uses_classes(self) -> bool {
        match self {
            Self::Adain | Self::CrossImage => false,
            Self::Cacti | Self::Cactif | Self::Ast => true,
        }
    }

    /// Returns whether weak positions keep the content's own keys and values.
    #[must_use]
    pub fn filters(self) -> bool {
        match self {
            Self::Adain | Self::CrossImage | Self::Cacti | Self::Ast => false,
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
            Self::Ast => "ast",
            Self::Reinhard => "reinhard",
            Self::Histogram => "histogram",
            Self::Fda => "fda",
            Self::Identity => "identity",
            Self::Translator => "translator",
        })
    }
}

impl fmt::Display for DiffusionMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Method::from(*self), f)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Method::from(*self), f)
    }
}

impl fmt::Display for TranslatorMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Method::from(*self), f)
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

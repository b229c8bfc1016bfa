//! The keys that can be varied, and which methods read them.

use crate::settings::Method;
use crate::wording::shortened;

/// How alike a name must be to one of a key for that to be meant.
const LIKENESS: f64 = 0.75;
/// Bytes of a name that is none that a message shows.
const MAX_ECHO: usize = 60;

/// A key that outputs depend on as well, and that is one for all runs of a process.
const PRECISION: &str = "engine.precision";

crate::enumerated! {
    /// A key of a run's settings that decides what its outputs look like, and so can be varied.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum VariedKey {
        /// `method.method`
        Method,
        /// `method.preset`
        Preset,
        /// `method.steps`
        Steps,
        /// `method.skip`
        Skip,
        /// `method.seed`
        Seed,
        /// `method.class_adain_steps`
        ClassAdainSteps,
        /// `method.injected_steps`
        InjectedSteps,
        /// `method.contrast_strength`
        ContrastStrength,
        /// `method.filter_fraction`
        FilterFraction,
        /// `method.filtering`
        Filtering,
        /// `method.threshold_lambda`
        ThresholdLambda,
        /// `method.use_voting`
        UseVoting,
        /// `method.confidence_threshold`
        ConfidenceThreshold,
        /// `method.adain_scale`
        AdainScale,
        /// `method.width`
        Width,
        /// `method.height`
        Height,
        /// `method.beta`
        Beta,
        /// `model.path`
        ModelPath,
        /// `style.use_labels`
        UseLabels,
        /// `style.prior`
        Prior,
        /// `style.prototype_contents`
        PrototypeContents,
        /// `style.segmenter`
        Segmenter,
    }
}

impl VariedKey {
    /// Returns the key as it stands in a settings file, with its table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method.method",
            Self::Preset => "method.preset",
            Self::Steps => "method.steps",
            Self::Skip => "method.skip",
            Self::Seed => "method.seed",
            Self::ClassAdainSteps => "method.class_adain_steps",
            Self::InjectedSteps => "method.injected_steps",
            Self::ContrastStrength => "method.contrast_strength",
            Self::FilterFraction => "method.filter_fraction",
            Self::Filtering => "method.filtering",
            Self::ThresholdLambda => "method.threshold_lambda",
            Self::UseVoting => "method.use_voting",
            Self::ConfidenceThreshold => "method.confidence_threshold",
            Self::AdainScale => "method.adain_scale",
            Self::Width => "method.width",
            Self::Height => "method.height",
            Self::Beta => "method.beta",
            Self::ModelPath => "model.path",
            Self::UseLabels => "style.use_labels",
            Self::Prior => "style.prior",
            Self::PrototypeContents => "style.prototype_contents",
            Self::Segmenter => "style.segmenter",
        }
    }

    /// Returns the table that it stands in, and its name there.
    #[must_use]
    pub fn place(self) -> (&'static str, &'static str) {
        let key = self.as_str();
        key.split_once('.').unwrap_or(("", key))
    }

    /// Returns the name that is enough for it: that in its table, unless another table has one of that name.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            // There is quality.segmenter as well.
            Self::Segmenter => self.as_str(),
            Self::Method
            | Self::Preset
            | Self::Steps
            | Self::Skip
            | Self::Seed
            | Self::ClassAdainSteps
            | Self::InjectedSteps
            | Self::ContrastStrength
            | Self::FilterFraction
            | Self::Filtering
            | Self::ThresholdLambda
            | Self::UseVoting
            | Self::ConfidenceThreshold
            | Self::AdainScale
            | Self::Width
            | Self::Height
            | Self::Beta
            | Self::ModelPath
            | Self::UseLabels
            | Self::Prior
            | Self::PrototypeContents => self.place().1,
        }
    }

    /// Returns the key of a name: with its table, or without it where that is enough.
    ///
    /// # Errors
    ///
    /// What is wrong, in words, if no key that can be varied has this name.
    pub fn find(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        if let Some(key) = all.find(|key| key.as_str() == name || key.short() == name) {
            return Ok(key);
        }
        if [PRECISION, "precision"].contains(&name) {
            return Err(format!(
                "{PRECISION} is the engine's, and all combinations are computed by one: a run of each precision has a \
                 settings file of its own, with precision in [engine]"
            ));
        }
        let likeness = |key: Self| {
            let names = [key.as_str(), key.short()];
            let likeness = names.map(|known| strsim::jaro_winkler(name, known));
            likeness[0].max(likeness[1])
        };
        let nearest = Self::ALL
            .into_iter()
            .max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)));
        let meant = nearest.filter(|&key| likeness(key) >= LIKENESS);
        let meant = meant.map_or_else(String::new, |key| format!("did you mean {}? ", key.short()));
        let known = Self::ALL.map(Self::short).join(", ");
        Err(format!(
            "{} is no key that outputs depend on: {meant}these can be varied: {known}",
            shortened(name, MAX_ECHO)
        ))
    }

    /// Returns whether a method's outputs depend on it.
    #[must_use]
    pub fn is_read_by(self, method: Method) -> bool {
        let reads = Readers::of(method);
        match self {
            Self::Method => true,
            Self::Preset => reads.preset,
            Self::Steps | Self::Skip => reads.steps,
            Self::Seed | Self::ModelPath => reads.model,
            Self::ClassAdainSteps
            | Self::UseLabels
            | Self::Prior
            | Self::PrototypeContents
            | Self::Segmenter => reads.classes,
            Self::InjectedSteps | Self::ContrastStrength => reads.injection,
            Self::FilterFraction => method == Method::Cactif,
            Self::Filtering
            | Self::ThresholdLambda
            | Self::UseVoting
            | Self::ConfidenceThreshold
            | Self::AdainScale => method == Method::Ast,
            Self::Width | Self::Height => !reads.model,
            Self::Beta => method == Method::Fda,
        }
    }
}

/// What a method does, and so which keys it reads.
struct Readers {
    /// It converts with a model.
    model: bool,
    /// It denoises in steps.
    steps: bool,
    /// It injects the style.
    injection: bool,
    /// It works by class.
    classes: bool,
    /// There are two readings of it.
    preset: bool,
}

impl Readers {
    fn of(method: Method) -> Self {
        let [model, steps, injection, classes, preset] = match method {
            Method::Adain => [true, true, false, false, false],
            Method::CrossImage => [true, true, true, false, true],
            Method::Cacti | Method::Cactif => [true; 5],
            Method::Ast => [true, true, true, true, false],
            Method::Translator => [true, false, false, false, false],
            Method::Reinhard | Method::Histogram | Method::Fda | Method::Identity => [false; 5],
        };
        Self {
            model,
            steps,
            injection,
            classes,
            preset,
        }
    }
}

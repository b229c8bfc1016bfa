//! What maps the classes of photographs without labels, where the method works by class.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::location::Location;
use crate::network::{PRIOR_FILE, SEGMENTER_FILE};
use crate::settings::locations::location;
use crate::settings::raw::RawStyle;
use crate::settings::{SettingsError, bounds, defaults};
use crate::spread;

crate::enumerated! {
    /// What makes the class map of a photograph without a label, the one that goes before the other first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum ClassMapSource {
        /// A network of priors, which learns from labelled contents what classes look like.
        Prior,
        /// A segmenter, which knows.
        Segmenter,
    }
}

impl ClassMapSource {
    /// Returns the setting that names its network.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::Prior => "style.prior",
            Self::Segmenter => "style.segmenter",
        }
    }

    /// Returns the file of its network's contract.
    #[must_use]
    pub fn contract(self) -> &'static str {
        match self {
            Self::Prior => PRIOR_FILE,
            Self::Segmenter => SEGMENTER_FILE,
        }
    }
}

/// What maps the classes of photographs without labels. A label of its own goes before every map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassMapConfig {
    /// A network of priors, exported by `onnx_export.prior`.
    pub prior: Option<Location>,
    /// How many contents show it what classes look like, if that is said.
    pub prototype_contents: Option<usize>,
    /// A segmenter, exported by `onnx_export.segmenter`.
    pub segmenter: Option<Location>,
}

impl ClassMapConfig {
    pub(super) fn from_raw(raw: &RawStyle, base: &Path) -> Result<Self, SettingsError> {
        let prototype_contents = bounds::PROTOTYPE_CONTENTS.check_given(raw.prototype_contents)?;
        if prototype_contents.is_some() && raw.prior.is_none() {
            return Err(SettingsError::value(
                "style.prior",
                "absent",
                "must name the network of priors that style.prototype_contents are for",
            ));
        }
        let network = |source: ClassMapSource, path: Option<&String>| {
            let at = path.map(|path| location(source.setting(), path, base));
            at.transpose()
        };
        Ok(Self {
            prior: network(ClassMapSource::Prior, raw.prior.as_ref())?,
            prototype_contents,
            segmenter: network(ClassMapSource::Segmenter, raw.segmenter.as_ref())?,
        })
    }

    /// Returns what makes the maps, and where its network is: the network of priors if both are named.
    #[must_use]
    pub fn named(&self) -> Option<(ClassMapSource, &Location)> {
        let prior = self.prior.as_ref();
        let segmenter = self.segmenter.as_ref();
        let prior = prior.map(|at| (ClassMapSource::Prior, at));
        prior.or(segmenter.map(|at| (ClassMapSource::Segmenter, at)))
    }

    /// Returns the positions of the prototypes among so many contents: spread evenly.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] if more are asked for than there are.
    pub fn prototypes(&self, num_contents: usize) -> Result<Vec<usize>, SettingsError> {
        let wanted = match self.prototype_contents {
            Some(wanted) if wanted > num_contents => {
                return Err(SettingsError::value(
                    "style.prototype_contents",
                    wanted,
                    format!("must be {num_contents} at most: there are no more contents"),
                ));
            }
            Some(wanted) => wanted,
            None => defaults::PROTOTYPE_CONTENTS.min(num_contents),
        };
        Ok(spread::positions(num_contents, wanted).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str) -> Result<ClassMapConfig, String> {
        let raw: RawStyle =
            toml::from_str(&format!("root = \"s\"\n{toml}")).map_err(|e| e.to_string())?;
        ClassMapConfig::from_raw(&raw, Path::new("/base")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_network_of_priors_goes_before_a_segmenter() {
        let named = |toml: &str| {
            let config = check(toml).unwrap();
            config.named().map(|(source, at)| (source, at.to_string()))
        };
        let prior = Some((ClassMapSource::Prior, "/base/p".to_owned()));
        assert_eq!(named("prior = 'p'\nsegmenter = 's'"), prior);
        assert_eq!(named("prior = 'p'"), prior);
        let segmenter = Some((ClassMapSource::Segmenter, "/base/s".to_owned()));
        assert_eq!(named("segmenter = 's'"), segmenter);
        assert_eq!(named(""), None);
    }

    #[test]
    fn prototypes_are_as_many_as_asked_for_or_refused() {
        let of = |toml: &str| check(&format!("prior = 'p'\n{toml}")).unwrap();
        let chosen = |toml: &str, count: usize| of(toml).prototypes(count).unwrap();
        assert_eq!(chosen("prototype_contents = 3", 7), [0, 2, 4]);
        assert_eq!(chosen("prototype_contents = 2", 2), [0, 1]);
        assert_eq!(chosen("", 4), [0, 1, 2, 3]);
        assert_eq!(chosen("", 24_966).len(), 100);
        let told = of("prototype_contents = 3").prototypes(2).unwrap_err();
        assert_eq!(
            told.to_string(),
            "style.prototype_contents (3) must be 2 at most: there are no more contents"
        );
    }

    #[test]
    fn prototypes_without_a_network_of_priors_are_refused() {
        let told = check("prototype_contents = 3\nsegmenter = 's'").unwrap_err();
        assert!(told.starts_with("style.prior (absent) must name"), "{told}");
        let told = check("prior = 'p'\nprototype_contents = 0").unwrap_err();
        assert!(told.starts_with("style.prototype_contents (0) must be 1 to 10000"));
    }
}

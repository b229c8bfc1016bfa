//! What a run's outputs are judged with.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SettingsError;
use super::raw::RawQuality;
use super::run::location;
use crate::location::Location;

/// Stands for the style in `quality.reference`.
const STYLE: &str = "{style}";

/// What outputs are judged with. Structural similarity needs nothing; the rest is what a run names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityConfig {
    /// The network whose features FID and KID compare, exported by `onnx_export.features`.
    pub features: Option<Location>,
    /// The network that LPIPS is computed with, exported by `onnx_export.perceptual`.
    pub lpips: Option<Location>,
    /// Statistics of the real photographs that a style is compared with, if any are named.
    pub reference: Option<ReferenceFiles>,
    /// Whether figures are also reported for the items that show a class, for each class.
    pub per_class: bool,
}

/// Where the statistics of each style's reference are: a file, in whose path `{style}` stands for the style's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReferenceFiles(Location);

impl ReferenceFiles {
    /// Returns what a text names; a relative path is relative to `base`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] if it is no `.npz` file.
    pub fn parse(field: &'static str, text: &str, base: &Path) -> Result<Self, SettingsError> {
        if !text.ends_with(".npz") {
            return Err(SettingsError::value(
                field,
                format!("{text:?}"),
                "must be an .npz file made by reference-stats or pytorch-fid, such as reference/{style}.npz",
            ));
        }
        Ok(Self(location(field, text, base)?))
    }

    /// Returns the file of a style's reference.
    #[must_use]
    pub fn of_style(&self, style: &str) -> Location {
        match &self.0 {
            Location::Folder(path) => {
                Location::Folder(path.to_string_lossy().replace(STYLE, style).into())
            }
            Location::Bucket(at) => {
                let mut at = at.clone();
                at.prefix = at.prefix.replace(STYLE, style);
                Location::Bucket(at)
            }
        }
    }

    /// Returns the same with a relative path made absolute, so that other processes find it.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match &self.0 {
            // Not `Location::absolute`, which follows links and so needs the file to be there.
            Location::Folder(path) => {
                let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Self(Location::Folder(whole))
            }
            Location::Bucket(_) => self.clone(),
        }
    }
}

impl QualityConfig {
    pub(super) fn from_raw(raw: RawQuality, base: &Path) -> Result<Self, SettingsError> {
        let folder =
            |field, path: Option<String>| path.map(|path| location(field, &path, base)).transpose();
        if let (Some(reference), None) = (&raw.reference, &raw.features) {
            return Err(SettingsError::value(
                "quality.reference",
                format!("{reference:?}"),
                "needs quality.features: the network whose features are compared",
            ));
        }
        let reference = raw.reference;
        Ok(Self {
            features: folder("quality.features", raw.features)?,
            lpips: folder("quality.lpips", raw.lpips)?,
            reference: reference
                .map(|text| ReferenceFiles::parse("quality.reference", &text, base))
                .transpose()?,
            per_class: raw.per_class.unwrap_or(false),
        })
    }

    /// Returns the same as every worker finds it.
    #[must_use]
    pub fn absolute(&self) -> Self {
        Self {
            features: self.features.as_ref().map(Location::absolute),
            lpips: self.lpips.as_ref().map(Location::absolute),
            reference: self.reference.as_ref().map(ReferenceFiles::absolute),
            per_class: self.per_class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str) -> Result<QualityConfig, String> {
        let raw: RawQuality = toml::from_str(toml).map_err(|e| e.to_string())?;
        QualityConfig::from_raw(raw, Path::new("/base")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_reference_names_its_style_in_a_folder_and_in_a_bucket() {
        let of_night = |reference: &str| {
            let text = format!("features = \"f\"\nreference = \"{reference}\"");
            let files = check(&text).unwrap().reference.unwrap();
            files.of_style("night").to_string()
        };
        assert_eq!(of_night("ref/{style}.npz"), "/base/ref/night.npz");
        assert_eq!(of_night("all.npz"), "/base/all.npz");
        assert_eq!(of_night("s3://b/{style}/r.npz"), "s3://b/night/r.npz");
    }

    #[test]
    fn a_reference_without_features_and_one_that_is_no_npz_are_refused() {
        let message = check("reference = \"r.npz\"").unwrap_err();
        assert!(message.contains("quality.features"), "{message}");
        let message = check("features = \"f\"\nreference = \"photos\"").unwrap_err();
        assert!(message.contains("reference-stats"), "{message}");
    }
}

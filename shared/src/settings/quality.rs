//! What a run's outputs are judged with.

use std::collections::BTreeMap;
use std::path::Path;

use globset::Glob;
use serde::{Deserialize, Serialize};

use super::locations::{file_location, location};
use super::raw::{RawQuality, RawReference};
use super::{SettingsError, bounds, defaults};
use crate::item_metric::{ItemMetric, PerMetric, keyed};
use crate::location::Location;
use crate::paths;

/// Stands for the style in `quality.reference`.
const STYLE: &str = "{style}";
const EVERY_STYLE: &str = "*";

/// What outputs are judged with. Structural similarity needs nothing; the rest is what a run names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityConfig {
    /// The network whose features FID and KID compare, exported by `onnx_export.features`.
    pub features: Option<Location>,
    /// The networks that metrics are computed with, such as LPIPS, exported by `onnx_export.perceptual`.
    #[serde(flatten, with = "keyed::networks")]
    pub networks: PerMetric<Option<Location>>,
    /// The network that tells whether labels are still true, exported by `onnx_export.segmenter`. Left out of records of runs
    /// without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmenter: Option<Location>,
    /// Below this share of the content's own agreement with its label an output is doubtful; none if no output is. Left out
    /// of records of runs without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_label_agreement: Option<f64>,
    /// Statistics of the real photographs that a style is compared with, if any are named.
    pub reference: Option<ReferenceFiles>,
    /// Whether figures are also reported for the items that show a class, for each class.
    pub per_class: bool,
}

/// Where the statistics of each style's reference are: a file for each glob over style names, in whose path `{style}`
/// stands for the style's name. Of globs that match a style, the longest holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReferenceFiles(BTreeMap<String, Location>);

impl ReferenceFiles {
    /// Returns what a text names for every style; a relative path is relative to `base`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] if it is no `.npz` file.
    pub fn for_every_style(
        field: &'static str,
        text: &str,
        base: &Path,
    ) -> Result<Self, SettingsError> {
        let file = reference_file(field, text, base)?;
        Ok(Self(BTreeMap::from([(EVERY_STYLE.to_owned(), file)])))
    }

    fn from_raw(raw: RawReference, base: &Path) -> Result<Self, SettingsError> {
        const FIELD: &str = "quality.reference";
        let by_style = match raw {
            RawReference::ForEveryStyle(text) => {
                return Self::for_every_style(FIELD, &text, base);
            }
            RawReference::ByStyle(by_style) => by_style,
        };
        let checked = by_style.into_iter().map(|(glob, text)| {
            Glob::new(&glob).map_err(|error| {
                SettingsError::value(FIELD, format!("{glob:?}"), format!("is no glob: {error}"))
            })?;
            Ok((glob, reference_file(FIELD, &text, base)?))
        });
        Ok(Self(checked.collect::<Result<_, _>>()?))
    }

    /// Returns the file of a style's reference, if one is named.
    #[must_use]
    pub fn of_style(&self, style: &str) -> Option<Location> {
        let matches =
            |glob: &str| Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(style));
        let (_, file) = self
            .0
            .iter()
            .filter(|(glob, _)| matches(glob))
            .max_by_key(|(glob, _)| glob.len())?;
        Some(match file {
            Location::Folder(path) => {
                Location::Folder(path.to_string_lossy().replace(STYLE, style).into())
            }
            Location::Bucket(at) => {
                let mut at = at.clone();
                at.prefix = at.prefix.replace(STYLE, style);
                Location::Bucket(at)
            }
        })
    }

    /// Returns the same with relative paths made absolute, so that other processes find them.
    #[must_use]
    pub fn absolute(&self) -> Self {
        let absolute = |file: &Location| match file {
            // Not `Location::absolute`, which follows a link to the newest of several files.
            Location::Folder(path) => Location::Folder(paths::place(path)),
            Location::Bucket(_) => file.clone(),
        };
        Self(
            self.0
                .iter()
                .map(|(glob, file)| (glob.clone(), absolute(file)))
                .collect(),
        )
    }
}

fn reference_file(field: &'static str, text: &str, base: &Path) -> Result<Location, SettingsError> {
    if text.ends_with(".npz") {
        return file_location(field, text, base);
    }
    Err(SettingsError::value(
        field,
        format!("{text:?}"),
        "must be an .npz file made by reference-stats or pytorch-fid, such as reference/{style}.npz",
    ))
}

/// Refuses a share of agreement that is none, and one that no segmenter gives.
///
/// # Errors
///
/// [`SettingsError::Value`] with the key that is wrong, or missing.
pub(crate) fn check_min_label_agreement(
    share: Option<f64>,
    has_segmenter: bool,
) -> Result<Option<f64>, SettingsError> {
    let share = bounds::MIN_LABEL_AGREEMENT.check_given(share)?;
    if share.is_some() && !has_segmenter {
        return Err(SettingsError::value(
            "quality.segmenter",
            "absent",
            "must name the network whose agreement with labels quality.min_label_agreement is about",
        ));
    }
    Ok(share)
}

impl QualityConfig {
    pub(super) fn from_raw(raw: RawQuality, base: &Path) -> Result<Self, SettingsError> {
        let folder =
            |field, path: Option<String>| path.map(|path| location(field, &path, base)).transpose();
        if raw.reference.is_some() && raw.features.is_none() {
            return Err(SettingsError::value(
                "quality.features",
                "absent",
                "must name the network whose features are compared with quality.reference",
            ));
        }
        let min_label_agreement =
            check_min_label_agreement(raw.min_label_agreement, raw.segmenter.is_some())?;
        let mut networks = PerMetric::default();
        for metric in ItemMetric::ALL {
            if let Some((field, Some(path))) = raw.network_of(metric) {
                networks[metric] = Some(location(field, path, base)?);
            }
        }
        let reference = raw.reference.map(|raw| ReferenceFiles::from_raw(raw, base));
        Ok(Self {
            features: folder("quality.features", raw.features)?,
            networks,
            segmenter: folder("quality.segmenter", raw.segmenter)?,
            min_label_agreement,
            reference: reference.transpose()?,
            per_class: raw.per_class.unwrap_or(defaults::PER_CLASS),
        })
    }

    /// Returns where the network is that gives a metric; none if the run names none.
    #[must_use]
    pub fn network_of(&self, metric: ItemMetric) -> Option<&Location> {
        self.networks[metric].as_ref()
    }

    /// Returns whether any network judges outputs.
    #[must_use]
    pub fn has_networks(&self) -> bool {
        let mut of_metrics = ItemMetric::ALL.into_iter();
        self.features.is_some()
            || self.segmenter.is_some()
            || of_metrics.any(|metric| self.network_of(metric).is_some())
    }

    /// Returns the same as every worker finds it.
    #[must_use]
    pub fn absolute(&self) -> Self {
        Self {
            features: self.features.as_ref().map(Location::absolute),
            networks: PerMetric::from_fn(|metric| self.network_of(metric).map(Location::absolute)),
            segmenter: self.segmenter.as_ref().map(Location::absolute),
            min_label_agreement: self.min_label_agreement,
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
    fn the_network_of_a_metric_has_the_key_of_its_name() {
        for metric in ItemMetric::ALL {
            let found = check(&format!("{} = \"network\"", metric.as_str()));
            match metric.network() {
                Some(_) => {
                    let named = found.unwrap();
                    let at = named.network_of(metric).unwrap();
                    assert_eq!(at.to_string(), "/base/network");
                }
                None => assert!(found.is_err(), "{}", metric.as_str()),
            }
        }
    }

    #[test]
    fn a_reference_names_its_style_in_a_folder_and_in_a_bucket() {
        let of_night = |reference: &str| {
            let text = format!("features = \"f\"\nreference = \"{reference}\"");
            let files = check(&text).unwrap().reference.unwrap();
            files.of_style("night").unwrap().to_string()
        };
        assert_eq!(of_night("ref/{style}.npz"), "/base/ref/night.npz");
        assert_eq!(of_night("all.npz"), "/base/all.npz");
        assert_eq!(of_night("s3://b/{style}/r.npz"), "s3://b/night/r.npz");
    }

    #[test]
    fn the_longest_glob_that_matches_a_style_names_its_reference() {
        let text = "features = \"f\"\n[reference]\n\"GP01*\" = \"night.npz\"\n\"G*\" = \"all.npz\"";
        let files = check(text).unwrap().reference.unwrap();
        let of_style = |style: &str| files.of_style(style).map(|file| file.to_string());
        assert_eq!(
            of_style("GP010376_frame_000001").unwrap(),
            "/base/night.npz"
        );
        assert_eq!(of_style("GOPR0122").unwrap(), "/base/all.npz");
        assert_eq!(of_style("aachen"), None);
    }

    #[test]
    fn a_reference_without_features_and_one_that_is_no_npz_are_refused() {
        let message = check("reference = \"r.npz\"").unwrap_err();
        assert!(message.contains("quality.features"), "{message}");
        let message = check("features = \"f\"\nreference = \"photos\"").unwrap_err();
        assert!(message.contains("reference-stats"), "{message}");
    }

    #[test]
    fn an_agreement_is_a_share_and_needs_a_segmenter() {
        let config = check("segmenter = \"s\"\nmin_label_agreement = 0.5").unwrap();
        assert_eq!(config.segmenter.unwrap().to_string(), "/base/s");
        assert_eq!(config.min_label_agreement, Some(0.5));
        assert_eq!(
            check("segmenter = \"s\"").unwrap().min_label_agreement,
            None
        );
        let message = check("min_label_agreement = 0.5").unwrap_err();
        assert!(message.contains("quality.segmenter (absent)"), "{message}");
        let message = check("segmenter = \"s\"\nmin_label_agreement = 50").unwrap_err();
        assert!(message.contains("(50) must be 0 to 1"), "{message}");
    }

    #[test]
    fn a_config_without_a_segmenter_is_stored_as_if_there_were_none() {
        let without = serde_json::to_string(&check("lpips = \"l\"").unwrap()).unwrap();
        assert!(
            !without.contains("segmenter") && !without.contains("agreement"),
            "{without}"
        );
        let config = check("segmenter = \"s\"\nmin_label_agreement = 0.25").unwrap();
        for config in [check("lpips = \"l\"").unwrap(), config] {
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(
                serde_json::from_str::<QualityConfig>(&json).unwrap(),
                config
            );
        }
    }
}

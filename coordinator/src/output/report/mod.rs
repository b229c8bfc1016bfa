//! What came out of a run: how close each style is to real photographs, what it cost, and what was not converted.
//!
//! `report.json` holds a [`RunReport`]; it is written beside the manifest and can be made again at any time.
//!
//! - [`make`], [`references`]: from committed shards, compared with real photographs
//! - [`live`]: of a run under way; [`compare`]: a stored one, with one that is made again
//! - [`text`], [`html`], [`plot`]: for people; `metrics`: figures of metrics as JSON

pub mod compare;
pub mod html;
pub mod live;
pub mod make;
mod metrics;
pub mod plot;
pub mod references;
pub mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use shared::artifact::ArtifactKey;
use shared::clock::SystemClock;
use shared::digest;
use shared::ids::RunId;
use shared::item_metric::PerMetric;
use shared::seal;
use shared::storage::{Storage, StorageError};
use shared::warning::WarningKind;

use self::make::Material;
use crate::output::collect::Collected;
use crate::output::quality::reference::{self, ReferenceError};
use crate::run::freeze::FrozenRun;
use crate::run::ledger::Mark;
use crate::run::tally::Counts;
use crate::run::unreadable;

/// A run's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// Whether every planned item has ended, and everything that is done was there.
    pub complete: bool,
    /// The conversion: `cactif`, `cacti`, `cross-image`, `adain`.
    pub method: String,
    /// The reading of the method: `released-code` or `paper`.
    pub preset: String,
    /// Width of the outputs in pixels.
    pub width: usize,
    /// Height of the outputs in pixels.
    pub height: usize,
    /// Items planned.
    pub items: usize,
    /// Items with an image and a label.
    pub done: usize,
    /// Items whose input cannot be converted.
    pub quarantined: usize,
    /// Items whose shard failed too often.
    pub failed: usize,
    /// The network whose features FID and KID compare; none if the run has no such network.
    pub extractor: Option<Network>,
    /// The networks that gave metrics, of those that the run has one for.
    #[serde(flatten, with = "metrics::networks")]
    pub networks: PerMetric<Option<Network>>,
    /// What the run cost.
    pub cost: Cost,
    /// The styles, in the order of their names.
    pub styles: Vec<StyleReport>,
    /// Why items were not converted, with their number.
    pub reasons: BTreeMap<String, usize>,
    /// Items that are done with a warning of each kind.
    #[serde(default)]
    pub warnings: BTreeMap<WarningKind, usize>,
    /// Shards whose files could not be read, with what helps: they count as not done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
    /// What was stored of the shards when the manifest was written with this report; none if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// The run's plan: another run may have had its name. None in reports of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    /// SHA-256 of the contact sheet that was stored when this was; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_sheet_sha256: Option<String>,
}

/// A network that judges images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// SHA-256 of its contract, which holds the digests of its files.
    pub sha256: String,
    /// To what size it resizes images and how, such as `299x299 bilinear`; none if it takes them as they are.
    pub resize: Option<String>,
    /// Whether its figures can be compared with published ones.
    pub published: bool,
}

/// What a run cost, over the items that were converted and not found.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Images a minute, from the first start to the last end. Pauses and repeated runs count.
    pub images_per_minute: Option<f64>,
    /// Seconds of work an image, of one worker.
    pub seconds_per_image: Option<f64>,
    /// UNet evaluations an image, styles included.
    pub evaluations_per_image: Option<f64>,
}

/// What came out in one style.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StyleReport {
    /// The style.
    pub style: String,
    /// Its items that are done: N of every figure below.
    pub items: usize,
    /// Its items planned.
    pub planned: usize,
    /// Fréchet distance to the reference.
    pub fid: Option<f64>,
    /// Kernel distance to the reference, unbiased.
    pub kid: Option<f64>,
    /// Standard error of the kernel distance over its subsets.
    pub kid_standard_error: Option<f64>,
    /// What FID and KID compare with.
    pub reference: Option<Reference>,
    /// Means of what its outputs are like, compared with their contents.
    #[serde(flatten, with = "metrics::figures")]
    pub figures: PerMetric<Option<f64>>,
    /// What a reader of the figures must know.
    pub notes: Vec<String>,
    /// The same over the items that show a class, by class, where the run asked for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, ClassReport>,
}

/// What FID and KID compare with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where its statistics are.
    pub path: String,
    /// Number of its images; none in files that do not say.
    pub items: Option<usize>,
}

/// What came out over the items of a style that show a class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassReport {
    /// The items.
    pub items: usize,
    /// Fréchet distance of these items to the style's reference.
    pub fid: Option<f64>,
    /// Mean structural similarity of outputs to their contents.
    pub ssim: Option<f64>,
}

/// The name of a network whose contract is not where the run found it.
const UNKNOWN: &str = "unknown: its contract is not where the run found it";

impl Network {
    fn is_known(&self) -> bool {
        self.name != UNKNOWN
    }
}

impl RunReport {
    /// Returns the report that was stored; none if there is none that this version reads.
    ///
    /// # Errors
    ///
    /// If storage does not answer.
    pub async fn stored(storage: &dyn Storage, run: &RunId) -> Result<Option<Self>, StorageError> {
        let key = ArtifactKey::Report(run.clone());
        let Some(bytes) = unreadable::read_cache(storage, &key).await? else {
            return Ok(None);
        };
        match seal::parse(&bytes, &key) {
            Ok(report) => Ok(Some(report)),
            Err(error) => {
                // It is made anew, and a finding of an audit until then.
                tracing::debug!(%run, %error, "the stored report is none that this version reads");
                Ok(None)
            }
        }
    }

    /// Returns whether it is of a run with this plan, as far as it says: reports of earlier programs do not.
    #[must_use]
    pub fn is_of(&self, plan_hash: &str) -> bool {
        self.plan_hash.as_deref().is_none_or(|own| own == plan_hash)
    }

    /// Returns whether a figure may be there when the report is made again: a reference or a network that was not where
    /// the run's settings say may be there now.
    #[must_use]
    pub fn lacks_figures(&self) -> bool {
        let extractor_is_known = self.extractor.as_ref().is_none_or(Network::is_known);
        let mut networks = self.networks.iter();
        let networks_are_known =
            networks.all(|(_, network)| network.as_ref().is_none_or(Network::is_known));
        let compared = |style: &StyleReport| style.items < 2 || style.reference.is_some();
        !extractor_is_known
            || !networks_are_known
            || self.extractor.is_some() && !self.styles.iter().all(compared)
    }

    /// Returns whether this is the last report of a run with these counts: nothing has ended or changed since.
    #[must_use]
    pub fn is_last(&self, counts: &Counts) -> bool {
        let counted = (counts.done, counts.quarantined, counts.failed);
        self.complete
            && (self.done, self.quarantined, self.failed) == counted
            && self.reasons == counts.reasons
            && self.warnings == counts.warning_kinds
    }

    /// Stores the report.
    ///
    /// # Errors
    ///
    /// If storage fails.
    pub async fn store(&self, storage: &dyn Storage) -> Result<(), StorageError> {
        let key = ArtifactKey::Report(self.run.clone());
        let json = Bytes::from(seal::document(self, &key));
        storage.replace(&key, json).await
    }
}

/// Why a report cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Statistics cannot be written.
    #[error("the statistics of style {style} cannot be written")]
    Statistics {
        /// The style.
        style: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
}

/// Stores the statistics of each style's features and the report, and returns the report; `is_complete` says whether
/// every planned item has ended and what is done is there. The report tells the digest of the contact sheet, which is stored
/// before if there is to be one.
///
/// # Errors
///
/// [`ReportError`] if storage fails.
pub async fn publish(
    storage: &dyn Storage,
    run: &FrozenRun,
    collected: Collected,
    is_complete: bool,
) -> Result<RunReport, ReportError> {
    let mark = collected.mark;
    let sheet = ArtifactKey::ContactSheet(run.record.run.clone());
    let sheet = unreadable::read_cache(storage, &sheet).await?;
    let evaluators = &run.record.frozen.evaluators;
    let extractor = evaluators.features.clone().unwrap_or_default();
    for (style, fold) in &collected.fold.styles {
        let (fold, extractor) = (Arc::clone(fold), extractor.clone());
        let write = move || {
            let sums = fold.items.features.as_ref()?;
            let statistics = sums.statistics()?;
            Some(reference::write(
                &statistics,
                sums.count(),
                None,
                &extractor,
            ))
        };
        let Some(file) = shared::blocking::run(write).await else {
            continue;
        };
        let file = file.map_err(|source| ReportError::Statistics {
            style: style.clone(),
            source,
        })?;
        let key = ArtifactKey::FeatureStatistics(run.record.run.clone(), style.clone());
        storage.replace(&key, file).await?;
    }
    let material = Material {
        run,
        counts: &collected.counts,
        fold: collected.fold,
        reference: None,
        is_complete,
    };
    let report = RunReport {
        mark: Some(mark),
        contact_sheet_sha256: sheet.map(|bytes| digest::sha256(&bytes)),
        ..material.report(&SystemClock).await
    };
    report.store(storage).await?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use shared::item_metric::ItemMetric;

    use super::*;

    /// What programs of other versions read, word by word.
    #[test]
    fn metrics_stand_among_the_other_fields_of_a_report() {
        let style = StyleReport {
            style: "night".to_owned(),
            items: 2,
            planned: 3,
            fid: None,
            kid: None,
            kid_standard_error: None,
            reference: None,
            figures: PerMetric::from_fn(|metric| (metric == ItemMetric::Ssim).then_some(0.1)),
            notes: Vec::new(),
            classes: BTreeMap::new(),
        };
        let json = serde_json::to_string(&style).unwrap();
        let begin = r#"{"style":"night","items":2,"planned":3,"fid":null,"kid":null,"#;
        let figures = r#""kid_standard_error":null,"reference":null,"ssim":0.1,"lpips":null,"#;
        assert!(json.starts_with(&format!("{begin}{figures}")), "{json}");
        assert!(json.ends_with(r#","notes":[]}"#), "{json}");
        assert_eq!(serde_json::from_str::<StyleReport>(&json).unwrap(), style);
        let absent = json.replace(r#""lpips":null,"#, "");
        assert_eq!(serde_json::from_str::<StyleReport>(&absent).unwrap(), style);
        for (field, told) in [
            (r#""psnr":1,"#, "unknown field `psnr`"),
            (r#""ssim":0.2,"#, "duplicate field `ssim`"),
            (r#""items":2,"#, "duplicate field `items`"),
        ] {
            let other = json.replacen('{', &format!("{{{field}"), 1);
            let error = serde_json::from_str::<StyleReport>(&other).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn a_network_of_a_metric_stands_in_a_report_under_its_own_key() {
        let network = Network {
            name: "alex".to_owned(),
            sha256: "0123".to_owned(),
            resize: None,
            published: true,
        };
        let mut report = report(&Counts::default());
        for network in [None, Some(network)] {
            report.networks[ItemMetric::Lpips] = network.clone();
            let json = serde_json::to_value(&report).unwrap();
            assert_eq!(
                json["lpips_network"],
                serde_json::to_value(&network).unwrap()
            );
            assert_eq!(json.get("networks"), None);
            let text = serde_json::to_string(&report).unwrap();
            assert!(
                text.contains(r#""extractor":null,"lpips_network":"#),
                "{text}"
            );
            assert_eq!(serde_json::from_str::<RunReport>(&text).unwrap(), report);
        }
    }

    fn report(counts: &Counts) -> RunReport {
        RunReport {
            run: "demo".parse().unwrap(),
            made_at: jiff::Timestamp::UNIX_EPOCH,
            complete: true,
            method: "cactif".to_owned(),
            preset: "paper".to_owned(),
            width: 8,
            height: 4,
            items: 4,
            done: counts.done,
            quarantined: 0,
            failed: counts.failed,
            extractor: None,
            networks: PerMetric::default(),
            cost: Cost::default(),
            styles: Vec::new(),
            reasons: counts.reasons.clone(),
            warnings: BTreeMap::new(),
            damaged: Vec::new(),
            mark: None,
            plan_hash: None,
            contact_sheet_sha256: None,
        }
    }

    #[test]
    fn a_report_is_the_last_one_until_something_ends_or_fails_otherwise() {
        let counts = Counts {
            done: 3,
            failed: 1,
            reasons: BTreeMap::from([("no space".to_owned(), 1)]),
            ..Counts::default()
        };
        let report = report(&counts);
        assert!(report.is_last(&counts));
        let mut mended = counts.clone();
        (mended.done, mended.failed) = (4, 0);
        assert!(!report.is_last(&mended));
        let mut otherwise = counts.clone();
        otherwise.reasons = BTreeMap::from([("no memory".to_owned(), 1)]);
        assert!(!report.is_last(&otherwise));
        let early = RunReport {
            complete: false,
            ..report
        };
        assert!(!early.is_last(&counts));
        // One of an earlier program does not say of which plan it is.
        assert!(early.is_of("a plan"));
        let planned = RunReport {
            plan_hash: Some("a plan".to_owned()),
            ..early
        };
        assert!(planned.is_of("a plan") && !planned.is_of("another"));
    }
}

//! What an export is of: written first, so that only the same one goes on with it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::dataset::classes::CLASSES;
use shared::ids::RunId;
use shared::item_metric::ItemMetric;
use shared::json;
use shared::storage::StorageError;

use super::Source;
use super::format::Format;
use super::options::{Options, Without};
use super::selection::LeftOut;
use super::set::{Item, Set};
use crate::output::report::{AgreementReport, Reference, RunReport};

/// Version of the format of the record.
const FORMAT_VERSION: u32 = 1;
/// The version of this program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");
/// The fields that are told and decide nothing: an export that goes on has those of its beginning.
const TOLD: [&str; 1] = ["styles"];

/// What an export is of, and the figures of its card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportRecord {
    pub(super) format_version: u32,
    /// The version of the program: another one may write the same items in other bytes.
    pub(super) program: String,
    pub(super) run: RunId,
    /// The run's identity: another run may have its name.
    pub(super) plan_hash: String,
    /// When the run was planned.
    pub(super) created_at: Timestamp,
    pub(super) format: Format,
    /// The most bytes of a file with many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file_bytes: Option<u64>,
    /// Globs of styles that were chosen; none if all were.
    pub(super) style_globs: Vec<String>,
    /// Names of classes that were chosen; none if all were.
    pub(super) classes: Vec<String>,
    pub(super) without: Vec<Without>,
    /// The share of contents for validation.
    pub(super) validation: Option<f64>,
    /// The name of the split that is not for validation.
    pub(super) train: String,
    /// Items of each split, by its name.
    pub(super) splits: BTreeMap<String, usize>,
    /// Digest of the items, their pictures and their splits.
    pub(super) selection_sha256: String,
    pub(super) left_out: LeftOut,
    /// Whether the run was complete.
    pub(super) complete: bool,
    pub(super) licences: Vec<String>,
    /// What is known of each style that has items, in the order of their names.
    pub(super) styles: Vec<StyleFigures>,
}

/// What is known of a style.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StyleFigures {
    pub(super) style: String,
    /// Its items in the export.
    pub(super) items: usize,
    /// Means over these, by the names of metrics.
    pub(super) means: BTreeMap<String, f64>,
    /// What the run's report says; none if it says nothing of the style.
    pub(super) reported: Option<Reported>,
}

/// What a run's report says of a style, over all of its items that are done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reported {
    pub(super) items: usize,
    pub(super) fid: Option<f64>,
    pub(super) kid: Option<f64>,
    pub(super) reference: Option<Reference>,
    pub(super) label_agreement: Option<LabelAgreement>,
}

/// How what a segmenter finds agrees with labels: the mean IoU over all pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelAgreement {
    pub(super) content: f64,
    pub(super) output: f64,
}

impl ExportRecord {
    /// Returns the record of an export that begins now.
    pub(super) async fn new(
        source: &Source<'_>,
        options: &Options,
        set: &Set,
        left_out: LeftOut,
    ) -> Result<Self, StorageError> {
        let run = &source.run.record;
        let report = RunReport::stored_or_warned(source.storage, &run.run).await?;
        let report = report.filter(|report| report.is_of(&run.plan_hash));
        let filters = &options.filters;
        let class = |&train_id: &u8| CLASSES[usize::from(train_id)].name.to_owned();
        let is_packed = !options.format.has_image_files();
        Ok(Self {
            format_version: FORMAT_VERSION,
            program: PROGRAM.to_owned(),
            run: run.run.clone(),
            plan_hash: run.plan_hash.clone(),
            created_at: run.created_at,
            format: options.format,
            file_bytes: is_packed.then_some(options.file_bytes),
            style_globs: filters.styles.patterns().to_vec(),
            classes: filters.classes.iter().map(class).collect(),
            without: filters.without.iter().copied().collect(),
            validation: options.splits.validation.map(|share| share.get()),
            train: set.train.clone(),
            splits: super::counts(set).into_iter().collect(),
            selection_sha256: set.sha256(),
            left_out,
            complete: source.is_complete(),
            licences: run
                .licences
                .texts()
                .iter()
                .chain(&options.licences)
                .cloned()
                .collect(),
            styles: styles(set, report.as_ref()),
        })
    }

    /// Returns the record as it is written.
    pub(super) fn to_json(&self) -> String {
        format!("{}\n", json::lines(self))
    }

    /// Returns the record that some bytes are; nothing if they are none of this version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        (record.format_version == FORMAT_VERSION).then_some(record)
    }

    /// Returns what differs between this export and another one: a line for each difference, none if both are the same.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let (own, other) = (json::tree(self), json::tree(other));
        let (Value::Object(own), Value::Object(other)) = (own, other) else {
            return Vec::new();
        };
        let keys = own
            .keys()
            .chain(other.keys().filter(|key| !own.contains_key(*key)));
        let keys = keys.filter(|key| !TOLD.contains(&key.as_str()));
        let differing = keys.filter(|key| own.get(*key) != other.get(*key));
        let shown = |value: Option<&Value>| value.unwrap_or(&Value::Null).to_string();
        differing
            .map(|key| {
                let (was, is) = (shown(own.get(key)), shown(other.get(key)));
                format!("{key} was {was} and is now {is}")
            })
            .collect()
    }

    /// Returns how many items it has.
    pub(super) fn num_items(&self) -> usize {
        self.splits.values().sum()
    }
}

/// Returns what is known of the styles that have items.
fn styles(set: &Set, report: Option<&RunReport>) -> Vec<StyleFigures> {
    let mut of_styles: BTreeMap<u32, Vec<&Item>> = BTreeMap::new();
    for item in &set.items {
        of_styles.entry(item.style).or_default().push(item);
    }
    let of_style = |(style, items): (u32, Vec<&Item>)| {
        let name = &set.styles[style as usize].name;
        let mut reported = report.into_iter().flat_map(|report| &report.styles);
        let reported = reported.find(|reported| reported.style == *name);
        StyleFigures {
            style: name.clone(),
            items: items.len(),
            means: means(&items),
            reported: reported.map(|reported| Reported {
                items: reported.items,
                fid: reported.fid,
                kid: reported.kid,
                reference: reported.reference.clone().map(without_place),
                label_agreement: reported.label_agreement.as_ref().and_then(agreement),
            }),
        }
    };
    of_styles.into_iter().map(of_style).collect()
}

/// Returns a reference by the name of its file: where that lies says something of a machine, and nothing to others.
fn without_place(reference: Reference) -> Reference {
    let name = reference.path.rsplit('/').next();
    Reference {
        path: name.unwrap_or_default().to_owned(),
        ..reference
    }
}

fn agreement(reported: &AgreementReport) -> Option<LabelAgreement> {
    Some(LabelAgreement {
        content: reported.content.miou?,
        output: reported.output.miou?,
    })
}

fn means(items: &[&Item]) -> BTreeMap<String, f64> {
    let mean = |metric: ItemMetric| {
        let known: Vec<f64> = items
            .iter()
            .filter_map(|item| item.figures[metric])
            .collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        (!known.is_empty()).then(|| (metric.as_str().to_owned(), mean))
    };
    ItemMetric::ALL.into_iter().filter_map(mean).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::output::export::set::tests::set;

    /// Returns the record of an export of some contents.
    pub(in crate::output::export) fn record(format: Format, num_contents: u32) -> ExportRecord {
        let set = set(num_contents);
        ExportRecord {
            format_version: FORMAT_VERSION,
            program: PROGRAM.to_owned(),
            run: set.run.clone(),
            plan_hash: "plan".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            format,
            file_bytes: None,
            style_globs: Vec::new(),
            classes: Vec::new(),
            without: Vec::new(),
            validation: Some(0.25),
            train: set.train.clone(),
            splits: crate::output::export::counts(&set).into_iter().collect(),
            selection_sha256: set.sha256(),
            left_out: LeftOut::default(),
            complete: true,
            licences: vec!["CC BY 4.0".to_owned()],
            styles: styles(&set, None),
        }
    }

    #[test]
    fn a_reference_is_told_by_the_name_of_its_file() {
        for path in ["/home/me/night.npz", "s3://bucket/night.npz", "night.npz"] {
            let told = without_place(Reference {
                path: path.to_owned(),
                items: Some(3),
            });
            assert_eq!((told.path.as_str(), told.items), ("night.npz", Some(3)));
        }
    }

    #[test]
    fn what_is_told_makes_no_other_export_and_all_else_does() {
        let record = record(Format::Cityscapes, 3);
        let parsed = ExportRecord::parse(record.to_json().as_bytes()).unwrap();
        assert_eq!(parsed, record);
        assert_eq!(record.num_items(), 6);
        assert_eq!(
            record.styles[1].means,
            BTreeMap::from([("ssim".to_owned(), 1.5)])
        );

        let told = ExportRecord {
            styles: Vec::new(),
            ..record.clone()
        };
        assert_eq!(record.differences(&told), [""; 0]);
        let other = ExportRecord {
            format: Format::Fiftyone,
            validation: None,
            ..record.clone()
        };
        let differences = record.differences(&other);
        let expected = [
            r#"format was "cityscapes" and is now "fiftyone""#,
            "validation was 0.25 and is now null",
        ];
        assert_eq!(differences, expected);
        assert_eq!(ExportRecord::parse(b"{}"), None);
    }
}

//! Rows compared with the record of their run, and with the rows that they take the place of. That they are of this run and
//! shard is known: others are damage to every reader.

use std::collections::{HashMap, HashSet};

use shared::artifact::ArtifactKey;
use shared::confusion::LabelAgreement;
use shared::dataset::classes::{CLASSES, NUM_CLASSES};
use shared::ids::{ItemId, ShardId};
use shared::manifest::{ManifestRow, Quality};

use crate::run::freeze::FrozenRun;
use crate::run::ledger::{Ledger, Parts};

/// What every row of a run must say.
pub(super) struct Expected<'a> {
    run: &'a FrozenRun,
    /// Styles for whose label a class map stands.
    mapped: HashSet<&'a str>,
}

impl<'a> Expected<'a> {
    pub(super) fn of(run: &'a FrozenRun, ledger: &Ledger) -> Self {
        let changed = &ledger.decisions.changed_inputs;
        let styles = run.plan.styles.iter().enumerate();
        let mapped = styles.filter(|&(style, _)| run.has_class_map(style, changed));
        Self {
            run,
            mapped: mapped.map(|(_, style)| style.name()).collect(),
        }
    }

    /// Adds what a row of a shard says otherwise.
    pub(super) fn check(&self, shard: ShardId, row: &ManifestRow, findings: &mut Vec<String>) {
        let (id, frozen) = (&self.run.record.run, &self.run.record.frozen);
        let mut compare = |column: &str, found: &str, expected: &str| {
            if found != expected {
                findings.push(format!(
                    "the row of {} in shard {shard} has {column} {found:?}, expected {expected:?}",
                    row.item
                ));
            }
        };
        let stored = |is_stored: bool| if is_stored { "stored" } else { "none" };
        let is_mapped = row.output.is_some() && self.mapped.contains(row.item.style.as_str());
        let found = stored(row.prior_sha256.is_some());
        compare("prior_sha256", found, stored(is_mapped));
        if let Some(output) = &row.output {
            let image = ArtifactKey::Image(id.clone(), row.item.clone());
            let label = ArtifactKey::Label(id.clone(), row.item.content.clone());
            compare("image_key", &output.image_key, &image.path());
            compare("label_key", &output.label_key, &label.path());
            let (width, height) = (frozen.model.width, frozen.model.height);
            compare("width", &output.width.to_string(), &width.to_string());
            compare("height", &output.height.to_string(), &height.to_string());
        }
        let figures = row
            .quality
            .iter()
            .flat_map(|quality| quality.figures.iter());
        for (metric, figure) in figures {
            if let Some(found) = figure.filter(|figure| !metric.range().contains(figure)) {
                compare(
                    metric.as_str(),
                    &found.to_string(),
                    &metric.range_in_words(),
                );
            }
        }
        if let Some(quality) = &row.quality {
            let is_doubtful = self.is_doubtful(quality);
            let told = quality.is_doubtful.to_string();
            compare("doubtful", &told, &is_doubtful.to_string());
            let (found, expected) = (quality.predictions.is_some(), is_doubtful);
            compare("predictions", stored(found), stored(expected));
            if let Some(wrong) = self.wrong_pixels(quality) {
                compare("output_confusion", &wrong, "the pixels of one label");
            }
        }
    }

    /// Returns whether an item is doubtful by its pixels and the run's settings.
    fn is_doubtful(&self, quality: &Quality) -> bool {
        let least = self.run.record.frozen.evaluators.min_label_agreement;
        let agreement = quality.agreement.as_ref().zip(least);
        agreement.is_some_and(|(agreement, least)| agreement.is_doubtful(least))
    }

    /// Returns what is wrong with counted pixels: an output and its content share a label, which is of the run's size.
    fn wrong_pixels(&self, quality: &Quality) -> Option<String> {
        let LabelAgreement { output, content } = quality.agreement.as_ref()?;
        let mut classes = 0..NUM_CLASSES;
        let other = classes.find(|&class| output.labelled(class) != content.labelled(class));
        if let Some(class) = other {
            let name = CLASSES[class].name;
            let (output, content) = (output.labelled(class), content.labelled(class));
            return Some(format!(
                "{output} pixels of {name}, and {content} of its content"
            ));
        }
        let model = &self.run.record.frozen.model;
        let most = (model.width as u64).saturating_mul(model.height as u64);
        let found = output.pixels();
        (found > most).then(|| format!("{found} pixels of {most}"))
    }
}

/// What a revision has rows of was not done before, and was made by a later attempt. A commit that was removed is made again
/// after its revisions, and may then say the same of an item, or that it is done.
pub(super) fn check_revisions(shard: ShardId, parts: &Parts, findings: &mut Vec<String>) {
    let committed: HashMap<&ItemId, &ManifestRow> =
        parts.committed.iter().map(|row| (&row.item, row)).collect();
    for (before, rows) in parts.revisions.iter().enumerate() {
        let path = format!("shards/{shard}.{}.parquet", before + 1);
        let held = parts.effective_at(before);
        let held: HashMap<&ItemId, &ManifestRow> =
            held.iter().map(|row| (&row.item, row)).collect();
        for row in rows {
            let Some(held) = held.get(&row.item) else {
                continue;
            };
            let is_of_commit = committed.get(&row.item) == Some(held);
            match (&held.output, &row.output) {
                (Some(held), Some(again)) if held != again => findings.push(format!(
                    "{path} has a row of another output for {}, which was done before",
                    row.item
                )),
                (Some(_), Some(_)) => {}
                (Some(_), None) if !is_of_commit && held.attempt <= row.attempt => {
                    findings.push(format!(
                        "{path} has a row that is not done for {}, which was done before",
                        row.item
                    ));
                }
                (Some(_), None) | (None, Some(_) | None)
                    if !is_of_commit && held.attempt > row.attempt =>
                {
                    findings.push(format!(
                        "{path} has a row of attempt {} for {}, expected one after attempt {}: it is in the place of \
                         another revision",
                        row.attempt, row.item, held.attempt
                    ));
                }
                (Some(_), None) | (None, Some(_) | None) => {}
            }
        }
    }
}

//! A run's report, made from its committed shards.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::clock::{Clock, passed};
use shared::dataset::classes::CLASSES;
use shared::item_metric::ItemMetric;
use shared::json;
use shared::location::Location;
use shared::settings::{Evaluations, ReferenceFiles};

use super::networks::Networks;
use super::references::{Opened, References, by_reference};
use super::{AgreementReport, ClassReport, Cost, Reference, RunReport, StyleReport};
use crate::output::quality::fid::{FidError, Gaussian};
use crate::output::quality::fold::{ItemsFold, RunFold, StyleFold};
use crate::output::quality::kid::{self, kernel_distance};
use crate::output::quality::statistics::Accumulator;
use crate::run::cost::{DeviceHours, Workload};
use crate::run::freeze::FrozenRun;
use crate::run::plan::Plan;
use crate::run::tally::Counts;

/// What a report is made from.
pub struct Material<'a> {
    /// The run.
    pub run: &'a FrozenRun,
    /// Counts of its items.
    pub counts: &'a Counts,
    /// What is left to be made.
    pub left: Workload,
    /// What its outputs are like together.
    pub fold: RunFold,
    /// References that go before those of the run's settings.
    pub reference: Option<&'a ReferenceFiles>,
    /// Whether every planned item has ended, and everything that is done is there.
    pub is_complete: bool,
}

impl Material<'_> {
    /// Returns the report, made now by a clock. What cannot be compared is said in the style's notes.
    pub async fn report(mut self, clock: &dyn Clock) -> RunReport {
        let record = &self.run.record;
        let networks = Networks::of(record).await;
        let label_agreement = AgreementReport::of(&self.fold.agreement());
        let styles = self.styles().await;
        let items = self.run.plan.num_items();
        RunReport {
            run: record.run.clone(),
            made_at: clock.now(),
            complete: self.is_complete,
            method: record.frozen.method.method().to_string(),
            preset: record
                .frozen
                .method
                .diffusion()
                .map(|method| json::name(&method.preset)),
            width: record.frozen.model.width,
            height: record.frozen.model.height,
            items,
            done: self.counts.done,
            quarantined: self.counts.quarantined,
            failed: self.counts.failed,
            extractor: networks.extractor,
            networks: networks.of_metrics,
            segmenter: networks.segmenter,
            label_agreement,
            cost: self.cost(),
            price: record.price.clone(),
            styles,
            reasons: self.counts.reasons.clone(),
            warnings: self.counts.warning_kinds.clone(),
            damaged: Vec::new(),
            mark: None,
            plan_hash: Some(record.plan_hash.clone()),
            contact_sheet_sha256: None,
        }
    }

    fn cost(&self) -> Cost {
        let counts = self.counts;
        if counts.converted == 0 {
            return Cost::default();
        }
        let converted = counts.converted as f64;
        let span = self.fold.span;
        let span = span.map(|(first, last)| passed(first, last).as_secs_f64());
        let evaluations = self.run.record.frozen.method.evaluations();
        let device_hours = DeviceHours::of(counts, self.left, evaluations);
        Cost {
            images_per_minute: span
                .filter(|&seconds| seconds > 0.0)
                .map(|seconds| 60.0 * converted / seconds),
            seconds_per_image: Some(counts.busy_ms / 1000.0 / converted),
            evaluations_per_image: (evaluations != Evaluations::default())
                .then(|| counts.unet_evaluations / converted),
            device_hours: Some(device_hours.so_far),
            device_hours_left: device_hours.to_come,
        }
    }

    /// Reports the styles of one reference after the other, so that each is opened once and one at a time.
    async fn styles(&mut self) -> Vec<StyleReport> {
        let run = self.run;
        let planned: BTreeMap<&str, usize> = planned(&run.plan).into_iter().collect();
        let files = self.reference.or(run.record.quality.reference.as_ref());
        let names = planned.keys().copied();
        let groups = match files {
            Some(files) => by_reference(files, names),
            None => vec![(None, names.collect())],
        };
        let mut references = References::default();
        let mut reports = Vec::new();
        for (at, styles) in groups {
            for style in styles {
                let fold = self.fold.styles.remove(style).unwrap_or_default();
                let report = StyleReport::of(style, planned[style], &fold);
                reports.push(
                    self.compare(report, fold, at.as_ref(), &mut references)
                        .await,
                );
            }
        }
        reports.sort_by(|a, b| a.style.cmp(&b.style));
        reports
    }

    /// Fills in what comes of comparing a style with its reference.
    async fn compare(
        &self,
        mut report: StyleReport,
        fold: Arc<StyleFold>,
        at: Option<&Location>,
        references: &mut References,
    ) -> StyleReport {
        let network = self.run.record.frozen.evaluators.features.as_deref();
        let features = fold.items.features.as_ref();
        let Some((network, _)) = network.zip(features) else {
            if at.is_some() && fold.items.done > 0 {
                report.notes.push(without_features(network).to_owned());
            }
            return report;
        };
        let Some(at) = at else {
            let note = "no reference is named for it: quality.reference, or --reference";
            report.notes.push(note.to_owned());
            return report;
        };
        let reference = match references.get(at, network).await {
            Ok(reference) => reference,
            Err(reason) => {
                report.notes.push(format!("reference {at} {reason}"));
                return report;
            }
        };
        report.reference = Some(Reference {
            path: at.to_string(),
            items: reference.file.items,
        });
        let compare = move || {
            compare(&mut report, &fold, &reference);
            report
        };
        shared::blocking::run(compare).await
    }
}

/// Returns why a style without features has no figures of them.
fn without_features(network: Option<&str>) -> &'static str {
    match network {
        None => "its outputs have no features: the run has no quality.features",
        Some(_) => {
            "none of its items has features, so there is neither FID nor KID: their warning says why"
        }
    }
}

impl StyleReport {
    /// Returns what needs no reference.
    fn of(style: &str, planned: usize, fold: &StyleFold) -> Self {
        Self {
            style: style.to_owned(),
            items: fold.items.done,
            planned,
            fid: None,
            kid: None,
            kid_standard_error: None,
            reference: None,
            figures: fold.items.figures(),
            label_agreement: AgreementReport::of(&fold.agreement),
            notes: Vec::new(),
            classes: fold
                .classes
                .iter()
                .map(|(&train_id, items)| (class_name(train_id), class_report(items)))
                .collect(),
        }
    }
}

/// The styles that anything is planned in, with the number of their items.
fn planned(plan: &Plan) -> Vec<(&str, usize)> {
    let mut counts = vec![0; plan.styles.len()];
    for shard in &plan.shards {
        for &style in &shard.styles {
            counts[style] += shard.contents.len();
        }
    }
    let names = plan
        .styles
        .iter()
        .map(shared::dataset::entry::DatasetEntry::name);
    names.zip(counts).filter(|(_, count)| *count > 0).collect()
}

/// Fills in what is computed from features.
fn compare(report: &mut StyleReport, fold: &StyleFold, reference: &Opened) {
    let Some(sums) = &fold.items.features else {
        return;
    };
    if sums.count() < fold.items.done {
        report.notes.push(format!(
            "{} of its items have no features and are in neither FID nor KID: their warning says why",
            fold.items.done - sums.count()
        ));
    }
    note_small_sets(report, sums.count(), sums.num_features());
    if reference.file.extractor_sha256.is_none() {
        report.notes.push(
            "its reference does not say which network it was made with: FID means nothing unless it is the run's"
                .to_owned(),
        );
    }
    match distance(sums, &reference.gaussian) {
        Some(Ok(fid)) => report.fid = Some(fid),
        Some(Err(error)) => report.notes.push(error.to_string()),
        None => report.notes.push("FID needs at least two items".to_owned()),
    }
    compare_classes(report, fold, reference);
    let Some(others) = &reference.file.sample else {
        report.notes.push(
            "its reference has no features, which KID needs: make it with reference-stats"
                .to_owned(),
        );
        return;
    };
    if fold.sample.len() < sums.count() {
        report.notes.push(format!(
            "KID is over {} of its items, always the same",
            fold.sample.len()
        ));
    }
    match kernel_distance(fold.sample.matrix().as_ref(), others.as_ref()) {
        Some(distance) => {
            report.kid = Some(distance.mean);
            report.kid_standard_error = Some(distance.standard_error);
            if distance.subset_size < kid::MAX_SUBSET_SIZE {
                report.notes.push(format!(
                    "KID is over {} subsets of {}, and published ones are of {}",
                    kid::NUM_SUBSETS,
                    distance.subset_size,
                    kid::MAX_SUBSET_SIZE
                ));
            }
        }
        None => report
            .notes
            .push("KID needs at least four items on both sides".to_owned()),
    }
}

fn compare_classes(report: &mut StyleReport, fold: &StyleFold, reference: &Opened) {
    let mut small = Vec::new();
    for (&train_id, items) in &fold.classes {
        let name = class_name(train_id);
        let Some(sums) = &items.features else {
            continue;
        };
        if sums.count() <= sums.num_features() {
            small.push(name.clone());
        }
        match (
            distance(sums, &reference.gaussian),
            report.classes.get_mut(&name),
        ) {
            (Some(Ok(fid)), Some(class)) => class.fid = Some(fid),
            (Some(Err(error)), _) => report.notes.push(format!("with {name}: {error}")),
            (Some(Ok(_)), None) | (None, _) => {}
        }
    }
    if !small.is_empty() {
        report.notes.push(format!(
            "fewer items than features show {}: FID over them comes out too high",
            small.join(", ")
        ));
    }
}

fn distance(sums: &Accumulator, reference: &Gaussian) -> Option<Result<f64, FidError>> {
    let statistics = sums.statistics()?;
    Some(Gaussian::of(&statistics).and_then(|gaussian| gaussian.distance(reference)))
}

fn note_small_sets(report: &mut StyleReport, count: usize, num_features: usize) {
    if count <= num_features {
        report.notes.push(format!(
            "{count} items give a singular covariance of {num_features} features: FID comes out too high, compare it at \
             equal N only"
        ));
    }
    let reference = report
        .reference
        .as_ref()
        .and_then(|reference| reference.items);
    if let Some(items) = reference.filter(|&items| items <= num_features) {
        report.notes.push(format!(
            "its reference has {items} images for {num_features} features: its covariance is singular"
        ));
    }
}

fn class_report(items: &ItemsFold) -> ClassReport {
    ClassReport {
        items: items.done,
        fid: None,
        ssim: items.means[ItemMetric::Ssim].value(),
    }
}

fn class_name(train_id: u8) -> String {
    let class = CLASSES.get(usize::from(train_id));
    class.map_or_else(|| train_id.to_string(), |class| class.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_without_features_is_said_to_lack_a_network_only_where_there_is_none() {
        assert!(without_features(None).contains("the run has no quality.features"));
        let told = without_features(Some("a network's digest"));
        assert!(!told.contains("no quality.features"), "{told}");
        assert!(told.contains("their warning says why"), "{told}");
    }
}

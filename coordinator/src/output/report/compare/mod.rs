//! A stored report compared with one that is made again of the same rows.

use shared::item_metric::ItemMetric;

use super::text::number;
use super::{AgreementReport, Cost, LabelReport, NetworkReport, RunReport, StyleReport};

/// How far figures may be from each other, as a share of them: sums are added in another order.
const TOLERANCE: f64 = 1e-6;
/// How far distances of features may be from each other: the roots of a covariance that is nearly singular show what little
/// its sums differ by on another machine.
const TOLERANCE_OF_DISTANCES: f64 = 1e-3;
/// Digits of a figure that are told.
const DECIMALS: usize = 6;

/// What came of comparing two reports.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What the stored one says otherwise, one text each.
    pub differences: Vec<String>,
    /// The styles whose distances could not be made again: what they were compared with is not there.
    pub not_compared: Vec<String>,
}

impl RunReport {
    /// Compares it with one that is `made` again. Counts and reasons are not looked at ([`RunReport::is_last`] does), nor
    /// notes.
    #[must_use]
    pub fn compare(&self, made: &Self) -> Comparison {
        let mut comparison = Comparison::default();
        for ((what, found), (_, expected)) in self.facts().into_iter().zip(made.facts()) {
            if found != expected {
                let difference = format!("its {what} is {found}, expected {expected}");
                comparison.differences.push(difference);
            }
        }
        comparison.cost(self.cost, made.cost);
        let (found, expected) = (&self.label_agreement, &made.label_agreement);
        comparison.agreement("the run", found.as_ref(), expected.as_ref());
        let names = |report: &Self| -> Vec<String> {
            let styles = report.styles.iter();
            styles.map(|style| style.style.clone()).collect()
        };
        if names(self) == names(made) {
            for (found, expected) in self.styles.iter().zip(&made.styles) {
                comparison.style(found, expected);
            }
        } else {
            let difference = "it is about other styles than were planned".to_owned();
            comparison.differences.push(difference);
        }
        comparison
    }

    /// Returns what it says that is no figure, each with its name.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let sha256 = |network: &Option<NetworkReport>| {
            let network = network.as_ref();
            network.map_or_else(|| "none".to_owned(), |network| network.sha256.clone())
        };
        let mut facts = vec![
            ("method", self.method.clone()),
            (
                "preset",
                self.preset.clone().unwrap_or_else(|| "none".to_owned()),
            ),
            ("width", self.width.to_string()),
            ("height", self.height.to_string()),
            ("number of items", self.items.to_string()),
            ("extractor", sha256(&self.extractor)),
            ("segmenter", sha256(&self.segmenter)),
        ];
        let networks = self.networks.iter().filter_map(|(metric, network)| {
            let key = metric.network()?.report_key;
            Some((key, sha256(network)))
        });
        facts.extend(networks);
        facts
    }
}

impl Comparison {
    fn figure(&mut self, what: &str, found: Option<f64>, expected: Option<f64>, tolerance: f64) {
        let is_same = match (found, expected) {
            (None, None) => true,
            (Some(found), Some(expected)) => {
                (found - expected).abs() <= tolerance * (1.0 + expected.abs())
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !is_same {
            self.differences.push(format!(
                "{what} is {}, and the rows give {}",
                number(found, DECIMALS),
                number(expected, DECIMALS)
            ));
        }
    }

    fn cost(&mut self, found: Cost, expected: Cost) {
        let mut figures = vec![
            (
                "images a minute",
                found.images_per_minute,
                expected.images_per_minute,
            ),
            (
                "seconds an image",
                found.seconds_per_image,
                expected.seconds_per_image,
            ),
            (
                "evaluations an image",
                found.evaluations_per_image,
                expected.evaluations_per_image,
            ),
        ];
        // Reports of earlier programs say nothing of them.
        if found.device_hours.is_some() {
            figures.extend([
                ("device-hours", found.device_hours, expected.device_hours),
                (
                    "device-hours to come",
                    found.device_hours_left,
                    expected.device_hours_left,
                ),
            ]);
        }
        for (what, found, expected) in figures {
            self.figure(&format!("its {what}"), found, expected, TOLERANCE);
        }
    }

    fn count(&mut self, what: &str, found: usize, expected: usize) {
        if found != expected {
            self.differences
                .push(format!("{what} is {found}, and the rows give {expected}"));
        }
    }

    fn style(&mut self, found: &StyleReport, expected: &StyleReport) {
        let of = |what: &str| format!("{what} of {}", expected.style);
        self.count(&of("the number of items"), found.items, expected.items);
        self.count(
            &of("the number of planned items"),
            found.planned,
            expected.planned,
        );
        for metric in ItemMetric::ALL {
            let (found, expected) = (found.figures[metric], expected.figures[metric]);
            self.figure(&of(metric.title()), found, expected, TOLERANCE);
        }
        let (its, rows) = (&found.label_agreement, &expected.label_agreement);
        self.agreement(&expected.style, its.as_ref(), rows.as_ref());
        let has_distances = self.has_distances(found, expected);
        if has_distances {
            for (what, found, expected) in [
                ("FID", found.fid, expected.fid),
                ("KID", found.kid, expected.kid),
                (
                    "the standard error of KID",
                    found.kid_standard_error,
                    expected.kid_standard_error,
                ),
            ] {
                self.figure(&of(what), found, expected, TOLERANCE_OF_DISTANCES);
            }
        }
        self.classes(found, expected, has_distances);
    }

    /// Compares what a segmenter predicts for a style, or for the run.
    fn agreement(
        &mut self,
        whose: &str,
        found: Option<&AgreementReport>,
        expected: Option<&AgreementReport>,
    ) {
        let (found, expected) = match (found, expected) {
            (None, None) => return,
            (Some(found), Some(expected)) => (found, expected),
            (Some(_), None) | (None, Some(_)) => {
                let it_is = if found.is_some() { "there" } else { "missing" };
                self.differences.push(format!(
                    "the label agreement of {whose} is {it_is}, and the rows say otherwise"
                ));
                return;
            }
        };
        let of = |what: &str| format!("{what} of {whose}");
        let what = of("the number of items with a label agreement");
        self.count(&what, found.items, expected.items);
        let what = of("the number of doubtful items");
        self.count(&what, found.doubtful, expected.doubtful);
        for (images, found, expected) in [
            ("outputs", &found.output, &expected.output),
            ("contents", &found.content, &expected.content),
        ] {
            self.labels(&of(&format!("the {images}")), found, expected);
        }
    }

    /// Compares the figures of predictions for some images.
    fn labels(&mut self, whose: &str, found: &LabelReport, expected: &LabelReport) {
        let pairs = [
            (
                "pixel accuracy",
                found.pixel_accuracy,
                expected.pixel_accuracy,
            ),
            ("mean IoU", found.miou, expected.miou),
        ];
        for (what, found, expected) in pairs {
            let what = format!("the {what} of {whose}");
            self.figure(&what, found, expected, TOLERANCE);
        }
        if !found.iou.keys().eq(expected.iou.keys()) {
            let difference = format!("it has the IoU of other classes of {whose} than the rows");
            self.differences.push(difference);
            return;
        }
        for ((class, found), expected) in found.iou.iter().zip(expected.iou.values()) {
            let what = format!("the IoU of {class} of {whose}");
            self.figure(&what, *found, *expected, TOLERANCE);
        }
    }

    /// Returns whether the distances of a style can be compared: both are to the same reference. Distances to none are a
    /// difference.
    fn has_distances(&mut self, found: &StyleReport, expected: &StyleReport) -> bool {
        let of_classes = found.classes.values().map(|class| class.fid);
        let mut figures = [found.fid, found.kid].into_iter().chain(of_classes);
        let says_any = figures.any(|figure| figure.is_some());
        match &found.reference {
            None if says_any => {
                let style = &expected.style;
                let difference = format!("FID or KID of {style} is there, and no reference of it");
                self.differences.push(difference);
                false
            }
            // It may have come later.
            None => false,
            Some(_) if found.reference == expected.reference => true,
            Some(_) => {
                self.not_compared.push(expected.style.clone());
                false
            }
        }
    }

    /// Compares figures of classes, if the report has any: a run that is run again may be asked for others.
    fn classes(&mut self, found: &StyleReport, expected: &StyleReport, has_distances: bool) {
        if found.classes.is_empty() {
            return;
        }
        let style = &expected.style;
        if !found.classes.keys().eq(expected.classes.keys()) {
            let difference = format!("it has other classes of {style} than the rows");
            self.differences.push(difference);
            return;
        }
        for ((class, found), expected) in found.classes.iter().zip(expected.classes.values()) {
            let of = |what: &str| format!("{what} of {style} with {class}");
            self.count(&of("the number of items"), found.items, expected.items);
            self.figure(&of("SSIM"), found.ssim, expected.ssim, TOLERANCE);
            if has_distances {
                self.figure(&of("FID"), found.fid, expected.fid, TOLERANCE_OF_DISTANCES);
            }
        }
    }
}

#[cfg(test)]
mod tests;

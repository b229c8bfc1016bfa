//! A stored report compared with one that is made again of the same rows.

use shared::item_metric::ItemMetric;

use super::text::number;
use super::{NetworkReport, RunReport, StyleReport};

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
        let sha256 = |network: Option<&NetworkReport>| {
            network.map_or_else(|| "none".to_owned(), |network| network.sha256.clone())
        };
        let facts = [
            ("method", self.method.clone(), made.method.clone()),
            ("preset", self.preset.clone(), made.preset.clone()),
            ("width", self.width.to_string(), made.width.to_string()),
            ("height", self.height.to_string(), made.height.to_string()),
            (
                "number of items",
                self.items.to_string(),
                made.items.to_string(),
            ),
            (
                "extractor",
                sha256(self.extractor.as_ref()),
                sha256(made.extractor.as_ref()),
            ),
        ];
        let networks = ItemMetric::ALL.into_iter().filter_map(|metric| {
            let of = |report: &Self| sha256(report.networks[metric].as_ref());
            Some((metric.network()?.report_key, of(self), of(made)))
        });
        for (what, found, expected) in facts.into_iter().chain(networks) {
            if found != expected {
                let difference = format!("its {what} is {found}, expected {expected}");
                comparison.differences.push(difference);
            }
        }
        let (found, expected) = (self.cost, made.cost);
        for (what, found, expected) in [
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
            ("device-hours", found.device_hours, expected.device_hours),
            (
                "device-hours to come",
                found.device_hours_left,
                expected.device_hours_left,
            ),
        ] {
            comparison.figure(&format!("its {what}"), found, expected, TOLERANCE);
        }
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
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::output::report::{ClassReport, Cost, Reference};
    use shared::item_metric::PerMetric;

    fn style() -> StyleReport {
        let class = ClassReport {
            items: 2,
            fid: Some(90.0),
            ssim: Some(0.5),
        };
        StyleReport {
            style: "night".to_owned(),
            items: 4,
            planned: 5,
            fid: Some(80.0),
            kid: Some(0.04),
            kid_standard_error: Some(0.002),
            reference: Some(Reference {
                path: "night.npz".to_owned(),
                items: Some(400),
            }),
            figures: PerMetric::from_fn(|metric| Some(0.4 + 0.1 * metric as usize as f64)),
            notes: Vec::new(),
            classes: BTreeMap::from([("road".to_owned(), class)]),
        }
    }

    fn report() -> RunReport {
        RunReport {
            run: "demo".parse().unwrap(),
            made_at: jiff::Timestamp::UNIX_EPOCH,
            complete: true,
            method: "cactif".to_owned(),
            preset: "paper".to_owned(),
            width: 8,
            height: 4,
            items: 5,
            done: 4,
            quarantined: 1,
            failed: 0,
            extractor: None,
            networks: PerMetric::default(),
            cost: Cost {
                images_per_minute: Some(30.0),
                seconds_per_image: None,
                evaluations_per_image: Some(40.0),
                device_hours: Some(0.5),
                device_hours_left: Some(0.0),
            },
            price: None,
            styles: vec![style()],
            reasons: BTreeMap::new(),
            warnings: BTreeMap::new(),
            damaged: Vec::new(),
            mark: None,
            plan_hash: None,
            contact_sheet_sha256: None,
        }
    }

    fn network() -> NetworkReport {
        NetworkReport {
            name: "inception".to_owned(),
            sha256: "0123".to_owned(),
            resize: None,
            published: true,
        }
    }

    /// A change of a report, and words of the one difference that it is told as.
    type Change = (fn(&mut RunReport), &'static str);

    fn assert_told(changes: &[Change]) {
        let made = report();
        assert_eq!(made.compare(&made), Comparison::default());
        for (change, words) in changes {
            let mut changed = report();
            change(&mut changed);
            let told = changed.compare(&made).differences;
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(words), "no {words:?}: {told:?}");
        }
    }

    #[test]
    fn every_fact_that_is_another_one_is_told() {
        assert_told(&[
            (
                |report| report.method = "adain".to_owned(),
                "its method is adain, expected cactif",
            ),
            (|report| report.width = 16, "its width is 16"),
            (|report| report.items = 6, "its number of items is 6"),
            (
                |report| report.extractor = Some(network()),
                "its extractor is 0123, expected none",
            ),
            (
                |report| report.networks[ItemMetric::Lpips] = Some(network()),
                "its lpips_network is 0123, expected none",
            ),
        ]);
    }

    #[test]
    fn every_figure_that_is_another_one_is_told_with_both_values() {
        assert_told(&[
            (
                |report| report.cost.seconds_per_image = Some(1.0),
                "its seconds an image is 1.000000",
            ),
            (
                |report| report.cost.images_per_minute = Some(31.0),
                "31.000000, and the rows give 30.0",
            ),
            (
                |report| report.cost.device_hours = Some(0.25),
                "its device-hours is 0.250000, and the rows give 0.5",
            ),
            (|report| report.styles.clear(), "other styles"),
            (
                |report| report.styles[0].items = 5,
                "the number of items of night is 5",
            ),
            (
                |report| report.styles[0].figures[ItemMetric::Ssim] = Some(0.99),
                "SSIM of night is 0.990000, and the rows give 0.4",
            ),
            (
                |report| report.styles[0].figures[ItemMetric::Lpips] = None,
                "LPIPS of night is -",
            ),
        ]);
    }

    #[test]
    fn every_distance_that_is_another_one_is_told_with_its_style_or_class() {
        assert_told(&[
            (
                |report| report.styles[0].fid = Some(1.0),
                "FID of night is 1.000000, and the rows give 80.0",
            ),
            (|report| report.styles[0].kid = Some(0.001), "KID of night"),
            (
                |report| report.styles[0].reference = None,
                "no reference of it",
            ),
            (
                |report| {
                    report.styles[0]
                        .classes
                        .values_mut()
                        .for_each(|class| class.fid = Some(1.0))
                },
                "FID of night with road",
            ),
            (
                |report| {
                    let class = report.styles[0].classes.remove("road").unwrap();
                    report.styles[0].classes.insert("sky".to_owned(), class);
                },
                "other classes of night",
            ),
        ]);
    }

    #[test]
    fn what_a_sum_in_another_order_gives_is_the_same() {
        let mut found = report();
        found.styles[0].figures[ItemMetric::Ssim] = Some(0.4 + 1e-8);
        found.styles[0].fid = Some(80.0 + 1e-3);
        assert_eq!(found.compare(&report()), Comparison::default());
    }

    #[test]
    fn distances_to_a_reference_that_is_away_are_not_compared_and_one_that_came_later_is_no_difference()
     {
        let mut made = report();
        made.styles[0] = StyleReport {
            reference: None,
            fid: None,
            kid: None,
            kid_standard_error: None,
            ..style()
        };
        let compared = report().compare(&made);
        assert_eq!(compared.differences, [""; 0]);
        assert_eq!(compared.not_compared, ["night"]);
        let class = made.styles[0].classes.get_mut("road").unwrap();
        class.fid = None;
        assert_eq!(made.compare(&report()), Comparison::default());
    }
}

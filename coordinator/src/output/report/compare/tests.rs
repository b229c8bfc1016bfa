//! Reports in which one thing is another one, and what is told of it.

use std::collections::BTreeMap;

use super::*;
use crate::output::quality::agreement::AgreementFold;
use crate::output::report::{ClassReport, Reference};
use shared::confusion::{Confusion, LabelAgreement};
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
        label_agreement: Some(agreement()),
        notes: Vec::new(),
        classes: BTreeMap::from([("road".to_owned(), class)]),
    }
}

/// Of two classes, one of which is lost in half of the output's pixels.
fn agreement() -> AgreementReport {
    let pixels = LabelAgreement {
        output: Confusion::of(&[0, 0, 1, 1], &[0, 0, 1, 0]),
        content: Confusion::of(&[0, 0, 1, 1], &[0, 0, 1, 1]),
    };
    AgreementReport::of(&AgreementFold {
        pixels,
        items: 4,
        doubtful: 1,
    })
    .unwrap()
}

fn report() -> RunReport {
    RunReport {
        run: "demo".parse().unwrap(),
        made_at: jiff::Timestamp::UNIX_EPOCH,
        complete: true,
        method: "cactif".to_owned(),
        preset: Some("paper".to_owned()),
        width: 8,
        height: 4,
        items: 5,
        done: 4,
        quarantined: 1,
        failed: 0,
        extractor: None,
        networks: PerMetric::default(),
        segmenter: None,
        label_agreement: Some(agreement()),
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
        (
            |report| report.segmenter = Some(network()),
            "its segmenter is 0123, expected none",
        ),
    ]);
}

#[test]
fn every_figure_of_a_segmenter_that_is_another_one_is_told_with_whose_it_is() {
    fn of_run(report: &mut RunReport) -> &mut AgreementReport {
        report.label_agreement.as_mut().unwrap()
    }
    fn of_style(report: &mut RunReport) -> &mut AgreementReport {
        report.styles[0].label_agreement.as_mut().unwrap()
    }
    assert_told(&[
        (
            |report| report.label_agreement = None,
            "the label agreement of the run is missing",
        ),
        (
            |report| of_run(report).doubtful = 0,
            "the number of doubtful items of the run is 0, and the rows give 1",
        ),
        (
            |report| of_run(report).output.miou = Some(0.99),
            "the mean IoU of the outputs of the run is 0.990000, and the rows give 0.58",
        ),
        (
            |report| of_style(report).items = 5,
            "the number of items with a label agreement of night is 5",
        ),
        (
            |report| of_style(report).content.pixel_accuracy = None,
            "the pixel accuracy of the contents of night is -, and the rows give 1.0",
        ),
        (
            |report| {
                let iou = &mut of_style(report).output.iou;
                iou.insert("sidewalk".to_owned(), Some(0.75));
            },
            "the IoU of sidewalk of the outputs of night is 0.750000, and the rows give 0.5",
        ),
        (
            |report| {
                of_style(report).output.iou.remove("bicycle");
            },
            "the IoU of other classes of the outputs of night",
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
        (
            |report| report.cost.device_hours_left = None,
            "its device-hours to come is -, and the rows give 0.0",
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
fn a_report_of_an_earlier_program_is_not_compared_in_what_it_does_not_tell() {
    let mut earlier = report();
    earlier.cost.device_hours = None;
    earlier.cost.device_hours_left = None;
    assert_eq!(earlier.compare(&report()), Comparison::default());
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

//! A report as it is stored, read again.

use std::collections::BTreeMap;

use shared::item_metric::{ItemMetric, PerMetric};

use shared::confusion::{Confusion, LabelAgreement};

use super::*;
use crate::output::quality::agreement::AgreementFold;
use crate::run::tally::Counts;

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
        label_agreement: None,
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
        (r#""beauty":1,"#, "unknown field `beauty`"),
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
    let network = NetworkReport {
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
        preset: Some("paper".to_owned()),
        width: 8,
        height: 4,
        items: 4,
        done: counts.done,
        quarantined: 0,
        failed: counts.failed,
        extractor: None,
        networks: PerMetric::default(),
        segmenter: None,
        label_agreement: None,
        cost: Cost::default(),
        price: None,
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

#[test]
fn ten_damaged_shards_are_named_and_the_others_counted() {
    let told_of_others = |count: usize| {
        let damaged = (0..count).map(|number| format!("shard {number}: it is cut"));
        let report = RunReport {
            damaged: damaged.collect(),
            ..report(&Counts::default())
        };
        let text = text::render(&[report]);
        let lines = text.lines().filter(|line| line.starts_with("  damaged: "));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        assert_eq!(lines.len(), count.min(11), "{text}");
        lines[10..].to_vec()
    };
    assert!(told_of_others(10).is_empty());
    assert_eq!(told_of_others(11), ["  damaged: 1 other shard"]);
    assert_eq!(told_of_others(13), ["  damaged: 3 other shards"]);
}

/// A style whose outputs lose a class that its contents show.
fn style(name: &str, predicted: &[u8]) -> (StyleReport, AgreementFold) {
    let label = [0, 0, 0, 0, 5, 5, 5, 5];
    let fold = AgreementFold {
        pixels: LabelAgreement {
            output: Confusion::of(&label, predicted),
            content: Confusion::of(&label, &label),
        },
        items: 2,
        doubtful: 1,
    };
    let style = StyleReport {
        style: name.to_owned(),
        items: 2,
        planned: 2,
        fid: None,
        kid: None,
        kid_standard_error: None,
        reference: None,
        figures: PerMetric::default(),
        label_agreement: AgreementReport::of(&fold),
        notes: Vec::new(),
        classes: BTreeMap::new(),
    };
    (style, fold)
}

#[test]
fn label_agreement_is_told_of_each_style_and_of_all_and_is_read_again() {
    let counts = Counts {
        done: 4,
        doubtful: 2,
        ..Counts::default()
    };
    let mut report = report(&counts);
    let without = serde_json::to_string(&report).unwrap();
    assert!(!without.contains("label_agreement") && !without.contains("segmenter"));
    assert_eq!(serde_json::from_str::<RunReport>(&without).unwrap(), report);
    assert!(!report.is_last(&counts), "it counts no doubtful items");

    let (night, mut all) = style("night", &[0, 0, 0, 0, 5, 5, 5, 0]);
    let (snow, of_snow) = style("snow", &[0, 0, 0, 0, 0, 0, 0, 0]);
    all.add_all(&of_snow);
    report.styles = vec![night, snow];
    report.label_agreement = AgreementReport::of(&all);
    report.segmenter = Some(NetworkReport {
        name: "nearest colour".to_owned(),
        sha256: "0123456789".to_owned(),
        resize: None,
        published: false,
    });
    assert!(report.is_last(&counts));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<RunReport>(&json).unwrap(), report);

    let text = text::render(std::slice::from_ref(&report));
    for line in [
        "  night: agreement 100.0 -> 77.5; pole 100 -> 75, road 100 -> 80; 1 of 2 items doubtful",
        "  snow: agreement 100.0 -> 25.0; pole 100 -> 0, road 100 -> 50; 1 of 2 items doubtful",
        // Of all pixels: 3 of 8 of pole are found, and road is found in 8 of 13.
        "  labels: agreement 100.0 -> 49.5; pole 100 -> 38, road 100 -> 62; 2 of 4 items doubtful",
        "  labels, %               night           snow     all styles",
        "  pixel accuracy  100.0 -> 87.5  100.0 -> 50.0  100.0 -> 68.8",
        "  mean IoU        100.0 -> 77.5  100.0 -> 25.0  100.0 -> 49.5",
        "  road            100.0 -> 80.0  100.0 -> 50.0  100.0 -> 61.5",
        "  pole            100.0 -> 75.0   100.0 -> 0.0  100.0 -> 37.5",
        "  agreement of labels with nearest colour (01234567, no resize): mean IoU in percent, content -> output",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line}: {text}");
    }

    // Of many styles their classes are not told in columns.
    let many = (0..7).map(|number| style(&format!("night-{number}"), &[0, 0, 0, 0, 5, 5, 5, 0]).0);
    report.styles = many.collect();
    let text = text::render(&[report]);
    for line in [
        "  labels, %          all styles",
        "  pole            100.0 -> 37.5",
        "  classes of each style: synth2real report demo --html FILE, and report.json",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line}: {text}");
    }
}

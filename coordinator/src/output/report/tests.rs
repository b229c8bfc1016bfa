//! A report as it is stored, read again.

use std::collections::BTreeMap;

use shared::item_metric::{ItemMetric, PerMetric};

use super::*;
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

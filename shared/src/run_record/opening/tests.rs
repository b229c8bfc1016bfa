//! A record is read as it was written, and refused with its field where it was altered.

use serde_json::{Value, json};

use super::*;
use crate::run_record::FrozenModel;
use crate::run_record::tests::record;
use crate::settings::MethodConfig;
use crate::settings::raw::RawMethod;

fn name() -> RunId {
    "demo".parse().unwrap()
}

/// The record with a value replaced, as it is after an edit by hand.
fn edited(pointer: &str, value: Value) -> Vec<u8> {
    let mut document = serde_json::to_value(record()).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&document).unwrap()
}

#[test]
fn a_record_is_read_as_it_was_written_with_a_digest_of_itself_or_without() {
    let sealed = record().to_json();
    assert_eq!(RunRecord::parse(&sealed, &name()).unwrap(), record());
    let plain = serde_json::to_vec(&record()).unwrap();
    assert_eq!(RunRecord::parse(&plain, &name()).unwrap(), record());
}

#[test]
fn numbers_of_many_digits_keep_the_hash_that_they_were_given() {
    for strength in [0.1 + 0.2, 1.0 / 3.0, 100.0 / 3.0, 200.0 / 7.0] {
        let mut record = record();
        let MethodConfig::Diffusion(method) = &mut record.frozen.method else {
            panic!("the default method has a model");
        };
        method.contrast_strength = strength;
        record.plan_hash = digest::sha256_of_json(&record.frozen);
        assert_eq!(
            RunRecord::parse(&record.to_json(), &name()).unwrap(),
            record
        );
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let sealed = record().to_json();
    for at in 0..sealed.len() {
        for bit in [0, 1, 3, 5, 7] {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            let read = RunRecord::parse(&changed, &name());
            assert!(read.is_err(), "bit {bit} of byte {at}");
        }
    }
}

/// Proves that a record with a value in the place of its own is refused in these words, and in few.
fn is_refused(pointer: &str, value: Value, words: [&str; 2]) {
    let told = RunRecord::parse(&edited(pointer, value), &name());
    let told = told.unwrap_err().to_string();
    for word in words {
        assert!(told.contains(word), "{pointer}: no {word:?}: {told}");
    }
    assert!(told.len() < 800, "{pointer}: {} bytes", told.len());
}

#[test]
fn a_number_that_cannot_be_is_refused_with_its_field_and_its_bounds() {
    for (pointer, value, words) in [
        (
            "/frozen/model/width",
            json!(0),
            ["frozen.model.width is 0", "1 to 8192"],
        ),
        (
            "/frozen/model/height",
            json!(100_000),
            ["frozen.model.height is 100000", "8192"],
        ),
        (
            "/frozen/num_items",
            json!(u64::MAX),
            ["frozen.num_items", "1000000000"],
        ),
        (
            "/frozen/num_shards",
            json!(1_000_000_000),
            ["frozen.num_shards is 1000000000", "0 to 2"],
        ),
        (
            "/frozen/content/count",
            json!(1u64 << 40),
            ["frozen.content.count", "10000000"],
        ),
    ] {
        is_refused(pointer, value, words);
    }
}

#[test]
fn a_field_of_another_kind_is_refused_with_its_place_and_no_name_of_a_type() {
    for (pointer, value, words) in [
        (
            "/frozen",
            json!(null),
            ["frozen: it is null", "expected an object"],
        ),
        (
            "/frozen/model/width",
            json!("wide"),
            [
                "frozen.model.width: it is string \"wide\"",
                "expected a whole number from 0",
            ],
        ),
    ] {
        is_refused(pointer, value, words);
    }
    let told = RunRecord::parse(b"[]", &name()).unwrap_err().to_string();
    assert_eq!(
        told,
        "it is a list of length 0, expected an object at line 1 column 2"
    );
}

#[test]
fn a_setting_out_of_its_range_is_refused_with_its_key() {
    for (pointer, value, words) in [
        (
            "/frozen/method/steps",
            json!(0),
            ["method.steps (0)", "1 to 1000"],
        ),
        (
            "/frozen/shards/contents",
            json!(0),
            ["shards.contents (0)", "must be"],
        ),
        (
            "/limits/max_attempts",
            json!(1_000_000_000),
            ["limits.max_attempts (1000000000)", "must be"],
        ),
        (
            "/limits/max_failed",
            json!(1e300),
            ["limits.max_failed", "must be"],
        ),
    ] {
        is_refused(pointer, value, words);
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_field_and_both_values() {
    let hash = record().plan_hash;
    let long = "a".repeat(1 << 20);
    for (pointer, value, words) in [
        (
            "/frozen/method/seed",
            json!(43),
            ["plan_hash", hash.as_str()],
        ),
        (
            "/plan_hash",
            json!("aaaaaaae-acute"),
            ["plan_hash", "64 digits"],
        ),
        ("/plan_hash", json!(long), ["plan_hash", "64 digits"]),
        (
            "/frozen/plan_sha256",
            json!("../../etc/passwd"),
            ["frozen.plan_sha256", "64 digits"],
        ),
        (
            "/frozen/styles",
            json!({"night": long}),
            ["frozen.styles.night", "64 digits"],
        ),
        ("/run", json!("other"), ["run is other", "expected demo"]),
        ("/run", json!(long), ["run: ", "run name"]),
        (
            "/format_version",
            json!(3),
            ["format_version is 3", "expected 4"],
        ),
        ("/created_at", json!(long), ["created_at: ", "created_at"]),
    ] {
        is_refused(pointer, value, words);
    }
}

#[test]
fn a_record_without_a_byte_or_with_more_than_any_has_is_refused() {
    assert_eq!(RunRecord::parse(b"", &name()), Err(RecordError::Empty));
    let large = vec![b' '; MAX_BYTES + 1];
    let told = RunRecord::parse(&large, &name()).unwrap_err();
    assert!(matches!(told, RecordError::TooLarge { .. }), "{told}");
}

#[test]
fn what_is_altered_beside_what_is_frozen_is_noticed_too() {
    let sealed = String::from_utf8(record().to_json()).unwrap();
    for (was, is) in [
        ("\"max_attempts\": 3", "\"max_attempts\": 4"),
        ("/gta5", "/gta4"),
        ("1970-01-01", "1971-01-01"),
    ] {
        let changed = sealed.replace(was, is);
        assert_ne!(changed, sealed, "{was}");
        let told = RunRecord::parse(changed.as_bytes(), &name()).unwrap_err();
        assert!(matches!(told, RecordError::Seal(_)), "{was}: {told}");
    }
}

#[test]
fn a_model_is_there_where_the_method_has_one_and_only_then() {
    let mut baseline = record();
    baseline.inputs.model = None;
    baseline.frozen.method = RawMethod::default()
        .with_overrides(&["method=fda".to_owned()])
        .and_then(MethodConfig::try_from)
        .unwrap();
    baseline.frozen.model = FrozenModel {
        sha256: None,
        width: 1024,
        height: 512,
    };
    let read = |record: &RunRecord| {
        let plan_hash = digest::sha256_of_json(&record.frozen);
        let record = RunRecord {
            plan_hash,
            ..record.clone()
        };
        RunRecord::parse(&record.to_json(), &name()).map_err(|error| error.to_string())
    };
    let kept = read(&baseline).unwrap();
    assert_eq!((kept.inputs.model, kept.frozen.model_sha256()), (None, ""));

    let mut with_model = baseline.clone();
    with_model.frozen.model.sha256 = Some(digest::sha256(b"c"));
    let told = read(&with_model).unwrap_err();
    assert_eq!(
        told,
        "its frozen.model.sha256 is there, expected none of method fda"
    );
    let mut of_other_size = baseline;
    of_other_size.frozen.model.width = 512;
    let told = read(&of_other_size).unwrap_err();
    let expected = "its frozen.model is 512 x 512, expected 1024 x 512 as in frozen.method";
    assert_eq!(told, expected);
    let mut translator = record();
    translator.frozen.method = RawMethod::default()
        .with_overrides(&["method=translator".to_owned()])
        .and_then(MethodConfig::try_from)
        .unwrap();
    assert_eq!(read(&translator).unwrap().frozen, translator.frozen);
    translator.frozen.model.sha256 = None;
    let told = read(&translator).unwrap_err();
    assert!(
        told.starts_with("its frozen.model.sha256 is absent"),
        "{told}"
    );
    let mut without = record();
    without.frozen.model.sha256 = None;
    let told = read(&without).unwrap_err();
    assert!(
        told.starts_with("its frozen.model.sha256 is absent"),
        "{told}"
    );
}

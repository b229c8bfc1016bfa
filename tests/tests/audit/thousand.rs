//! A thousand random changes: bits, bytes, whole files and values of documents.

use std::fs;

use bytes::Bytes;
use coordinator::output::audit;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::Value;
use shared::manifest;

use super::finished::Finished;

const CHANGES: usize = 1000;

/// Returns the pointers to the values of a document that are no lists and no maps.
fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (position, value) in values.iter().enumerate() {
                leaves(value, &format!("{pointer}/{position}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push(pointer.to_owned());
        }
    }
}

/// Returns a document with one of its values edited, and which.
fn edited(bytes: &[u8], chance: &mut ChaCha12Rng) -> (Vec<u8>, String) {
    let mut document: Value = serde_json::from_slice(bytes).unwrap();
    let mut found = Vec::new();
    leaves(&document, "", &mut found);
    let pointer = found.swap_remove(chance.random_range(0..found.len()));
    let value = document.pointer_mut(&pointer).unwrap();
    *value = match value {
        Value::Null => Value::from(1),
        Value::Bool(is) => Value::from(!*is),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => Value::from(whole ^ (1 << chance.random_range(0..20))),
            None => Value::from(number.as_f64().unwrap() + 0.5),
        },
        Value::String(text) => Value::from(format!("{text}0")),
        Value::Array(_) | Value::Object(_) => unreachable!("only leaves are edited"),
    };
    (serde_json::to_vec_pretty(&document).unwrap(), pointer)
}

/// Returns whether two files say the same in every field.
fn means_the_same(path: &str, one: &[u8], other: &[u8]) -> bool {
    if path.ends_with(".parquet") {
        let read = |bytes: &[u8]| manifest::read_with_features(Bytes::copy_from_slice(bytes)).ok();
        return read(one).is_some() && read(one) == read(other);
    }
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    path.ends_with(".json") && read(one).is_some() && read(one) == read(other)
}

/// A change of a file below the run, or of two.
struct FileChange<'a> {
    what: String,
    /// What the first of the files has now.
    after: Vec<u8>,
    /// What each of them had.
    before: Vec<(&'a String, Vec<u8>)>,
}

/// Flips a bit, removes a byte, swaps two files or edits a value of a document; nothing if both files are the same.
fn make_change<'a>(
    finished: &Finished,
    paths: &'a [String],
    number: usize,
    chance: &mut ChaCha12Rng,
) -> Option<FileChange<'a>> {
    let path = &paths[chance.random_range(0..paths.len())];
    let file = finished.path(path);
    let bytes = fs::read(&file).unwrap();
    let at = chance.random_range(0..bytes.len());
    let mut after = bytes.clone();
    let mut before = vec![(path, bytes.clone())];
    let what = match number % 4 {
        0 => {
            let bit = chance.random_range(0..8);
            after[at] ^= 1 << bit;
            fs::write(&file, &after).unwrap();
            format!("bit {bit} of byte {at} of {path} flipped")
        }
        1 => {
            after.remove(at);
            fs::write(&file, &after).unwrap();
            format!("byte {at} of {path} removed")
        }
        2 => {
            let other = &paths[chance.random_range(0..paths.len())];
            let others = fs::read(finished.path(other)).unwrap();
            if others == bytes {
                return None;
            }
            fs::write(&file, &others).unwrap();
            fs::write(finished.path(other), &bytes).unwrap();
            after.clone_from(&others);
            before.push((other, others));
            format!("{path} and {other} swapped")
        }
        _ => {
            let is_document = |path: &&String| path.ends_with(".json");
            let documents: Vec<&String> = paths.iter().filter(is_document).collect();
            let path = documents[chance.random_range(0..documents.len())];
            let bytes = fs::read(finished.path(path)).unwrap();
            let (document, pointer) = edited(&bytes, chance);
            fs::write(finished.path(path), &document).unwrap();
            after = document;
            before = vec![(path, bytes)];
            format!("{pointer} of {path} edited")
        }
    };
    Some(FileChange {
        what,
        after,
        before,
    })
}

#[tokio::test]
async fn of_a_thousand_changes_below_a_finished_run_an_audit_finds_a_thousand() {
    let seed = std::env::var("SYNTH2REAL_TEST_SEED").ok();
    let seed = seed.map_or(16, |seed| seed.parse().unwrap());
    println!("seed {seed}: SYNTH2REAL_TEST_SEED={seed} makes the same changes");
    let mut chance = ChaCha12Rng::seed_from_u64(seed);
    let finished = Finished::run().await;
    assert_eq!(finished.findings().await, [""; 0]);
    let report = audit::audit(finished.storage.as_ref(), &finished.run).await;
    let report = report.unwrap();
    assert_eq!(report.counts.done, 6);
    assert_eq!(report.notes, [""; 0]);
    let paths = finished.paths();
    for kind in [
        "decisions/",
        "attempts/",
        "fid/",
        "manifest",
        "tally",
        "shards/000001.1",
    ] {
        assert!(
            paths.iter().any(|path| path.starts_with(kind)),
            "{kind}: {paths:?}"
        );
    }
    let mut without_meaning = 0;
    for number in 0..CHANGES {
        let Some(change) = make_change(&finished, &paths, number, &mut chance) else {
            continue;
        };
        if finished.findings().await.is_empty() {
            let (path, bytes) = &change.before[0];
            assert!(
                means_the_same(path, bytes, &change.after),
                "change {number}: {}",
                change.what
            );
            println!("without meaning: {}", change.what);
            without_meaning += 1;
        }
        for (path, bytes) in change.before {
            fs::write(finished.path(path), bytes).unwrap();
        }
    }
    println!("{without_meaning} changes were without meaning");
    assert_eq!(finished.findings().await, [""; 0]);
}

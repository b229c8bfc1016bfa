//! Schemas and readers of contracts say the same: what is committed is as `shared/schemas` says, and what a schema
//! refuses is refused by the worker, and the other way around.
//!
//! A schema cannot say what holds between keys, nor that 1.0 is no integer.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};
use shared::item_metric::ItemMetric;
use shared::model::ModelContract;
use shared::network::{
    FEATURES_FILE, NetworkContract, PRIOR_FILE, SEGMENTER_FILE, TRANSLATOR_FILE,
};
use tests::repository;

/// Where contracts are committed.
const FOLDERS: [&str; 2] = ["infra/demo", "tests/fixtures"];
const MODEL: &str = "model.json";
/// Contracts of networks that give no metric.
const NETWORKS: [&str; 4] = [FEATURES_FILE, SEGMENTER_FILE, PRIOR_FILE, TRANSLATOR_FILE];
/// Every segment but the last has a layer, which is a rule between keys: the reader alone refuses a model without it.
const BETWEEN_KEYS: &str = "/segments/0/layer";

/// A kind of contract: its schema and the worker's reader.
struct Kind {
    schema: Value,
    validator: Validator,
    reads: fn(&[u8]) -> bool,
}

impl Kind {
    fn new(schema: &str, reads: fn(&[u8]) -> bool) -> Self {
        let schema = json_in(&repository(&format!("shared/schemas/{schema}.schema.json")));
        assert!(jsonschema::meta::is_valid(&schema), "a schema is none");
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        Self {
            schema,
            validator,
            reads,
        }
    }

    fn model() -> Self {
        Self::new("model", |bytes| {
            ModelContract::from_json(bytes, PathBuf::from("model")).is_ok()
        })
    }

    fn network() -> Self {
        Self::new("network", |bytes| {
            NetworkContract::from_json(bytes, PathBuf::from("network/features.json")).is_ok()
        })
    }

    /// Returns whether the schema and the reader take a contract.
    fn taken(&self, contract: &Value) -> (bool, bool) {
        let bytes = serde_json::to_vec(contract).unwrap();
        (self.validator.is_valid(contract), (self.reads)(&bytes))
    }
}

fn json_in(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Returns the contracts of some names that are in the repository.
fn committed(names: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = FOLDERS.map(repository).into();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if names.iter().any(|name| path.ends_with(name)) {
                found.push(path);
            }
        }
    }
    found
}

/// Returns the JSON pointers of a value and of all in it; of a list's, only the first.
fn pointers(value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                found.extend(pointers(inner, &format!("{at}/{key}")));
            }
        }
        Value::Array(items) => {
            if let Some(inner) = items.first() {
                found.extend(pointers(inner, &format!("{at}/0")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// Returns values of other types than a value has.
fn of_other_types(value: &Value) -> Vec<Value> {
    let other = match value {
        Value::Null | Value::String(_) => json!(7),
        Value::Bool(_) => json!("yes"),
        Value::Number(_) => json!("7"),
        Value::Array(_) => json!({}),
        Value::Object(_) => json!([]),
    };
    let flag = if value.is_boolean() {
        json!(1)
    } else {
        json!(true)
    };
    vec![Value::Null, other, flag]
}

/// Returns the contract without what a pointer names, if that is the key of an object.
fn without(contract: &Value, pointer: &str) -> Option<Value> {
    let mut contract = contract.clone();
    let (holder, key) = pointer.rsplit_once('/')?;
    let holder = contract.pointer_mut(holder)?.as_object_mut()?;
    holder.remove(key)?;
    Some(contract)
}

/// Returns the contract with another value where a pointer leads.
fn with(contract: &Value, pointer: &str, value: Value) -> Value {
    let mut contract = contract.clone();
    *contract.pointer_mut(pointer).unwrap() = value;
    contract
}

/// Returns the contract with a key that nobody knows in the object where a pointer leads.
fn with_more(contract: &Value, pointer: &str) -> Option<Value> {
    let mut contract = contract.clone();
    let object = contract.pointer_mut(pointer)?.as_object_mut()?;
    object.insert("added".to_owned(), json!(true));
    Some(contract)
}

/// Returns the names that a schema asks for, wherever in it.
fn required(schema: &Value) -> BTreeSet<String> {
    let inner: Vec<&Value> = match schema {
        Value::Object(entries) => entries.values().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let here = schema.get("required").and_then(Value::as_array);
    let here = here.into_iter().flatten().filter_map(Value::as_str);
    let mut names: BTreeSet<String> = here.map(str::to_owned).collect();
    names.extend(inner.into_iter().flat_map(required));
    names
}

/// Changes a contract in every place and asserts that schema and reader agree about what comes of it. Returns the keys
/// without which it is refused.
fn agree(kind: &Kind, file: &str) -> BTreeSet<String> {
    let valid = json_in(&repository(file));
    assert_eq!(kind.taken(&valid), (true, true), "{file}");
    let mut refused_without = BTreeSet::new();
    for pointer in pointers(&valid, "") {
        let agreed = |change: &str, contract: &Value| {
            let (by_schema, by_reader) = kind.taken(contract);
            if pointer == BETWEEN_KEYS && by_schema {
                assert!(!by_reader, "{file}: {pointer} {change} is read");
            } else {
                assert_eq!(
                    by_schema, by_reader,
                    "{file}: {pointer} {change}: taken by the schema, by the reader"
                );
            }
            by_schema
        };
        if let Some(contract) = without(&valid, &pointer)
            && !agreed("left out", &contract)
        {
            let (_, key) = pointer.rsplit_once('/').unwrap();
            refused_without.insert(key.to_owned());
        }
        if let Some(contract) = with_more(&valid, &pointer) {
            agreed("with one more key", &contract);
        }
        for value in of_other_types(valid.pointer(&pointer).unwrap()) {
            let change = format!("as {value}");
            agreed(&change, &with(&valid, &pointer, value));
        }
    }
    refused_without
}

#[test]
fn every_committed_contract_is_as_its_schema_says_and_is_read() {
    let of_metrics = ItemMetric::ALL.into_iter().filter_map(ItemMetric::network);
    let of_metrics: Vec<&str> = of_metrics.map(|network| network.contract).collect();
    for (kind, names, more) in [
        (Kind::model(), &[MODEL][..], Vec::new()),
        (Kind::network(), &NETWORKS[..], of_metrics),
    ] {
        let found = committed(&[names, &more[..]].concat());
        for name in names {
            assert!(found.iter().any(|path| path.ends_with(name)), "no {name}");
        }
        for path in found {
            let contract = json_in(&path);
            let errors = kind.validator.iter_errors(&contract);
            let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            assert_eq!(kind.taken(&contract), (true, true), "{}", path.display());
        }
    }
}

#[test]
fn a_model_that_is_changed_anywhere_is_refused_by_schema_and_reader_or_by_neither() {
    let kind = Kind::model();
    let needed = agree(&kind, "tests/fixtures/golden-model/model.json");
    assert_eq!(needed, required(&kind.schema));
}

#[test]
fn a_network_that_is_changed_anywhere_is_refused_by_schema_and_reader_or_by_neither() {
    let kind = Kind::network();
    let mut needed = agree(&kind, "infra/demo/features/features.json");
    needed.extend(agree(&kind, "tests/fixtures/segmenter/segmenter.json"));
    needed.extend(agree(&kind, "tests/fixtures/translator/translator.json"));
    assert_eq!(needed, required(&kind.schema));
    let perceptual = json_in(&repository("tests/fixtures/perceptual/perceptual.json"));
    for pointer in ["/resize", "/published_lpips", "/data"] {
        let contract = without(&perceptual, pointer).unwrap();
        assert_eq!(kind.taken(&contract), (true, true), "without {pointer}");
    }
}

#[test]
fn the_schema_says_of_each_metrics_network_whether_its_figures_are_published_ones() {
    let schema = Kind::network().schema;
    for network in ItemMetric::ALL.into_iter().filter_map(ItemMetric::network) {
        let key = network.published_key;
        assert_eq!(schema["properties"][key]["type"], "boolean", "{key}");
        assert_eq!(schema["properties"][key]["default"], false, "{key}");
    }
}

#[test]
fn a_translator_with_a_range_that_is_none_is_refused_by_schema_and_reader() {
    let translator = json_in(&repository("tests/fixtures/translator/translator.json"));
    let kind = Kind::network();
    for (pointer, value, is_taken) in [
        ("/translation/input_range", json!([0, 1]), true),
        ("/translation/input_range", json!([-65535, 0.001]), true),
        ("/translation/input_range", json!([0, 0]), false),
        ("/translation/input_range", json!([1, 2]), false),
        ("/translation/output_range", json!([-65536, 1]), false),
        ("/translation/output_range", json!([0, 65536]), false),
        ("/translation/output_range", json!([0]), false),
        ("/translation/output_range", json!([0, 1, 2]), false),
        ("/translation/unknown", json!("zeros"), true),
        ("/translation/unknown", json!("ones"), false),
    ] {
        let taken = kind.taken(&with(&translator, pointer, value.clone()));
        assert_eq!(taken, (is_taken, is_taken), "{pointer}: {value}");
    }
}

#[test]
fn a_segmenter_whose_classes_cannot_be_mapped_is_refused_by_schema_and_reader() {
    let segmenter = json_in(&repository("tests/fixtures/segmenter/segmenter.json"));
    let kind = Kind::network();
    for (pointer, value) in [
        ("/classes", json!([])),
        (
            "/classes",
            json!(vec![json!({"name": "road", "train_id": 0}); 1025]),
        ),
        ("/classes/0/train_id", json!(19)),
        ("/classes/0/train_id", json!(-1)),
    ] {
        let taken = kind.taken(&with(&segmenter, pointer, value));
        assert_eq!(taken, (false, false), "{pointer}");
    }
}

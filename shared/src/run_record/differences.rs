//! What another plan of the same name has otherwise than a run's record.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Frozen, FrozenContent, RunRecord};
use crate::json;
use crate::settings::defaults;
use crate::wording::shortened;

/// Bytes of a value that a difference shows.
const MAX_VALUE_BYTES: usize = 200;
/// What a record has of precision, and the setting that it is.
const PRECISION: (&str, &str) = ("precision", "engine.precision");
/// What a record has of `ast` alone: its keys stand among the others of `[method]`.
const AST: &str = "method.ast";

type Table = Map<String, Value>;

impl RunRecord {
    /// Returns what differs between this record and a new plan of the same name: one line for each difference, with the key
    /// as it stands in a settings file; none if both are the same run.
    #[must_use]
    pub fn differences(&self, planned: &Frozen) -> Vec<String> {
        let mut found = Vec::new();
        compare(
            "",
            &json::tree(&self.frozen),
            &json::tree(planned),
            &mut found,
        );
        found
    }

    /// Returns what differs as [`Self::differences`] does, but for the inputs and what is planned with them.
    #[must_use]
    pub fn differences_but_inputs(&self, planned: &Frozen) -> Vec<String> {
        let frozen = self.frozen.clone();
        self.differences(&Frozen {
            content: FrozenContent {
                layout: planned.content.layout,
                labels: planned.content.labels,
                classes: planned.content.classes.clone(),
                ..frozen.content
            },
            styles: frozen.styles,
            // Labels that were put beside all styles leave nothing to be mapped.
            class_maps: planned.class_maps.clone().or(frozen.class_maps),
            num_items: frozen.num_items,
            num_shards: frozen.num_shards,
            plan_sha256: frozen.plan_sha256,
            ..planned.clone()
        })
    }
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => compare_tables(path, old, new, found),
        (Value::Null, Value::Object(new)) if path == AST => {
            compare_tables(path, &Map::new(), new, found);
        }
        (Value::Object(old), Value::Null) if path == AST => {
            compare_tables(path, old, &Map::new(), found);
        }
        _ if old != new => {
            let shown = |value| shown(path, value);
            let (key, old, new) = (key_of(path), shown(old), shown(new));
            found.push(format!("{key} was {old} and is now {new}"));
        }
        _ => {}
    }
}

fn compare_tables(path: &str, old: &Table, new: &Table, found: &mut Vec<String>) {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let inner = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let value = |table: &Table| table.get(key).cloned().unwrap_or_default();
        compare(&inner, &value(old), &value(new), found);
    }
}

/// Returns a value in words.
fn shown(path: &str, value: &Value) -> String {
    match value {
        Value::Null if path == PRECISION.0 => {
            format!("not set ({})", defaults::PRODUCTS)
        }
        Value::Null => "not set".to_owned(),
        // What is new or gone may be a whole table.
        value => shortened(&value.to_string(), MAX_VALUE_BYTES),
    }
}

/// Returns the key of a settings file that decides a value of what is frozen; its name, or its place there, if none does.
fn key_of(path: &str) -> Cow<'_, str> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let below = |table: &str| match rest {
        "" => table.to_owned(),
        key => format!("{table}.{key}"),
    };
    match (first, rest) {
        (first, _) if first == PRECISION.0 => PRECISION.1.into(),
        ("method", rest) if rest.starts_with("ast.") => path.replacen(".ast", "", 1).into(),
        ("style_labels", _) => "style.labels".into(),
        ("style_classes", _) => below("style.classes").into(),
        ("class_maps", "sha256") => "style.prior or style.segmenter (its SHA-256)".into(),
        ("class_maps", _) => "style.prior or style.segmenter".into(),
        ("model", "sha256") => "model.path (its SHA-256)".into(),
        ("model", side @ ("width" | "height")) => format!("the {side} of outputs").into(),
        ("judges", "min_label_agreement") => below("quality").into(),
        ("judges", _) => format!("{} (its SHA-256)", below("quality")).into(),
        _ => path.into(),
    }
}

/// Returns a difference of [`RunRecord::differences`], and says of one of `engine.precision` that it was `auto` which chose
/// the new one.
#[must_use]
pub fn with_chosen_precision(difference: String) -> String {
    let is_of_precision = difference.starts_with(&format!("{} was ", PRECISION.1));
    match is_of_precision {
        true => format!("{difference}: auto chose that for this processor"),
        false => difference,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::run_record::tests::{frozen, of_classes, record};
    use crate::settings::Products;

    #[test]
    fn every_difference_of_a_setting_names_its_key_and_says_what_is_not_set() {
        let mut before = record();
        before.frozen.products = Products::Bf16;
        before.frozen.evaluators.segmenter = Some("e".to_owned());
        before.frozen.evaluators.min_label_agreement = Some(0.5);
        let expected = [
            "quality.min_label_agreement was 0.5 and is now not set",
            "quality.segmenter (its SHA-256) was \"e\" and is now not set",
            "engine.precision was \"bf16\" and is now not set (f32)",
        ];
        let told = before.differences(&frozen(1));
        assert_eq!(told, expected);
        let chosen = told.into_iter().map(with_chosen_precision);
        let chosen: Vec<String> = chosen.collect();
        assert_eq!(chosen[..2], expected[..2]);
        assert_eq!(
            chosen[2],
            "engine.precision was \"bf16\" and is now not set (f32): auto chose that for this processor"
        );
    }

    #[test]
    fn the_size_of_outputs_which_is_no_setting_is_named_as_what_it_is() {
        let mut before = record();
        before.frozen.model.width = 64;
        let told = before.differences(&frozen(1));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("the width of outputs was 64 and is now "));
    }

    #[test]
    fn settings_of_ast_are_named_as_they_stand_in_the_file() {
        let (one, other) = (json!({"ast": {"filtering": true}}), json!({}));
        let mut found = Vec::new();
        compare("method", &one, &other, &mut found);
        compare("method", &other, &one, &mut found);
        let expected = [
            "method.filtering was true and is now not set",
            "method.filtering was not set and is now true",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_changed_setting_is_named_with_both_values() {
        assert_eq!(record().differences(&frozen(1)), Vec::<String>::new());
        assert_eq!(
            record().differences(&frozen(2)),
            ["method.seed was 1 and is now 2"]
        );
    }

    #[test]
    fn changed_classes_are_named_whatever_the_inputs_are() {
        let mut before = record();
        before.frozen = of_classes("road");
        let expected = [
            "content.classes.7 was \"road\" and is now \"sidewalk\"",
            "style.classes.7 was \"road\" and is now \"sidewalk\"",
        ];
        assert_eq!(before.differences(&of_classes("sidewalk")), expected);
        let told = before.differences_but_inputs(&of_classes("sidewalk"));
        assert_eq!(told, expected);
        let told = record().differences(&of_classes("road"));
        let expected = "content.classes was not set and is now {\"7\":\"road\",\"8\":\"car\"}";
        assert_eq!(told[0], expected);
    }
}

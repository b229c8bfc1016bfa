//! What another plan of the same name has otherwise than a run's record.

use std::collections::BTreeSet;

use super::{Frozen, FrozenContent, RunRecord};
use crate::json;
use crate::wording::shortened;

/// Bytes of a value that a difference shows.
const MAX_VALUE_BYTES: usize = 200;

impl RunRecord {
    /// Returns what differs between this record and a new plan of the same name: one line for each difference,
    /// none if both are the same run.
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

fn compare(path: &str, old: &serde_json::Value, new: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value::{Null, Object};
    match (old, new) {
        (Object(old), Object(new)) => {
            let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let inner = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(
                    &inner,
                    old.get(key).unwrap_or(&Null),
                    new.get(key).unwrap_or(&Null),
                    found,
                );
            }
        }
        _ if old != new => {
            // What is new or gone may be a whole table.
            let shown = |value: &serde_json::Value| shortened(&value.to_string(), MAX_VALUE_BYTES);
            found.push(format!(
                "{path} was {} and is now {}",
                shown(old),
                shown(new)
            ));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::run_record::tests::{frozen, of_classes, record};

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
            "style_classes.7 was \"road\" and is now \"sidewalk\"",
        ];
        assert_eq!(before.differences(&of_classes("sidewalk")), expected);
        let told = before.differences_but_inputs(&of_classes("sidewalk"));
        assert_eq!(told, expected);
        let told = record().differences(&of_classes("road"));
        let expected = "content.classes was null and is now {\"7\":\"road\",\"8\":\"car\"}";
        assert_eq!(told[0], expected);
    }
}

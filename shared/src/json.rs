//! Our own types as JSON: what is stored, sent and printed.
//!
//! A value is no JSON if it has a map whose keys are neither texts nor numbers, or a path that is no Unicode. Our own types
//! have no such maps, and no path enters them before it was found to be Unicode. So nothing here gives an error, and none
//! can be taken for an empty document: a value that breaks the rule is a bug, and panics.

use serde::Serialize;
use serde_json::Value;

/// What is said of a value that is none of ours.
const OURS: &str = "our own types are JSON";

/// Returns a value as JSON in one line.
///
/// # Panics
///
/// If the value cannot be JSON, as no value of our own types is.
#[must_use]
pub fn line<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect(OURS)
}

/// Returns a value as JSON with a line for each field.
///
/// # Panics
///
/// If the value cannot be JSON, as no value of our own types is.
#[must_use]
pub fn lines<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string_pretty(value).expect(OURS)
}

/// Returns a value as a tree of JSON.
///
/// # Panics
///
/// If the value cannot be JSON, as no value of our own types is.
#[must_use]
pub fn tree<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).expect(OURS)
}

/// Returns the name of a variant without fields, as settings files and stored documents spell it.
///
/// # Panics
///
/// If the value is anything but a text in JSON.
#[must_use]
pub fn name<T: Serialize + ?Sized>(variant: &T) -> String {
    match tree(variant) {
        Value::String(name) => name,
        other => panic!("{other} is no name"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::failure::FailureClass;
    use crate::ids::ShardId;

    #[test]
    fn a_value_is_written_in_one_line_or_with_a_line_for_each_field() {
        let value = BTreeMap::from([(ShardId(3), [1, 2])]);
        assert_eq!(line(&value), r#"{"3":[1,2]}"#);
        assert_eq!(lines(&value), "{\n  \"3\": [\n    1,\n    2\n  ]\n}");
        assert_eq!(tree(&value), serde_json::json!({ "3": [1, 2] }));
    }

    #[test]
    fn a_variant_is_named_as_it_is_stored() {
        assert_eq!(name(&FailureClass::BadInput), "bad-input");
    }

    #[test]
    #[should_panic(expected = "our own types are JSON")]
    fn what_is_no_json_becomes_no_empty_document() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"\xff"));
        let _ = line(path);
    }

    #[test]
    #[should_panic(expected = "3 is no name")]
    fn what_has_no_name_is_none() {
        let _ = name(&3);
    }
}

//! What a parser says about a mistake in settings, in a person's words.

use super::error::echoed;
use crate::wording::shortened;

/// The tables whose values may be secrets.
const SECRET: &str = "broker";
/// How alike two keys must be for one to be meant by the other.
const LIKENESS: f64 = 0.75;
/// Bytes of a parser's own words that are shown: some of them repeat the value.
const MAX_MESSAGE: usize = 400;

/// A mistake as a parser sees it.
pub(super) struct Mistake<'a> {
    /// The keys that lead to it; none if the text is no TOML.
    pub(super) keys: Option<&'a str>,
    /// The parser's words.
    pub(super) message: &'a str,
    /// What stands where it is.
    pub(super) found: Option<&'a str>,
}

/// Returns what is wrong in one sentence: key, value and what is expected.
pub(super) fn explain(mistake: &Mistake<'_>) -> String {
    let message = mistake.message.trim();
    let Some(keys) = mistake.keys else {
        return match (message, mistake.found) {
            ("duplicate key", Some(key)) => format!("key {} is there twice", echoed(key.trim())),
            _ => shortened(&message.replace('\n', ", "), MAX_MESSAGE),
        };
    };
    // The root of a file is called so.
    let keys = if keys == "." { "" } else { keys };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(keys, rest);
    }
    let whole = keys;
    let keys = &echoed(whole);
    if let Some(field) = message.strip_prefix("missing field ") {
        let dot = if keys.is_empty() { "" } else { "." };
        return format!("key {keys}{dot}{} is missing", field.trim_matches('`'));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_variant(whole, rest);
    }
    let kinds = ["invalid type: ", "invalid value: "];
    let wrong = kinds.iter().find_map(|kind| message.strip_prefix(kind));
    if let Some((found, expected)) = wrong.and_then(|text| text.rsplit_once(", expected ")) {
        let found = match mistake.found.map(str::trim) {
            // What TOML has of its own is a table to the parser.
            Some(date) if found == "map" && date.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{}, a date or time", shown(whole, date))
            }
            Some(_) | None => shown(whole, found),
        };
        return format!("{keys} ({found}) must be {}", in_words(expected));
    }
    if message == "wanted string or table" {
        let found = shown(whole, mistake.found.unwrap_or("what stands there").trim());
        return format!("{keys} ({found}) must be a name in quotes");
    }
    if message.contains("untagged enum RawReference") {
        return format!("{keys} must be a file, or a table of files by globs over style names");
    }
    let message = shortened(&message.replace('\n', ", "), MAX_MESSAGE);
    if keys.is_empty() {
        message
    } else {
        format!("{keys}: {message}")
    }
}

/// `` `stepz`, expected one of `method`, `steps` ``, below a key that ends in it.
fn unknown_key(keys: &str, rest: &str) -> String {
    let mut known = names(rest);
    let wrong = if known.is_empty() {
        ""
    } else {
        known.remove(0)
    };
    known.sort_unstable();
    let table = keys.strip_suffix(wrong).unwrap_or(keys);
    let table = echoed(table.trim_end_matches('.'));
    let place = if table.is_empty() {
        "the file".to_owned()
    } else {
        format!("[{table}]")
    };
    let dot = if table.is_empty() { "" } else { "." };
    let meant =
        nearest(wrong, &known).map_or_else(String::new, |name| format!("did you mean {name}? "));
    format!(
        "unknown key {table}{dot}{}: {meant}{place} has {}",
        echoed(wrong),
        known.join(", ")
    )
}

/// `` `cactiv`, expected one of `adain`, `cacti` ``.
fn unknown_variant(keys: &str, rest: &str) -> String {
    let names = names(rest);
    let (wrong, known) = names.split_first().map_or(("", &[][..]), |(w, k)| (*w, k));
    let meant =
        nearest(wrong, known).map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let wrong = shown(keys, &format!("string {wrong:?}"));
    format!(
        "{} ({wrong}) must be one of {}{meant}",
        echoed(keys),
        known.join(", ")
    )
}

/// Returns what stands between backticks.
fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(wrong, name);
    let nearest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) >= LIKENESS).then_some(nearest)
}

/// Returns a value as it stands in the file, from what serde calls it: ``integer `3` ``, ``integer `3` as i128``,
/// `string "a"`, `map`.
fn shown(keys: &str, found: &str) -> String {
    if keys.split('.').next() == Some(SECRET) {
        return "not shown: it may hold a password".to_owned();
    }
    let value = match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => match (found.strip_prefix("string "), found.split_once('`')) {
            (Some(text), _) => text.to_owned(),
            (None, Some((_, value))) => value.split('`').next().unwrap_or(value).to_owned(),
            (None, None) => found.to_owned(),
        },
    };
    echoed(&value)
}

/// Returns what serde calls a type in a person's words.
fn in_words(expected: &str) -> &str {
    match expected {
        "u64" | "usize" => "a whole number from 0",
        "u32" => "a whole number, 0 to 4294967295",
        "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "text in quotes",
        "a sequence" => "a list",
        "a map" => "a table",
        struct_name if struct_name.starts_with("struct ") => "a table",
        other => other,
    }
}

//! What a parser says about a mistake in settings, in a person's words.

/// The tables whose values may be secrets.
const SECRET: &str = "broker";
/// How alike two keys must be for one to be meant by the other.
const LIKENESS: f64 = 0.75;
/// Values are cut here.
const MAX_VALUE: usize = 60;

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
            ("duplicate key", Some(key)) => format!("key {} is there twice", key.trim()),
            _ => message.replace('\n', ", "),
        };
    };
    // The root of a file is called so.
    let keys = if keys == "." { "" } else { keys };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(keys, rest);
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        let dot = if keys.is_empty() { "" } else { "." };
        return format!("key {keys}{dot}{} is missing", field.trim_matches('`'));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_variant(keys, rest);
    }
    let kinds = ["invalid type: ", "invalid value: "];
    let wrong = kinds.iter().find_map(|kind| message.strip_prefix(kind));
    if let Some((found, expected)) = wrong.and_then(|text| text.rsplit_once(", expected ")) {
        let found = shown(keys, found);
        return format!("{keys} ({found}) must be {}", in_words(expected));
    }
    if message.contains("untagged enum RawReference") {
        return format!("{keys} must be a file, or a table of files by globs over style names");
    }
    let message = message.replace('\n', ", ");
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
    let table = keys
        .strip_suffix(wrong)
        .unwrap_or(keys)
        .trim_end_matches('.');
    let place = if table.is_empty() {
        "the file".to_owned()
    } else {
        format!("[{table}]")
    };
    let dot = if table.is_empty() { "" } else { "." };
    let meant =
        nearest(wrong, &known).map_or_else(String::new, |name| format!("did you mean {name}? "));
    format!(
        "unknown key {table}{dot}{wrong}: {meant}{place} has {}",
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
        "{keys} ({wrong}) must be one of {}{meant}",
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

/// Returns a value as it stands in the file, from what serde calls it: ``integer `3` ``, `string "a"`, `map`.
fn shown(keys: &str, found: &str) -> String {
    if keys.split('.').next() == Some(SECRET) {
        return "not shown: it may hold a password".to_owned();
    }
    let value = match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => match (found.strip_prefix("string "), found.split_once('`')) {
            (Some(text), _) => text.to_owned(),
            (None, Some((_, value))) => value.trim_end_matches('`').to_owned(),
            (None, None) => found.to_owned(),
        },
    };
    if value.chars().count() > MAX_VALUE {
        let cut: String = value.chars().take(MAX_VALUE).collect();
        format!("{cut}...")
    } else {
        value
    }
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

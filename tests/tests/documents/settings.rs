//! Settings as documents show them: whole files, or tables out of one.

use std::path::Path;

use shared::settings::raw::{RawConfig, RawWorkerConfig};
use shared::settings::{Method, MethodKind, RunConfig, WorkerConfig};
use toml::Table;

/// What a run's settings cannot do without; the last of it is for methods with a model.
const OF_A_RUN: [(&str, &str, &str); 6] = [
    ("run", "name", "shown"),
    ("run", "root", "out"),
    ("content", "root", "content"),
    ("content", "layout", "gta5"),
    ("style", "root", "style"),
    ("model", "path", "model"),
];

/// Returns why settings are refused. What a document does not show is made up.
pub(crate) fn refusal(shown: &str) -> Option<String> {
    let settings: Table = match shown.parse() {
        Ok(settings) => settings,
        Err(error) => return Some(format!("is no TOML: {error}")),
    };
    let base = Path::new("/base");
    let is_of_worker = settings.values().any(|value| !value.is_table());
    if is_of_worker || settings.contains_key("watchdog") {
        let settings = completed(settings, &[("broker", "url", "amqp://127.0.0.1")]);
        let raw: Result<RawWorkerConfig, toml::de::Error> = with_root(settings).try_into();
        let checked = match raw {
            Ok(raw) => WorkerConfig::check(raw, base).map(drop),
            Err(error) => return Some(error.to_string()),
        };
        return checked.err().map(|error| error.to_string());
    }
    let needed = if has_model(&settings) {
        &OF_A_RUN[..]
    } else {
        &OF_A_RUN[..OF_A_RUN.len() - 1]
    };
    let raw: Result<RawConfig, toml::de::Error> = completed(settings, needed).try_into();
    let checked = match raw {
        Ok(raw) => RunConfig::check(raw, base).map(drop),
        Err(error) => return Some(error.to_string()),
    };
    checked.err().map(|error| error.to_string())
}

/// Returns whether the method of settings converts with a model.
fn has_model(settings: &Table) -> bool {
    let named = settings.get("method").and_then(|table| table.get("method"));
    let method = named.and_then(|method| method.clone().try_into::<Method>().ok());
    match method.map(Method::kind) {
        Some(MethodKind::Baseline(_)) => false,
        Some(MethodKind::Diffusion(_) | MethodKind::Translator(_)) | None => true,
    }
}

fn with_root(mut settings: Table) -> Table {
    settings.entry("root").or_insert("out".into());
    settings
}

fn completed(mut settings: Table, needed: &[(&str, &str, &str)]) -> Table {
    for &(table, key, value) in needed {
        let table = settings.entry(table).or_insert(Table::new().into());
        let table = table.as_table_mut().expect("a table");
        table.entry(key).or_insert(value.into());
    }
    settings
}

#[test]
fn a_table_is_accepted_alone_and_an_unknown_key_in_it_is_not() {
    assert_eq!(refusal("[method]\nsteps = 20\nskip = 10\n"), None);
    assert_eq!(refusal("threads = 2\n[watchdog]\n"), None);
    assert_eq!(refusal("[method]\nmethod = 'fda'\n"), None);
    for (shown, words) in [
        ("[method]\nstep = 20\n", "step"),
        ("[shards]\ncontents = 0\n", "must be 1 to"),
        ("root = 'r'\nthread = 2\n", "thread"),
        ("[method\n", "is no TOML"),
    ] {
        let refused = refusal(shown).expect(shown);
        assert!(refused.contains(words), "{refused}");
    }
}

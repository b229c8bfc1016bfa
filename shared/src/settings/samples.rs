//! The sample files in `infra/settings` and the reference of settings in `shared/README.md` have every key, each with the
//! default that it has in the code.
//!
//! A line `#key = value` of a sample is a key without a default, and an example of it. Prose has a space after its `#`.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::keys::{Kind, keys_of, numbers_of};
use super::raw::{RawConfig, RawWorkerConfig};
use super::{RunConfig, WorkerConfig};
use crate::dataset::selection::{Selection, SelectionFields};

/// The environment may name the broker, and goes before the file.
const OF_ENVIRONMENT: &str = "broker.url";

/// A sample of one kind of settings file.
struct Sample {
    name: &'static str,
    /// Its lines as they stand there.
    text: String,
    /// Every key of the file's type.
    keys: Vec<String>,
    /// Those that hold numbers.
    numbers: Vec<(String, Kind)>,
    /// Returns settings as they are passed on, or why they are refused.
    told: fn(Table) -> Result<String, String>,
}

impl Sample {
    fn run() -> Self {
        Self {
            name: "run.toml",
            text: repository("infra/settings/run.toml"),
            keys: keys_of::<RawConfig>(),
            numbers: numbers_of::<RawConfig>(),
            told: run_told,
        }
    }

    fn worker() -> Self {
        Self {
            name: "worker.toml",
            text: repository("infra/settings/worker.toml"),
            keys: keys_of::<RawWorkerConfig>(),
            numbers: numbers_of::<RawWorkerConfig>(),
            told: worker_told,
        }
    }

    /// Returns the keys that have a value without an example being taken.
    fn shown(&self) -> Vec<String> {
        let table: Table = self.text.parse().unwrap();
        keys(&table)
    }

    /// Returns the file with every example taken; its layout is the one that has both splits and conditions.
    fn whole(&self) -> Table {
        let lines = self.text.lines().map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|letter: char| letter.is_ascii_lowercase()) => key,
            Some(_) | None => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let text = text.replace("layout = \"gta5\"", "layout = \"acdc\"");
        text.parse().unwrap()
    }

    /// Returns the rows of the reference: the cells of each, without what is between them.
    fn reference(&self) -> Vec<Vec<String>> {
        let readme = repository("shared/README.md");
        let heading = format!("\n### `{}`\n", self.name);
        let (_, section) = readme.split_once(&heading).expect(&heading);
        let section = section.split("\n#").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let cells = |row: &str| -> Vec<String> {
            let row = row.trim_matches('|').replace("\\|", "/");
            row.split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        rows.map(cells).collect()
    }
}

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(relative)
}

fn repository(relative: &str) -> String {
    fs::read_to_string(path(relative)).expect(relative)
}

fn run_told(settings: Table) -> Result<String, String> {
    let raw: Result<RawConfig, _> = settings.try_into();
    let raw = raw.map_err(|error: toml::de::Error| error.to_string())?;
    let checked = RunConfig::check(raw, Path::new("/base"));
    let mut config = checked.map_err(|error| error.to_string())?;
    let selections = [&config.content.selection, &config.style.selection];
    let selections = selections.map(ToString::to_string);
    config.content.selection = Selection::everything(SelectionFields::CONTENT);
    config.style.selection = Selection::everything(SelectionFields::STYLE);
    Ok(format!("{config:?} {selections:?}"))
}

fn worker_told(settings: Table) -> Result<String, String> {
    let raw: Result<RawWorkerConfig, _> = settings.try_into();
    let raw = raw.map_err(|error: toml::de::Error| error.to_string())?;
    let checked = WorkerConfig::check(raw, Path::new("/base"));
    checked
        .map(|config| format!("{config:?}"))
        .map_err(|error| error.to_string())
}

/// Returns the keys of a file that are no tables, as `table.key`.
fn keys(settings: &Table) -> Vec<String> {
    let below = |(key, value): (&String, &Value)| match value.as_table() {
        Some(table) => table.keys().map(|below| format!("{key}.{below}")).collect(),
        None => vec![key.clone()],
    };
    settings.iter().flat_map(below).collect()
}

/// Returns the table that a key stands in, and its name there.
fn place<'a>(settings: &'a mut Table, key: &'a str) -> (&'a mut Table, &'a str) {
    match key.split_once('.') {
        Some((table, key)) => (settings[table].as_table_mut().unwrap(), key),
        None => (settings, key),
    }
}

fn without(settings: &Table, key: &str) -> Table {
    let mut settings = settings.clone();
    let (table, key) = place(&mut settings, key);
    assert!(table.remove(key).is_some(), "{key}");
    settings
}

fn with(settings: &Table, key: &str, value: Value) -> Table {
    let mut settings = settings.clone();
    let (table, key) = place(&mut settings, key);
    table.insert(key.to_owned(), value);
    settings
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

#[test]
fn a_sample_has_every_key_once_and_no_other() {
    for sample in [Sample::run(), Sample::worker()] {
        let there = sorted(keys(&sample.whole()));
        assert_eq!(there, sorted(sample.keys), "{}", sample.name);
    }
}

#[test]
fn a_sample_is_accepted_as_it_stands_and_with_every_example() {
    RunConfig::load(&path("infra/settings/run.toml")).unwrap();
    WorkerConfig::load(&path("infra/settings/worker.toml")).unwrap();
    for sample in [Sample::run(), Sample::worker()] {
        let told = (sample.told)(sample.whole());
        assert!(told.is_ok(), "{}: {told:?}", sample.name);
    }
}

#[test]
fn the_value_of_a_key_in_a_sample_is_its_default() {
    for sample in [Sample::run(), Sample::worker()] {
        let (whole, shown) = (sample.whole(), sample.shown());
        let told = (sample.told)(whole.clone()).unwrap();
        for key in &sample.keys {
            let left_out = (sample.told)(without(&whole, key));
            let at = format!("{key} in {}", sample.name);
            match left_out {
                Ok(left_out) if shown.contains(key) => {
                    assert_eq!(left_out, told, "{at} has not its default");
                }
                Ok(left_out) if key != OF_ENVIRONMENT => {
                    assert_ne!(
                        left_out, told,
                        "{at} has a default and is not shown with it"
                    );
                }
                Ok(_) => {}
                // A key that must be there, or an example that another example needs.
                Err(refused) => {
                    let is_missing = ["missing field", "(absent)"];
                    let is_missing = is_missing.iter().any(|words| refused.contains(words));
                    assert!(is_missing, "{at}: {refused}");
                }
            }
        }
    }
}

#[test]
fn the_reference_has_every_key_once_with_the_default_of_the_sample() {
    for sample in [Sample::run(), Sample::worker()] {
        let (mut whole, shown) = (sample.whole(), sample.shown());
        let rows = sample.reference();
        let named = rows.iter().map(|row| row[0].trim_matches('`').to_owned());
        let named: Vec<String> = named.collect();
        assert_eq!(
            sorted(named.clone()),
            sorted(sample.keys.clone()),
            "{}",
            sample.name
        );
        for (key, row) in named.iter().zip(&rows) {
            let said = row[2].as_str();
            if !shown.contains(key) {
                assert!(!said.starts_with('`'), "{key} has no default: {row:?}");
                continue;
            }
            let is_needed = (sample.told)(without(&whole, key)).is_err();
            let (table, name) = place(&mut whole, key);
            let default = format!("`{}`", table[name]);
            // The environment may name what else must be there.
            let is_as_needed = said == "required" && (is_needed || key == OF_ENVIRONMENT);
            assert!(
                is_as_needed || (!is_needed && said == default),
                "{key} has the default {default}: {row:?}"
            );
        }
    }
}

#[test]
fn the_reference_has_the_bounds_of_every_number() {
    for sample in [Sample::run(), Sample::worker()] {
        let (whole, rows) = (sample.whole(), sample.reference());
        let mut seen = 0;
        for (key, kind) in &sample.numbers {
            let beyond = match kind {
                // What is too great for the key's type is refused without bounds.
                Kind::Whole => vec![Value::Integer(i64::MAX), i64::from(u32::MAX).into()],
                Kind::Number => vec![Value::Float(1e300)],
            };
            let mut refusals = beyond
                .into_iter()
                .filter_map(|value| (sample.told)(with(&whole, key, value)).err());
            let bounds = refusals.find_map(|refused| {
                let (field, bounds) = refused.split_once(") must be ")?;
                let bounds = bounds.split(": ").next()?;
                field.starts_with(key.as_str()).then(|| bounds.to_owned())
            });
            let Some(bounds) = bounds else { continue };
            seen += 1;
            let quoted = format!("`{key}`");
            let row = rows.iter().find(|row| row[0] == quoted).expect(key);
            assert!(row[3].contains(&bounds), "{key} must be {bounds}: {row:?}");
        }
        assert!(seen > 6, "only {seen} bounds of {} were found", sample.name);
    }
}

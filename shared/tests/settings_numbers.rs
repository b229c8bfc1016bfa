//! No number of the settings may be NaN or infinite, and each is refused by its name.

use std::path::Path;

use shared::settings::raw::{RawConfig, RawMethod, RawWorkerConfig};
use shared::settings::{MethodConfig, RunConfig, WorkerConfig};

const RUN: &str = r#"
    [run]
    name = "demo"
    root = "out"
    [content]
    root = "data/gta5"
    layout = "gta5"
    [style]
    root = "data/style"
    [model]
    path = "model"
"#;

/// What TOML takes for a number and no setting may be.
const NO_NUMBERS: [&str; 4] = ["nan", "-nan", "inf", "-inf"];

fn run(extra: &str) -> Result<(), String> {
    let raw: RawConfig = toml::from_str(&format!("{RUN}\n{extra}")).map_err(|e| e.to_string())?;
    let checked = RunConfig::check(raw, Path::new("/base"));
    checked.map(drop).map_err(|e| e.to_string())
}

fn worker(extra: &str) -> Result<(), String> {
    let text = format!("root = 'r'\n[broker]\nurl = 'amqp://h'\n{extra}");
    let raw: RawWorkerConfig = toml::from_str(&text).map_err(|e| e.to_string())?;
    let checked = WorkerConfig::check(raw, Path::new("/base"));
    checked.map(drop).map_err(|e| e.to_string())
}

fn set(argument: String) -> Result<(), String> {
    let raw = RawMethod::default().with_overrides(&[argument]);
    let checked = raw.and_then(MethodConfig::try_from);
    checked.map(drop).map_err(|e| e.to_string())
}

#[test]
fn a_setting_that_is_no_number_is_refused_by_its_name() {
    for (table, key) in [
        ("method", "contrast_strength"),
        ("method", "filter_fraction"),
        ("limits", "max_failed"),
    ] {
        for value in NO_NUMBERS {
            let refused = run(&format!("[{table}]\n{key} = {value}")).unwrap_err();
            assert!(
                refused.contains(&format!("{table}.{key} (")),
                "{value}: {refused}"
            );
        }
    }
    for key in ["times_usual", "min_seconds", "first_seconds"] {
        for value in NO_NUMBERS {
            let refused = worker(&format!("[watchdog]\n{key} = {value}")).unwrap_err();
            assert!(
                refused.contains(&format!("watchdog.{key} (")),
                "{value}: {refused}"
            );
        }
    }
    for key in ["contrast_strength", "filter_fraction"] {
        for value in NO_NUMBERS {
            let refused = set(format!("{key}={value}")).unwrap_err();
            assert!(refused.contains(key), "{value}: {refused}");
        }
    }
}

#[test]
fn a_whole_number_that_is_no_number_is_refused_too() {
    for key in ["steps", "skip", "seed"] {
        for value in NO_NUMBERS {
            let refused = run(&format!("[method]\n{key} = {value}")).unwrap_err();
            assert!(refused.contains(key), "{value}: {refused}");
        }
    }
}

#[test]
fn a_contrast_beyond_single_precision_is_refused() {
    for value in ["1e39", "1e300", "1e-50", "0.0", "-0.0"] {
        let refused = run(&format!("[method]\ncontrast_strength = {value}")).unwrap_err();
        assert!(
            refused.contains("method.contrast_strength"),
            "{value}: {refused}"
        );
    }
}

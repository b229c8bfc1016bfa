//! Keys and values of `--vary`, and their combinations.

use shared::settings::{Setting, SettingsText, VariedKey};
use shared::wording::{one_line, shortened};

use crate::output::comparison::MAX_COMBINATIONS;
use crate::ui::cli::CliError;

/// Bytes of an argument that a message shows.
const MAX_ECHO: usize = 80;

/// A key with the values that are compared.
#[derive(Debug, PartialEq)]
struct Axis {
    key: VariedKey,
    values: Vec<Setting>,
}

/// Returns every combination of the values that arguments of `--vary` name, those of the first argument together.
///
/// # Errors
///
/// What of them cannot be, or that they make too many combinations.
pub(super) fn combinations(
    settings: &SettingsText,
    arguments: &[String],
) -> Result<Vec<Vec<Setting>>, CliError> {
    // Counted before anything is read of them.
    let sizes = arguments.iter().map(|argument| {
        let values = argument.split_once('=').map_or("", |(_, values)| values);
        values_of(values).len()
    });
    let count = sizes.fold(1_usize, usize::saturating_mul);
    if count > MAX_COMBINATIONS {
        return Err(CliError::Usage(format!(
            "--vary asks for {count} combinations, and at most {MAX_COMBINATIONS} are compared: name fewer values"
        )));
    }
    let mut axes: Vec<Axis> = Vec::new();
    for argument in arguments {
        let axis = axis(settings, argument, &axes);
        axes.push(axis.map_err(|reason| {
            let argument = shortened(&one_line(argument), MAX_ECHO);
            CliError::Usage(format!("--vary {argument}: {reason}"))
        })?);
    }
    let mut combinations = vec![Vec::new()];
    for axis in &axes {
        let with = |combination: Vec<Setting>| {
            axis.values.iter().map(move |value| {
                let mut combination = combination.clone();
                combination.push(value.clone());
                combination
            })
        };
        combinations = combinations.into_iter().flat_map(with).collect();
    }
    Ok(combinations)
}

/// Returns what an argument says, or what is wrong with it.
fn axis(settings: &SettingsText, argument: &str, before: &[Axis]) -> Result<Axis, String> {
    let (name, values) = argument
        .split_once('=')
        .ok_or("it must be KEY=V1,V2, such as method=cactif,fda")?;
    let key = VariedKey::find(name.trim())?;
    if before.iter().any(|axis| axis.key == key) {
        return Err(format!(
            "{} is varied twice: name all of its values behind one --vary",
            key.as_str()
        ));
    }
    let mut axis = Axis {
        key,
        values: Vec::new(),
    };
    for text in values_of(values) {
        if text.is_empty() {
            return Err("a value is missing".to_owned());
        }
        let value = settings.setting(key, text)?;
        if axis.values.contains(&value) {
            return Err(format!("{} is there twice", value.shown()));
        }
        axis.values.push(value);
    }
    Ok(axis)
}

/// Returns what stands between commas, but for those in quotes.
fn values_of(text: &str) -> Vec<&str> {
    let mut quote = None;
    let parts = text.split(|letter: char| {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            _ => {}
        }
        letter == ',' && quote.is_none()
    });
    parts.map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "run = { name = 'r', root = 'o' }\ncontent = { root = 'c', layout = 'gta5' }\n\
                            style = { root = 's' }\nmodel = { path = 'm' }\n";

    fn told(arguments: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, SETTINGS).unwrap();
        let settings = SettingsText::load(&path).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let made = combinations(&settings, &arguments).map_err(|error| error.to_string())?;
        let words = |combination: &Vec<Setting>| {
            let settings: Vec<String> = combination.iter().map(Setting::to_string).collect();
            settings.join(" ")
        };
        Ok(made.iter().map(words).collect())
    }

    #[test]
    fn every_combination_is_made_in_the_order_of_the_arguments() {
        let made = told(&["method=cactif, fda", "method.filter_fraction=0,0.5"]).unwrap();
        let expected = [
            "method=cactif filter_fraction=0",
            "method=cactif filter_fraction=0.5",
            "method=fda filter_fraction=0",
            "method=fda filter_fraction=0.5",
        ];
        assert_eq!(made, expected);
        let steps = told(&["injected_steps='0,2..',5.."]).unwrap();
        assert_eq!(steps, ["injected_steps=0,2..", "injected_steps=5.."]);
        assert_eq!(told(&["seed=1"]).unwrap(), ["seed=1"]);
    }

    #[test]
    fn what_cannot_be_varied_is_told_in_one_line_with_the_argument() {
        for (arguments, words) in [
            (&["method"][..], "--vary method: it must be KEY=V1,V2"),
            (&["fraction=1"], "fraction is no key that outputs depend on"),
            (
                &["quality.lpips=a,b"],
                "quality.lpips is no key that outputs depend on",
            ),
            (
                &["precision=f32,bf16"],
                "--vary precision=f32,bf16: engine.precision is the engine's, and all combinations are computed by one",
            ),
            (&["engine.precision=bf16"], "with precision in [engine]"),
            (&["method=cactif,,fda"], "a value is missing"),
            (&["method="], "--vary method=: a value is missing"),
            (&["seed=1,2,1"], "--vary seed=1,2,1: 1 is there twice"),
            (
                &["filter_fraction=0.5,much"],
                "method.filter_fraction (\"much\") must be a number",
            ),
            (
                &["seed=1", "method.seed=2"],
                "--vary method.seed=2: method.seed is varied twice",
            ),
        ] {
            let told = told(arguments).unwrap_err();
            assert!(told.contains(words), "{arguments:?}: {told}");
            assert!(
                told.starts_with("--vary ") && !told.contains('\n'),
                "{told}"
            );
        }
    }

    #[test]
    fn sixty_four_combinations_are_made_and_one_more_is_refused() {
        let eight = "seed=1,2,3,4,5,6,7,8";
        let steps = "steps=31,32,33,34,35,36,37,38";
        assert_eq!(told(&[eight, steps]).unwrap().len(), 64);
        let refused = told(&[eight, steps, "skip=1,2"]).unwrap_err();
        let words = "--vary asks for 128 combinations, and at most 64 are compared";
        assert!(refused.starts_with(words), "{refused}");
        let long = format!("seed={}", "9,".repeat(100_000));
        assert!(told(&[&long]).unwrap_err().len() < 300);
    }
}

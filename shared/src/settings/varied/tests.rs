use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use super::*;
use crate::failure::chain;
use crate::settings::Method;
use crate::settings::keys::keys_of;

const WHOLE: &str = "\
# A run of ours.
[run]
name = 'r'
root = 'o'
[content]
root = 'c'
layout = 'gta5'
[style]
root = 's'
# What it is made by.
[method]
method = \"cactif\" # the default
filter_fraction = 0.25
# Where the model is.
[model]
path = 'm'
";

fn text(toml: &str) -> (TempDir, SettingsText) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    fs::write(&path, toml).unwrap();
    let text = SettingsText::load(&path).unwrap();
    (folder, text)
}

fn variation(text: &SettingsText, settings: &[(VariedKey, &str)]) -> Variation {
    let settings = settings
        .iter()
        .map(|&(key, value)| text.setting(key, value));
    Variation {
        settings: settings.collect::<Result<_, _>>().unwrap(),
        without_model: false,
    }
}

#[test]
fn every_key_that_can_be_varied_is_one_of_a_run_and_every_key_of_its_method_can_be() {
    let all: BTreeSet<String> = keys_of::<RawConfig>().into_iter().collect();
    let varied = VariedKey::ALL.map(VariedKey::as_str);
    for key in varied {
        assert!(all.contains(key), "{key}");
    }
    for key in all.iter().filter(|key| key.starts_with("method.")) {
        assert!(varied.contains(&key.as_str()), "{key}");
    }
}

#[test]
fn a_short_name_is_that_of_one_key_among_all() {
    let all = keys_of::<RawConfig>();
    for key in VariedKey::ALL {
        assert_eq!(VariedKey::find(key.as_str()), Ok(key));
        assert_eq!(VariedKey::find(key.short()), Ok(key));
        let ends = |other: &&String| other.rsplit('.').next() == Some(key.place().1);
        let is_alone = all.iter().filter(ends).count() == 1;
        assert_eq!(key.short() == key.place().1, is_alone, "{key:?}");
    }
}

#[test]
fn a_name_that_is_no_key_is_told_with_what_may_be_meant() {
    for (name, words) in [
        ("filter_fractoin", "did you mean filter_fraction?"),
        ("method.metod", "did you mean method?"),
        ("segmenter", "did you mean style.segmenter?"),
        ("run.name", "run.name is no key that outputs depend on: "),
        (
            "pairing.mode",
            "pairing.mode is no key that outputs depend on: ",
        ),
        ("", "these can be varied: method, preset, "),
    ] {
        let told = VariedKey::find(name).unwrap_err();
        assert!(told.contains(words), "{name}: {told}");
        assert!(!told.contains('\n'), "{told}");
    }
    let long = VariedKey::find(&"k".repeat(10_000)).unwrap_err();
    assert!(long.len() < 600, "{} bytes", long.len());
}

#[test]
fn a_value_is_what_its_key_takes_or_is_refused_with_what_that_must_be() {
    let (_folder, text) = text(WHOLE);
    for (key, value, shown) in [
        (VariedKey::FilterFraction, "0", "filter_fraction=0"),
        (VariedKey::FilterFraction, "0.5", "filter_fraction=0.5"),
        (VariedKey::Method, "fda", "method=fda"),
        (VariedKey::Method, "\"fda\"", "method=fda"),
        (VariedKey::InjectedSteps, "3", "injected_steps=3"),
        (VariedKey::InjectedSteps, "'0,2..'", "injected_steps=0,2.."),
        (VariedKey::Filtering, "false", "filtering=false"),
        (VariedKey::ModelPath, "models/2024", "path=models/2024"),
        (VariedKey::ModelPath, "2024", "path=2024"),
    ] {
        assert_eq!(text.setting(key, value).unwrap().to_string(), shown);
    }
    for (key, value, words) in [
        (
            VariedKey::FilterFraction,
            "much",
            "method.filter_fraction (\"much\") must be a number",
        ),
        (
            VariedKey::Method,
            "cactiv",
            "method.method (\"cactiv\") must be one of adain,",
        ),
        (
            VariedKey::Filtering,
            "1",
            "method.filtering (1) must be true or false",
        ),
        (
            VariedKey::Steps,
            "-3",
            "method.steps (-3) must be a whole number from 0",
        ),
        (
            VariedKey::InjectedSteps,
            "5..3",
            "method.injected_steps: step set \"5..3\" must be",
        ),
    ] {
        let told = text.setting(key, value).unwrap_err();
        assert!(told.starts_with(words), "{told}");
    }
}

#[test]
fn a_variation_is_checked_as_a_settings_file_is() {
    let (_folder, text) = text(WHOLE);
    let config = |settings: &[(VariedKey, &str)]| text.config(&variation(&text, settings));
    let half = config(&[(VariedKey::FilterFraction, "0.5")]).unwrap();
    assert_eq!(half.method.diffusion().unwrap().filter_fraction, 0.5);
    let told = config(&[(VariedKey::FilterFraction, "2")]).unwrap_err();
    let expected = "method.filter_fraction (2) must be 0 to 1";
    assert!(told.to_string().starts_with(expected), "{told}");
    let ast = [(VariedKey::Method, "ast"), (VariedKey::Preset, "paper")];
    let told = config(&ast).unwrap_err();
    assert!(
        told.to_string()
            .starts_with("method.preset (paper) must be")
    );
    let fda = [(VariedKey::Method, "fda")];
    let told = config(&fda).unwrap_err();
    assert!(
        told.to_string()
            .contains("must be absent: method fda has no model")
    );
    let without = Variation {
        without_model: true,
        ..variation(&text, &fda)
    };
    let fda = text.config(&without).unwrap();
    assert_eq!(fda.method.method(), Method::Fda);
    assert_eq!(fda.model, None);
}

#[test]
fn a_written_variation_keeps_comments_and_says_what_was_checked() {
    let (_folder, settings) = text(WHOLE);
    let changes = [
        (VariedKey::Method, "cacti"),
        (VariedKey::Steps, "20"),
        (VariedKey::Prior, "models/prior"),
    ];
    let varied = variation(&settings, &changes);
    let written = settings.written(&varied).unwrap();
    for line in [
        "# A run of ours.",
        "# What it is made by.",
        "method = \"cacti\" # the default",
        "filter_fraction = 0.25",
        "steps = 20",
        "prior = \"models/prior\"",
        "# Where the model is.",
    ] {
        assert!(written.lines().any(|it| it == line), "no {line}: {written}");
    }
    let (_other, read) = text(&written);
    assert_eq!(read.table, settings.table_of(&varied));

    let without = Variation {
        without_model: true,
        ..variation(&settings, &[(VariedKey::Method, "identity")])
    };
    let written = settings.written(&without).unwrap();
    assert!(!written.contains("[model]"), "{written}");
    let (_other, read) = text(&written);
    assert_eq!(read.table, settings.table_of(&without));
    assert_eq!(settings.written(&Variation::default()).unwrap(), WHOLE);
}

#[test]
fn tables_in_one_line_and_keys_with_dots_are_varied_as_well() {
    let inline = "run = { name = 'r', root = 'o' }\ncontent = { root = 'c', layout = 'gta5' }\n\
                  style.root = 's'\nmethod = { seed = 7 }\nmodel.path = 'm'\n";
    let (_folder, settings) = text(inline);
    let changes = [
        (VariedKey::Seed, "8"),
        (VariedKey::Method, "cacti"),
        (VariedKey::Segmenter, "networks/segmenter"),
        (VariedKey::ModelPath, "other"),
    ];
    let varied = variation(&settings, &changes);
    let (_other, read) = text(&settings.written(&varied).unwrap());
    assert_eq!(read.table, settings.table_of(&varied));
}

#[test]
fn a_setting_survives_its_json_and_one_that_is_none_is_refused() {
    let (_folder, text) = text(WHOLE);
    for (key, value) in [
        (VariedKey::FilterFraction, "0.25"),
        (VariedKey::Method, "fda"),
        (VariedKey::InjectedSteps, "'0,2..'"),
        (VariedKey::ModelPath, "a \"model\""),
    ] {
        let setting = text.setting(key, value).unwrap();
        let json = serde_json::to_string(&setting).unwrap();
        assert_eq!(serde_json::from_str::<Setting>(&json).unwrap(), setting);
    }
    for wrong in [
        r#"{"key":"run.name","value":"\"r\""}"#,
        r#"{"key":"method.seed","value":"1\nsteps = 3"}"#,
        r#"{"key":"method.seed","value":""}"#,
        r#"{"key":"method.seed"}"#,
    ] {
        assert!(serde_json::from_str::<Setting>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn each_method_reads_the_keys_that_it_works_with() {
    let read = |method: Method| {
        let keys = VariedKey::ALL.into_iter();
        let keys = keys.filter(|key| key.is_read_by(method));
        keys.map(VariedKey::short).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(Method::Identity), "method width height");
    assert_eq!(read(Method::Fda), "method width height beta");
    assert_eq!(read(Method::Adain), "method steps skip seed path");
    assert!(read(Method::Cactif).contains("filter_fraction"));
    assert!(!read(Method::Cacti).contains("filter_fraction"));
    assert!(read(Method::Ast).contains("adain_scale"));
    assert!(!read(Method::Ast).contains("preset"));
}

#[test]
fn a_file_that_is_none_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    fs::write(&path, format!("{WHOLE}[limits]\nmax = 3\n")).unwrap();
    let told = chain(&SettingsText::load(&path).unwrap_err());
    assert!(told.contains("line 18: unknown key limits.max"), "{told}");
}

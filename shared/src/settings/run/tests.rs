//! A settings file becomes what is checked, or is refused with the key that is wrong.

use super::*;

const SMALLEST: &str = r#"
    [run]
    name = "demo"
    root = "../../out"
    [content]
    root = "data/gta5"
    layout = "gta5"
    [style]
    root = "data/style"
    [model]
    path = "model"
"#;

fn check(extra: &str) -> Result<RunConfig, String> {
    check_settings(&format!("{SMALLEST}\n{extra}"))
}

fn check_settings(settings: &str) -> Result<RunConfig, String> {
    let raw: RawConfig = toml::from_str(settings).map_err(|e| e.to_string())?;
    RunConfig::check(raw, Path::new("/base")).map_err(|e| e.to_string())
}

#[test]
fn paths_are_relative_to_the_settings_file() {
    let config = check("").expect("the smallest file is valid");
    assert_eq!(config.content.root.to_string(), "/base/data/gta5");
    assert_eq!(
        config.shards,
        ShardSize {
            contents: 4,
            styles: 3
        }
    );
}

#[test]
fn a_value_out_of_range_is_refused_with_its_field() {
    for (extra, message) in [
        (
            "[shards]\ncontents = 0",
            "shards.contents (0) must be 1 to 10000: a shard is stored, and made again, as a whole",
        ),
        (
            "[limits]\nmax_failed = 1.5",
            "limits.max_failed (1.5) must be 0 to 1",
        ),
        (
            "[pairing]\ncontents_per_style = 0",
            "pairing.contents_per_style (0) must be 1 to 10000000: no dataset is larger",
        ),
        (
            "[method]\nskip = 50",
            "method.skip (50) must be below method.steps (50)",
        ),
    ] {
        assert_eq!(check(extra).expect_err("out of range"), message);
    }
}

#[test]
fn home_and_variables_in_paths_are_expanded_or_refused_with_the_key() {
    let at = |root: &str| check_settings(&SMALLEST.replace("../../out", root));
    let home = std::env::home_dir().unwrap();
    let root = at("~/not/yet").unwrap().root.to_string();
    assert_eq!(
        root,
        paths::real(&home.join("not/yet")).display().to_string()
    );
    assert_eq!(
        at("$HOME/out").unwrap_err(),
        "run.root (\"$HOME/out\") must have ${HOME} for the variable HOME, or $$ for a dollar sign"
    );
    let refused = |from: &str, to: &str| check_settings(&SMALLEST.replace(from, to)).unwrap_err();
    for (from, to, key) in [
        ("data/gta5", "~else/gta5", "content.root"),
        ("data/style", "${SYNTH2REAL_NOWHERE}/style", "style.root"),
        ("\"model\"", "\"model \"", "model.path"),
        ("../../out", "s3://${SYNTH2REAL_NOWHERE}/out", "run.root"),
        ("../../out", "s3:/bucket/out", "run.root"),
        ("../../out", "C:/out", "run.root"),
    ] {
        let told = refused(from, to);
        assert!(told.starts_with(&format!("{key} (")), "{told}");
    }
    for (extra, key) in [
        ("[engine]\ncache_dir = '$TMPDIR'", "engine.cache_dir"),
        ("[quality]\nfeatures = '~x'", "quality.features"),
        ("[quality]\nlpips = '${}'", "quality.lpips"),
        ("[quality]\nsegmenter = '~x'", "quality.segmenter"),
        (
            "[quality]\nfeatures = 'f'\nreference = '$A/{style}.npz'",
            "quality.reference",
        ),
    ] {
        let told = check(extra).unwrap_err();
        assert!(told.starts_with(&format!("{key} (")), "{told}");
    }
}

#[test]
fn an_unknown_key_is_refused() {
    let message = check("[method]\nstepz = 3").expect_err("no such key");
    assert!(message.contains("stepz"), "{message}");
}

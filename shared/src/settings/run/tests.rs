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
fn classes_of_labels_stand_in_the_settings_or_in_a_file_beside_them() {
    let written = "[content.classes]\n7 = \"road\"\n\"8\" = 1\n0 = \"ignore\"\n\
                   [style.classes]\n\"#804080\" = \"road\"";
    let config = check(written).unwrap();
    let contents = config.content.classes.unwrap();
    assert_eq!(contents.train_id_of_id(8), Some(1));
    assert_eq!(contents.train_id_of_id(9), None);
    let styles = config.style.classes.unwrap();
    assert_eq!(styles.train_id_of_colour([128, 64, 128]), Some(0));
    assert!(check("").unwrap().content.classes.is_none());

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("classes.csv"),
        "7,road\n8,sidewalk\n0,ignore\n",
    )
    .unwrap();
    let settings = format!("{SMALLEST}\n[content.classes]\nfile = \"classes.csv\"");
    let raw: RawConfig = toml::from_str(&settings).unwrap();
    let config = RunConfig::check(raw, folder.path()).unwrap();
    assert_eq!(config.content.classes, Some(contents));
}

#[test]
fn classes_that_are_none_are_refused_with_their_key_and_the_way_out() {
    for (extra, expected) in [
        (
            "[content.classes]\n7 = \"raod\"",
            "content.classes (\"7\" = \"raod\") must be one of the classes road, ",
        ),
        (
            "[style.classes]\n7 = 19",
            "style.classes (\"7\" = \"19\") must be one of the classes road, ",
        ),
        (
            "[content.classes]\n\"128,64\" = \"road\"",
            "content.classes (\"128,64\" = \"road\") must be a label by its id, 0 to 255, or by its colour",
        ),
        (
            "[content.classes]\n\"#804080\" = \"road\"\n\"128,64,128\" = \"car\"",
            "content.classes (\"128,64,128\" = \"car\") is there twice, first as \"#804080\": leave one out",
        ),
        (
            "[content.classes]\nfile = \"classes.csv\"\n7 = \"road\"",
            "content.classes (\"file\" and 1 more) must name a file or the labels themselves",
        ),
        (
            "[content.classes]\nfile = \"no.csv\"",
            "content.classes.file (\"no.csv\") cannot be read: ",
        ),
        (
            "[content.classes]",
            "content.classes (0 labels) must name a class",
        ),
    ] {
        let told = check(extra).unwrap_err();
        assert!(told.starts_with(expected), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }
    let contradicting = SMALLEST.replace(
        "layout = \"gta5\"",
        "layout = \"gta5\"\nlabels = \"colour\"\nclasses = { 7 = \"road\" }",
    );
    assert_eq!(
        check_settings(&contradicting).unwrap_err(),
        "content.labels (\"colour\") cannot be used with content.classes, a table of ids: leave one of them out"
    );
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

#[test]
fn a_model_is_named_where_the_method_has_one_and_only_then() {
    let without = SMALLEST.replace("[model]\n    path = \"model\"", "");
    let told = check_settings(&without).unwrap_err();
    assert_eq!(
        told,
        "model.path (absent) must be there: method cactif converts with a model; reinhard, histogram, fda and identity \
         do without"
    );
    let fda = "[method]\nmethod = \"fda\"\nwidth = 64\nheight = 32";
    let config = check_settings(&format!("{without}\n{fda}")).unwrap();
    assert!(config.model.is_none());
    assert_eq!(
        check(fda).unwrap_err(),
        "model.path (\"model\") must be absent: method fda has no model; leave [model] out"
    );
    let translator = "[method]\nmethod = \"translator\"";
    let config = check(translator).unwrap();
    assert_eq!(config.model.unwrap().to_string(), "/base/model");
    let told = check_settings(&format!("{without}\n{translator}")).unwrap_err();
    let expected = "model.path (absent) must be there: method translator converts with a model";
    assert!(told.starts_with(expected), "{told}");
}

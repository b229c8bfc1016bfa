//! Settings of the method are checked, and what is wrong is said of the file or of the argument.

mod without_model;

use super::*;

fn any(overrides: &[&str]) -> Result<MethodConfig, SettingsError> {
    let arguments: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    RawMethod::default().with_overrides(&arguments)?.try_into()
}

/// Returns settings of a method with a model.
fn config(overrides: &[&str]) -> Result<DiffusionConfig, SettingsError> {
    let config = any(overrides)?;
    Ok(config.diffusion().unwrap().clone())
}

#[test]
fn the_defaults_are_those_of_the_released_code() {
    let config = config(&[]).expect("defaults are valid");
    assert_eq!(
        (config.steps, config.skip, config.num_executed()),
        (50, 30, 20)
    );
    assert_eq!(config.class_adain_steps.to_string(), "5..15");
    assert_eq!(config.injected_steps.to_string(), "1..");
}

#[test]
fn the_paper_preset_injects_and_normalises_at_every_step() {
    let config = config(&["preset=paper", "class_adain_steps=2..4"]).expect("valid settings");
    assert_eq!(config.injected_steps.to_string(), "0..");
    assert_eq!(config.class_adain_steps.to_string(), "2..4");
}

#[test]
fn labels_are_used_where_a_step_that_is_executed_is_class_wise() {
    for (overrides, uses) in [
        (&["method=cactif"][..], true),
        (&["method=cacti"], true),
        (&["method=adain"], false),
        (&["method=cross-image", "preset=paper"], false),
        (&["method=cacti", "class_adain_steps=20.."], false),
        (&["method=cactif", "class_adain_steps=19"], true),
        (&["method=ast"], true),
        (&["method=ast", "class_adain_steps=20.."], true),
        (
            &["method=ast", "class_adain_steps=20..", "filtering=false"],
            false,
        ),
    ] {
        assert_eq!(
            config(overrides).unwrap().uses_labels(),
            uses,
            "{overrides:?}"
        );
    }
}

#[test]
fn a_branch_is_not_evaluated_where_it_is_the_contents_or_nothing_reads_it() {
    for (overrides, style, output) in [
        (&[][..], 19, 19),
        (&["injected_steps=0.."], 20, 20),
        (&["injected_steps=5..10"], 6, 19),
        (&["injected_steps=0,5..10"], 7, 20),
        (&["preset=paper"], 20, 20),
        (&["method=adain"], 1, 19),
        (&["steps=1", "skip=0"], 1, 0),
        (&["method=ast"], 15, 19),
        (&["method=ast", "injected_steps=10.."], 15, 19),
        (
            &["method=ast", "injected_steps=10..", "use_voting=false"],
            10,
            19,
        ),
        (&["method=ast", "class_adain_steps=2..4"], 17, 19),
    ] {
        let expected = Evaluations {
            style,
            content: config(overrides).unwrap().num_executed(),
            output,
        };
        let found = config(overrides).unwrap().evaluations();
        assert_eq!(found, expected, "{overrides:?}");
    }
}

#[test]
fn a_method_that_does_at_no_step_what_it_is_named_for_is_told_with_both_numbers() {
    for (overrides, words) in [
        (
            &["injected_steps=700..900"][..],
            &[
                "20 steps",
                "injects the style at 0",
                "700..900",
                "by class at 10",
            ][..],
        ),
        (
            &["steps=4", "skip=2"],
            &[
                "2 steps",
                "injects the style at 1",
                "by class at 0",
                "5..15",
            ],
        ),
        (
            &["method=cross-image", "injected_steps=20.."],
            &["injects the style at 0"],
        ),
        (
            &["method=cacti", "class_adain_steps=20.."],
            &["method cacti", "by class at 0"],
        ),
    ] {
        let told = config(overrides).unwrap().idle().unwrap();
        for word in words {
            assert!(told.contains(word), "no {word:?} in: {told}");
        }
    }
    for overrides in [
        &[][..],
        &["preset=paper"],
        &[
            "method=adain",
            "injected_steps=700..900",
            "class_adain_steps=30..",
        ],
        &["method=cross-image", "class_adain_steps=30.."],
        &["steps=4", "skip=2", "class_adain_steps=1.."],
    ] {
        assert_eq!(config(overrides).unwrap().idle(), None, "{overrides:?}");
    }
}

#[test]
fn ast_has_settings_of_its_own_that_no_record_of_another_method_has() {
    let ast = config(&["method=ast", "use_voting=false", "adain_scale=3"]).unwrap();
    assert_eq!(ast.class_adain_steps.to_string(), "5..20");
    assert_eq!(ast.injected_steps.to_string(), "5..");
    let expected = AstConfig {
        filtering: true,
        threshold_lambda: 2.0,
        use_voting: false,
        confidence_threshold: 0.5,
        adain_scale: 3.0,
    };
    assert_eq!(ast.ast, Some(expected));
    let json = serde_json::to_string(&ast).unwrap();
    let read = serde_json::from_str::<MethodConfig>(&json).unwrap();
    assert_eq!(read, MethodConfig::Diffusion(ast.clone()));

    let other = config(&["threshold_lambda=7"]).unwrap();
    assert_eq!(other, config(&[]).unwrap());
    let json = serde_json::to_string(&other).unwrap();
    assert!(!json.contains("\"ast\""), "{json}");

    let halves = [
        DiffusionConfig { ast: None, ..ast },
        DiffusionConfig {
            ast: Some(expected),
            ..other
        },
    ];
    for half in halves {
        let refused = half.check().unwrap_err().to_string();
        assert!(refused.starts_with("method.ast ("), "{refused}");
    }
    let refused = config(&["method=ast", "preset=paper"]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "method.preset (paper) must be released-code with method ast, of which there is one reading"
    );
}

#[test]
fn a_wrong_value_is_refused_with_both_fields_named() {
    let message = config(&["skip=60"])
        .expect_err("skip is too large")
        .to_string();
    assert_eq!(message, "method.skip (60) must be below method.steps (50)");
    for wrong in [
        "filter_fraction=2",
        "contrast_strength=-1",
        "contrast_strength=nan",
        "steps=0",
        "threshold_lambda=-1",
        "confidence_threshold=2",
        "adain_scale=nan",
        "use_voting=perhaps",
        "width=15",
        "height=8193",
        "beta=0.6",
        "beta=nan",
    ] {
        assert!(config(&[wrong]).is_err(), "{wrong} was accepted");
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let message = config(&["contrast=2"])
        .expect_err("no such key")
        .to_string();
    assert!(
        message.contains("contrast=2") && message.contains("unknown key contrast: did you mean"),
        "{message}"
    );
    assert!(config(&["steps"]).is_err());
}

#[test]
fn what_is_wrong_with_an_argument_is_said_of_the_argument() {
    let given = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let config = MethodConfig::given(None, &arguments);
        config.expect_err("it is wrong").to_string()
    };
    for (argument, expected) in [
        ("skip=60", "--set skip (60) must be below method.steps (50)"),
        (
            "steps=5000",
            "--set steps (5000) must be 1 to 1000: a model knows 1000 timesteps",
        ),
        (
            "steps=many",
            "--set steps=many is not usable: steps (\"many\") must be a whole number from 0",
        ),
        (
            "method=cacty",
            "--set method=cacty is not usable: method (\"cacty\") must be one of adain, cross-image, cacti, cactif, ast, \
             reinhard, histogram, fda, identity, translator; did you mean cacti?",
        ),
        (
            "injected_steps=1001..",
            "--set injected_steps=1001.. is not usable: injected_steps: step set \"1001..\" must not go beyond 1000: \
             no schedule has more steps",
        ),
    ] {
        assert_eq!(given(&[argument]), expected);
    }
    // The key that is refused is not the one that was set.
    assert_eq!(
        given(&["steps=20"]),
        "method.skip (30) must be below method.steps (20)"
    );
}

#[test]
fn what_is_wrong_in_a_file_is_said_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("method.toml");
    std::fs::write(&file, "[method]\nfilter_fraction = 2\n").unwrap();
    let refused = MethodConfig::given(Some(&file), &["steps=40".to_owned()]);
    let message = refused.expect_err("it is wrong").to_string();
    assert!(
        message.ends_with("method.toml: method.filter_fraction (2) must be 0 to 1"),
        "{message}"
    );
    assert!(MethodConfig::given(Some(&file), &["filter_fraction=1".to_owned()]).is_ok());
}

#[test]
fn a_lone_step_is_a_step_set() {
    assert_eq!(
        config(&["injected_steps=3"])
            .expect("valid")
            .injected_steps
            .to_string(),
        "3"
    );
}

#[test]
fn stored_settings_are_those_of_their_method_alone() {
    let read = |json: &str| {
        let read = serde_json::from_str::<MethodConfig>(json).map_err(|error| error.to_string());
        read.and_then(|config| config.check().map_err(|error| error.to_string()))
    };
    let size = r#""seed":1,"width":64,"height":32"#;
    assert_eq!(read(&format!(r#"{{"method":"histogram",{size}}}"#)), Ok(()));
    for (json, word) in [
        (
            format!(r#"{{"method":"histogram",{size},"steps":50}}"#),
            "steps",
        ),
        (
            format!(r#"{{"method":"histogram",{size},"beta":0.1}}"#),
            "method.beta (0.1)",
        ),
        (
            format!(r#"{{"method":"fda",{size}}}"#),
            "method.beta (absent)",
        ),
        (format!(r#"{{"method":"cactif",{size}}}"#), "height"),
        (format!(r#"{{"method":"magic",{size}}}"#), "magic"),
        (format!("{{{size}}}"), "method"),
        ("3".to_owned(), "method"),
    ] {
        let told = read(&json).unwrap_err();
        assert!(told.contains(word), "{json}: {told}");
    }
}

#[test]
fn every_method_is_of_the_kind_that_it_is_read_from() {
    for method in [
        Method::Adain,
        Method::CrossImage,
        Method::Cacti,
        Method::Cactif,
        Method::Ast,
        Method::Reinhard,
        Method::Histogram,
        Method::Fda,
        Method::Identity,
        Method::Translator,
    ] {
        let named = match method.kind() {
            MethodKind::Diffusion(of_kind) => Method::from(of_kind),
            MethodKind::Baseline(of_kind) => Method::from(of_kind),
            MethodKind::Translator(of_kind) => Method::from(of_kind),
        };
        assert_eq!(named, method);
        assert_eq!(crate::json::name(&method), method.to_string());
    }
}

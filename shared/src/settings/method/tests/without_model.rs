//! Settings of methods that need no diffusion model.

use super::*;

/// Returns settings of a method without one.
fn baseline(overrides: &[&str]) -> Result<BaselineConfig, SettingsError> {
    match any(overrides)? {
        MethodConfig::Baseline(config) => Ok(config),
        other => panic!("{other:?} has a model"),
    }
}

#[test]
fn a_method_without_a_model_has_the_settings_that_it_needs_and_no_others() {
    let identity = baseline(&["method=identity", "steps=20", "skip=0", "beta=0.1"]).unwrap();
    let expected = BaselineConfig {
        method: Baseline::Identity,
        seed: 42,
        width: 1024,
        height: 512,
        beta: None,
    };
    assert_eq!(identity, expected);
    let json = serde_json::to_string(&MethodConfig::Baseline(identity)).unwrap();
    assert_eq!(
        json,
        r#"{"method":"identity","seed":42,"width":1024,"height":512}"#
    );
    let fda = any(&["method=fda", "beta=0.05", "width=64", "height=32"]).unwrap();
    let json = serde_json::to_string(&fda).unwrap();
    assert!(
        json.ends_with(r#""width":64,"height":32,"beta":0.05}"#),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<MethodConfig>(&json).unwrap(), fda);

    // What it does not need has its bounds all the same.
    assert!(baseline(&["method=fda", "filter_fraction=2"]).is_err());
    let refused = baseline(&["method=fda", "width=8192", "height=8192"]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "method.width (8192 x 8192) must have 33000000 pixels at most"
    );
}

#[test]
fn a_method_without_a_model_evaluates_none_and_needs_no_labels() {
    for method in ["reinhard", "histogram", "fda", "identity"] {
        let config = any(&[&format!("method={method}"), "seed=7"]).unwrap();
        assert_eq!(config.method().to_string(), method);
        assert_eq!(config.evaluations(), Evaluations::default());
        assert_eq!((config.seed(), config.steps_per_item()), (7, 1));
        assert!(!config.uses_labels() && config.idle().is_none());
        assert!(config.diffusion().is_none());
    }
}

#[test]
fn a_translator_has_a_seed_and_no_other_setting() {
    let translator = any(&["method=translator", "seed=7", "steps=60", "beta=0.1"]).unwrap();
    let json = serde_json::to_string(&translator).unwrap();
    assert_eq!(json, r#"{"method":"translator","seed":7}"#);
    let read = serde_json::from_str::<MethodConfig>(&json).unwrap();
    assert_eq!(read, translator);
    assert_eq!(read.method().to_string(), "translator");
    assert_eq!(read.evaluations(), Evaluations::default());
    assert_eq!((read.seed(), read.steps_per_item()), (7, 1));
    assert!(!read.uses_labels() && read.idle().is_none() && read.diffusion().is_none());

    // What it does not need has its bounds all the same.
    for wrong in ["filter_fraction=2", "width=15", "beta=0.6"] {
        assert!(any(&["method=translator", wrong]).is_err(), "{wrong}");
    }
    let other = r#"{"method":"translator","seed":7,"steps":20}"#;
    let told = serde_json::from_str::<MethodConfig>(other).unwrap_err();
    assert!(told.to_string().contains("steps"), "{told}");
}

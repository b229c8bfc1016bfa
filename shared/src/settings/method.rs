//! The conversion's settings, complete and checked.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::raw::RawMethod;
use super::{SettingsError, StepSet, bounds, defaults};
use crate::paths;
use crate::wording::counted;

/// A row of the paper's first table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// No injection, global AdaIN.
    Adain,
    /// Injection, global AdaIN.
    CrossImage,
    /// Injection, class-wise AdaIN.
    Cacti,
    /// CACTI with filtered injection.
    Cactif,
}

impl Method {
    /// Returns whether keys and values of the style are injected.
    #[must_use]
    pub fn injects(self) -> bool {
        match self {
            Self::Adain => false,
            Self::CrossImage | Self::Cacti | Self::Cactif => true,
        }
    }

    /// Returns whether AdaIN is class-wise at the class AdaIN steps.
    #[must_use]
    pub fn uses_classes(self) -> bool {
        match self {
            Self::Adain | Self::CrossImage => false,
            Self::Cacti | Self::Cactif => true,
        }
    }

    /// Returns whether weak positions keep the content's own keys and values.
    #[must_use]
    pub fn filters(self) -> bool {
        match self {
            Self::Adain | Self::CrossImage | Self::Cacti => false,
            Self::Cactif => true,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adain => "adain",
            Self::CrossImage => "cross-image",
            Self::Cacti => "cacti",
            Self::Cactif => "cactif",
        })
    }
}

/// Which reading of the method is followed where paper and released code differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// What the authors' program computes.
    ReleasedCode,
    /// What the article says.
    Paper,
}

/// The conversion's settings. With model, content and style they determine every output byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodConfig {
    /// Which steps of the method are used.
    pub method: Method,
    /// Which reading of it.
    pub preset: Preset,
    /// Length of the schedule.
    pub steps: usize,
    /// Schedule indices that are not executed.
    pub skip: usize,
    /// Seed of all noise.
    pub seed: u64,
    /// Executed steps at which AdaIN is class-wise; global at the others.
    pub class_adain_steps: StepSet,
    /// Executed steps at which the style is injected.
    pub injected_steps: StepSet,
    /// Contrast of injected attention about its mean.
    pub contrast_strength: f64,
    /// Share of positions that are weak.
    pub filter_fraction: f64,
}

impl MethodConfig {
    /// Returns the settings of a file's `[method]` table, if a file is given, with `KEY=VALUE` arguments put over them.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the file or the argument, and the value.
    pub fn given(file: Option<&Path>, arguments: &[String]) -> Result<Self, SettingsError> {
        let raw = file.map(RawMethod::load).transpose()?.unwrap_or_default();
        let raw = raw.with_overrides(arguments)?;
        Self::try_from(raw).map_err(|error| {
            let set = |key: &str| {
                let mut keys = arguments.iter().filter_map(|text| text.split_once('='));
                keys.any(|(set, _)| set.trim() == key)
            };
            let mut is_set = false;
            let error = error.renamed(|field| match field.strip_prefix("method.") {
                Some(key) if set(key) => {
                    is_set = true;
                    format!("--set {key}")
                }
                _ => field,
            });
            match file {
                Some(file) if !is_set => error.in_file(paths::place(file)),
                _ => error,
            }
        })
    }

    /// Returns whether every number is within its bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        bounds::STEPS.check(self.steps)?;
        if self.skip >= self.steps {
            let expected = format!("must be below method.steps ({})", self.steps);
            return Err(SettingsError::value("method.skip", self.skip, expected));
        }
        bounds::CONTRAST_STRENGTH.check(self.contrast_strength)?;
        bounds::FILTER_FRACTION.check(self.filter_fraction)?;
        Ok(())
    }

    /// Returns the number of steps that are executed.
    #[must_use]
    pub fn num_executed(&self) -> usize {
        self.steps - self.skip
    }

    /// Returns whether the labels of images change what is computed: whether AdaIN is class-wise at any step.
    ///
    /// Contents are converted with their labels stored beside them all the same; styles need none where this is false.
    #[must_use]
    pub fn uses_labels(&self) -> bool {
        let mut steps = 0..self.num_executed();
        self.method.uses_classes() && steps.any(|step| self.class_adain_steps.contains(step))
    }
}

impl MethodConfig {
    /// Returns what the method is asked for and does at none of the steps that are executed, for a warning; nothing if it
    /// does all that it is named for.
    #[must_use]
    pub fn idle(&self) -> Option<String> {
        let executed = self.num_executed();
        let count = |steps: &StepSet| (0..executed).filter(|&step| steps.contains(step)).count();
        let injecting = count(&self.injected_steps);
        let class_wise = count(&self.class_adain_steps);
        let is_idle = self.method.injects() && injecting == 0
            || self.method.uses_classes() && class_wise == 0;
        let mut does = Vec::new();
        if self.method.injects() {
            let steps = &self.injected_steps;
            does.push(format!(
                "injects the style at {injecting} (method.injected_steps = \"{steps}\")"
            ));
        }
        if self.method.uses_classes() {
            let steps = &self.class_adain_steps;
            does.push(format!(
                "normalises by class at {class_wise} (method.class_adain_steps = \"{steps}\")"
            ));
        }
        let (method, does) = (self.method, does.join(" and "));
        let steps = counted(executed, "step", "steps");
        is_idle.then(|| {
            format!(
                "method {method} {does} of {steps} executed, counted from 0: outputs lack what it does at none"
            )
        })
    }
}

impl TryFrom<RawMethod> for MethodConfig {
    type Error = SettingsError;

    fn try_from(raw: RawMethod) -> Result<Self, SettingsError> {
        let preset = raw.preset.unwrap_or(defaults::PRESET);
        let (class_steps, injected_steps) = match preset {
            Preset::ReleasedCode => (StepSet::range(5..15), StepSet::from_step(1)),
            Preset::Paper => (StepSet::all(), StepSet::all()),
        };
        let config = Self {
            method: raw.method.unwrap_or(defaults::METHOD),
            preset,
            steps: raw.steps.unwrap_or(defaults::STEPS),
            skip: raw.skip.unwrap_or(defaults::SKIP),
            seed: raw.seed.unwrap_or(defaults::SEED),
            class_adain_steps: raw.class_adain_steps.unwrap_or(class_steps),
            injected_steps: raw.injected_steps.unwrap_or(injected_steps),
            contrast_strength: raw.contrast_strength.unwrap_or(defaults::CONTRAST_STRENGTH),
            filter_fraction: raw.filter_fraction.unwrap_or(defaults::FILTER_FRACTION),
        };
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(overrides: &[&str]) -> Result<MethodConfig, SettingsError> {
        let arguments: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        RawMethod::default().with_overrides(&arguments)?.try_into()
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
        ] {
            assert_eq!(
                config(overrides).unwrap().uses_labels(),
                uses,
                "{overrides:?}"
            );
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
            message.contains("contrast=2")
                && message.contains("unknown key contrast: did you mean"),
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
                "--set method=cacty is not usable: method (\"cacty\") must be one of adain, cross-image, cacti, cactif; \
                 did you mean cacti?",
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
}

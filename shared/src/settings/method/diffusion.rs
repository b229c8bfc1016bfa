//! The settings of a method that converts with a diffusion model.

use serde::{Deserialize, Serialize};

use super::{AstConfig, DiffusionMethod, Evaluations, Preset};
use crate::settings::raw::RawMethod;
use crate::settings::{SettingsError, StepSet, bounds, defaults};

/// The settings of a method that converts with a diffusion model. With model, content and style they determine every output
/// byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffusionConfig {
    /// Which steps of the method are used.
    pub method: DiffusionMethod,
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
    /// What `ast` has of its own; none of other methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ast: Option<AstConfig>,
}

impl DiffusionConfig {
    /// Returns the settings of a `[method]` table for a method.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub(super) fn of(method: DiffusionMethod, raw: &RawMethod) -> Result<Self, SettingsError> {
        let preset = raw.preset.unwrap_or(defaults::PRESET);
        let ast = AstConfig::of(raw)?;
        let (class_steps, injected_steps) = match (method, preset) {
            (DiffusionMethod::Ast, _) => (StepSet::range(5..20), StepSet::from_step(5)),
            (_, Preset::ReleasedCode) => (StepSet::range(5..15), StepSet::from_step(1)),
            (_, Preset::Paper) => (StepSet::all(), StepSet::all()),
        };
        let class_adain_steps = raw.class_adain_steps.clone();
        let config = Self {
            method,
            preset,
            steps: raw.steps.unwrap_or(defaults::STEPS),
            skip: raw.skip.unwrap_or(defaults::SKIP),
            seed: raw.seed.unwrap_or(defaults::SEED),
            class_adain_steps: class_adain_steps.unwrap_or(class_steps),
            injected_steps: raw.injected_steps.clone().unwrap_or(injected_steps),
            contrast_strength: raw.contrast_strength.unwrap_or(defaults::CONTRAST_STRENGTH),
            filter_fraction: raw.filter_fraction.unwrap_or(defaults::FILTER_FRACTION),
            ast: (method == DiffusionMethod::Ast).then_some(ast),
        };
        config.check()?;
        Ok(config)
    }

    /// Returns whether every number is within its bounds.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        bounds::STEPS.check(self.steps)?;
        if self.skip >= self.steps {
            let expected = format!("must be below method.steps ({})", self.steps);
            return Err(SettingsError::value("method.skip", self.skip, expected));
        }
        bounds::CONTRAST_STRENGTH.check(self.contrast_strength)?;
        bounds::FILTER_FRACTION.check(self.filter_fraction)?;
        self.check_ast()
    }

    /// Returns whether the settings of `ast` are there if it is the method, and are those that it has.
    fn check_ast(&self) -> Result<(), SettingsError> {
        let refused = |field: &str, value: &dyn std::fmt::Display, expected: &str| {
            Err(SettingsError::value(field, value.to_string(), expected))
        };
        match (self.method, &self.ast) {
            (DiffusionMethod::Ast, Some(ast)) => {
                ast.check()?;
                match self.preset {
                    Preset::ReleasedCode => Ok(()),
                    Preset::Paper => refused(
                        "method.preset",
                        &"paper",
                        "must be released-code with method ast, of which there is one reading",
                    ),
                }
            }
            (DiffusionMethod::Ast, None) => {
                refused("method.ast", &"absent", "must be there with method ast")
            }
            (_, Some(_)) => refused("method.ast", &"given", "must be absent with another method"),
            (_, None) => Ok(()),
        }
    }

    /// Returns the number of steps that are executed.
    #[must_use]
    pub fn num_executed(&self) -> usize {
        self.steps - self.skip
    }

    /// Returns whether the style is injected at an executed step.
    #[must_use]
    pub fn injects_at(&self, step: usize) -> bool {
        self.method.injects() && self.injected_steps.contains(step)
    }

    /// Returns whether layers vote on the classes of the style at an executed step: where they are injected, or AdaIN is
    /// class-wise, and the method votes.
    #[must_use]
    pub fn votes_at(&self, step: usize) -> bool {
        let votes = self.ast.is_some_and(|ast| ast.use_voting);
        votes && (self.injects_at(step) || self.class_adain_steps.contains(step))
    }

    /// Returns whether anything of a style's branch is read at an executed step: what is injected, what layers vote by, or
    /// its last noise prediction.
    #[must_use]
    pub fn reads_style_at(&self, step: usize) -> bool {
        self.injects_at(step) || self.votes_at(step) || step + 1 == self.num_executed()
    }

    /// Returns how often each branch is evaluated.
    #[must_use]
    pub fn evaluations(&self) -> Evaluations {
        let executed = self.num_executed();
        Evaluations {
            style: (0..executed)
                .filter(|&step| self.reads_style_at(step))
                .count(),
            content: executed,
            // Before anything is injected, an output is its content.
            output: executed - usize::from(!self.injects_at(0)),
        }
    }

    /// Returns whether the labels of images change what is computed: whether AdaIN is class-wise or attention is filtered by
    /// class at any step.
    ///
    /// Contents are converted with their labels stored beside them all the same; styles need none where this is false.
    #[must_use]
    pub fn uses_labels(&self) -> bool {
        let mut steps = 0..self.num_executed();
        let filters = self.ast.is_some_and(|ast| ast.filtering);
        steps.any(|step| {
            self.method.uses_classes() && self.class_adain_steps.contains(step)
                || filters && self.injects_at(step)
        })
    }
}

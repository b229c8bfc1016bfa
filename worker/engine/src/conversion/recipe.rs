//! The recipe of a run: a method's settings as what each executed step does.

use shared::settings::{AstConfig, DiffusionConfig, Preset};

use crate::attention::InjectedAttention;
use crate::injection::Injection;
use crate::injection::by_class::ClassInjection;
use method::class_adain::{ClassAdain, ClassScale};
use method::class_filter::ClassFilter;
use method::denoise::{AdainPlan, ByClass, StepAdain};
use method::filtering::{BestMatch, Exchange, Filter, Similarity};
use method::hybrid_adain::HybridAdain;

/// What each executed step does.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// In the injected layers.
    pub injection: Injection,
    /// After the update.
    pub adain: AdainPlan,
}

impl Recipe {
    /// Returns what the settings mean.
    #[must_use]
    pub fn new(config: &DiffusionConfig) -> Self {
        let steps = || 0..config.num_executed();
        Self {
            injection: Injection {
                injected: steps().map(|step| config.injects_at(step)).collect(),
                read: steps().map(|step| config.reads_style_at(step)).collect(),
                attention: InjectedAttention {
                    contrast_strength: config.contrast_strength as f32,
                    filter: config.method.filters().then(|| filter(config)),
                },
                classes: config.ast.as_ref().map(|ast| ClassInjection {
                    filter: ast.filtering.then(|| class_filter(config, ast)),
                    confidence: ast.confidence_threshold as f32,
                    votes: steps().map(|step| config.votes_at(step)).collect(),
                    class_wise: steps()
                        .map(|step| step_adain(config, step) == StepAdain::ByClass)
                        .collect(),
                }),
            },
            adain: AdainPlan {
                by_class: match &config.ast {
                    None => ByClass::Labels(class_adain(config.preset)),
                    Some(ast) => ByClass::Map(HybridAdain {
                        scale: ast.adain_scale as f32,
                    }),
                },
                steps: steps().map(|step| step_adain(config, step)).collect(),
            },
        }
    }
}

/// Returns the AdaIN after a step. After the last class-wise step `ast` has none any more.
fn step_adain(config: &DiffusionConfig, step: usize) -> StepAdain {
    let is_by_class =
        |step| config.method.uses_classes() && config.class_adain_steps.contains(step);
    if is_by_class(step) {
        return StepAdain::ByClass;
    }
    let mut before = 0..step;
    let mut after = step..config.num_executed();
    if config.ast.is_some() && before.any(is_by_class) && !after.any(is_by_class) {
        return StepAdain::Nothing;
    }
    StepAdain::Global
}

fn class_filter(config: &DiffusionConfig, ast: &AstConfig) -> ClassFilter {
    ClassFilter {
        contrast_strength: config.contrast_strength as f32,
        threshold_lambda: ast.threshold_lambda as f32,
    }
}

fn filter(config: &DiffusionConfig) -> Filter {
    let fraction = config.filter_fraction as f32;
    match config.preset {
        Preset::ReleasedCode => Filter {
            fraction,
            exchange: Exchange::KeyColumns,
            best_match: BestMatch::ContrastedAttention,
            similarity: Similarity::AbsoluteCosineOverHeads,
        },
        Preset::Paper => Filter {
            fraction,
            exchange: Exchange::QueryRows,
            best_match: BestMatch::FullWidthScores,
            similarity: Similarity::FullWidthCosine,
        },
    }
}

fn class_adain(preset: Preset) -> ClassAdain {
    match preset {
        Preset::ReleasedCode => ClassAdain {
            scale: ClassScale::ReleasedCode,
            erode: true,
        },
        Preset::Paper => ClassAdain {
            scale: ClassScale::Paper,
            erode: false,
        },
    }
}

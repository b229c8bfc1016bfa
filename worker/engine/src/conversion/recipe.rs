//! The recipe of a run: a method's settings as what each executed step does.

use shared::settings::{MethodConfig, Preset};

use crate::attention::InjectedAttention;
use crate::injection::Injection;
use method::class_adain::{ClassAdain, ClassScale};
use method::denoise::AdainPlan;
use method::filtering::{BestMatch, Exchange, Filter, Similarity};

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
    pub fn new(config: &MethodConfig) -> Self {
        let steps = 0..config.num_executed();
        let injects = config.method.injects();
        let by_classes = config.method.uses_classes();
        Self {
            injection: Injection {
                injected: steps
                    .clone()
                    .map(|step| injects && config.injected_steps.contains(step))
                    .collect(),
                attention: InjectedAttention {
                    contrast_strength: config.contrast_strength as f32,
                    filter: config.method.filters().then(|| filter(config)),
                },
            },
            adain: AdainPlan {
                class_adain: class_adain(config.preset),
                class_wise: steps
                    .map(|step| by_classes && config.class_adain_steps.contains(step))
                    .collect(),
            },
        }
    }
}

fn filter(config: &MethodConfig) -> Filter {
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

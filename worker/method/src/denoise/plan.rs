//! The AdaIN after each step.

use crate::class_adain::ClassAdain;
use crate::hybrid_adain::HybridAdain;

/// The AdaIN after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepAdain {
    /// Of the whole latent.
    Global,
    /// Class by class.
    ByClass,
    /// None: the latent stays as it is.
    Nothing,
}

/// Class-wise AdaIN, by what tells the classes of a style.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ByClass {
    /// Its labels.
    Labels(ClassAdain),
    /// A map of them, which may change from step to step.
    Map(HybridAdain),
}

/// The AdaIN after each step.
#[derive(Debug, Clone)]
pub struct AdainPlan {
    /// That of class-wise steps.
    pub by_class: ByClass,
    /// For each executed step.
    pub steps: Vec<StepAdain>,
}

impl AdainPlan {
    /// Returns whether a step is class-wise.
    #[must_use]
    pub fn is_by_class(&self, step: usize) -> bool {
        self.steps[step] == StepAdain::ByClass
    }
}

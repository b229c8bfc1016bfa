//! What a method is named for and does at no step that is executed.

use super::DiffusionConfig;
use crate::settings::StepSet;
use crate::wording::counted;

impl DiffusionConfig {
    /// Returns what the method is asked for and does at none of the steps that are executed, for a warning; nothing if it
    /// does all that it is named for.
    pub(super) fn idle(&self) -> Option<String> {
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

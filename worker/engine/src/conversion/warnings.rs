//! What is said of a content in a style, beside what its files say.

use ndarray::{ArrayView2, s};
use shared::model::PIXELS_PER_LATENT;
use shared::warning::{ItemWarning, WarningKind};

use super::{Converter, Recipe};
use imaging::{Prepared, tones};
use method::denoise::{ByClass, StepAdain};

/// Pixels between the middles of two positions of a latent.
const STEP: isize = PIXELS_PER_LATENT.cast_signed();
/// The first of the middles.
const MIDDLE: usize = PIXELS_PER_LATENT / 2;

impl Converter {
    /// Returns the warnings about a content in a recorded style.
    #[must_use]
    pub fn warnings(&self, content: &Prepared, style: &str) -> Vec<ItemWarning> {
        let Some(record) = self.bank.get(style) else {
            return Vec::new();
        };
        let labels = record.trajectory.labels.view();
        let of_labels = self.warning_of_labels(content, labels);
        let of_style = self.plain_styles.get(style).cloned();
        of_labels.into_iter().chain(of_style).collect()
    }

    /// Returns the [`warnings`](Self::warnings) of a style that need not be recorded, given its image file and what that
    /// holds.
    #[must_use]
    pub fn warnings_of_unrecorded(
        &self,
        content: &Prepared,
        file: &str,
        style: &Prepared,
    ) -> Vec<ItemWarning> {
        let of_labels = self.warning_of_labels(content, self.style_labels(style));
        let of_style = tones::style_warning(file, style.image.view());
        of_labels.into_iter().chain(of_style).collect()
    }

    fn warning_of_labels(
        &self,
        content: &Prepared,
        style: ArrayView2<'_, u8>,
    ) -> Option<ItemWarning> {
        warning_of_classes(&self.recipe, self.content_labels(content), style)
    }

    /// Returns a content's labels as AdaIN takes them, at the size of its latent.
    pub(super) fn content_labels<'a>(&self, content: &'a Prepared) -> ArrayView2<'a, u8> {
        match self.recipe.adain.by_class {
            ByClass::Labels(_) => content.label_latent.view(),
            // The middle of each position: what is nearest to it.
            ByClass::Map(_) => content.label.slice(s![MIDDLE..;STEP, MIDDLE..;STEP]),
        }
    }

    /// Returns a style's labels as AdaIN takes them: at the size of its latent, or, as a class map, of its image.
    pub(super) fn style_labels<'a>(&self, style: &'a Prepared) -> ArrayView2<'a, u8> {
        match self.recipe.adain.by_class {
            ByClass::Labels(_) => style.label_latent.view(),
            ByClass::Map(_) => style.label.view(),
        }
    }
}

/// Returns the warning about labels of a content and a style, as AdaIN takes them, that have no class for it.
fn warning_of_classes(
    recipe: &Recipe,
    content: ArrayView2<'_, u8>,
    style: ArrayView2<'_, u8>,
) -> Option<ItemWarning> {
    let adain = &recipe.adain;
    let (shared, erodes) = match &adain.by_class {
        ByClass::Labels(class_adain) => {
            let shared = class_adain.num_shared_classes(content, style);
            (shared, class_adain.erode)
        }
        ByClass::Map(hybrid_adain) => {
            let shared = hybrid_adain.num_shared_classes(content, style);
            (shared.unwrap_or(0), true)
        }
    };
    if shared > 0 || !adain.steps.contains(&StepAdain::ByClass) {
        return None;
    }
    let lacking = if erodes {
        "no class is left of both content and style once class masks lose their border"
    } else {
        "content and style have no class in common"
    };
    let classes = recipe.injection.classes.as_ref();
    let filters = classes.is_some_and(|classes| classes.filter.is_some());
    let left = if filters {
        "what else the method does"
    } else {
        "injection and what else the method does"
    };
    Some(ItemWarning {
        kind: WarningKind::NoCommonClass,
        text: format!(
            "{lacking}, so class-wise AdaIN changed nothing; the image was converted by {left}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use shared::settings::MethodConfig;

    use super::*;

    const CONTENT: (usize, usize) = (4, 8);

    fn recipe(settings: &[&str]) -> Recipe {
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let method = MethodConfig::given(None, &settings).unwrap();
        Recipe::new(method.diffusion().unwrap())
    }

    /// Returns what is said of a content all of one class in a style all of another.
    fn told(settings: &[&str], classes: [u8; 2]) -> Option<String> {
        let recipe = recipe(settings);
        let step = match recipe.adain.by_class {
            ByClass::Labels(_) => 1,
            ByClass::Map(_) => PIXELS_PER_LATENT,
        };
        let content = Array2::from_elem(CONTENT, classes[0]);
        let style = Array2::from_elem((step * CONTENT.0, step * CONTENT.1), classes[1]);
        let warning = warning_of_classes(&recipe, content.view(), style.view());
        warning.map(|warning| warning.text)
    }

    #[test]
    fn without_a_class_in_common_what_did_convert_the_image_is_told() {
        let (border, common) = ("lose their border", "no class in common");
        let (injected, other) = ("by injection and what else", "by what else the method does");
        for (settings, lacking, left) in [
            (&["method=cactif"][..], border, injected),
            (&["method=cactif", "preset=paper"], common, injected),
            (&["method=ast"], border, other),
            (&["method=ast", "filtering=false"], border, injected),
        ] {
            let told = told(settings, [0, 12]).unwrap();
            for words in [lacking, left, "class-wise AdaIN changed nothing"] {
                assert!(told.contains(words), "{settings:?}, no {words:?}: {told}");
            }
        }
    }

    #[test]
    fn nothing_is_told_of_a_class_in_common_or_without_class_wise_adain() {
        for settings in [&["method=cactif"][..], &["method=ast"]] {
            assert_eq!(told(settings, [7, 7]), None, "{settings:?}");
        }
        assert_eq!(told(&["method=cross-image"], [0, 12]), None);
    }
}

//! What is said of a content in a style, beside what its files say.

use ndarray::ArrayView2;
use shared::warning::{ItemWarning, WarningKind};

use super::Converter;
use imaging::{Prepared, tones};

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
        let of_labels = self.warning_of_labels(content, style.label_latent.view());
        let of_style = tones::style_warning(file, style.image.view());
        of_labels.into_iter().chain(of_style).collect()
    }

    fn warning_of_labels(
        &self,
        content: &Prepared,
        style: ArrayView2<'_, u8>,
    ) -> Option<ItemWarning> {
        let class_adain = &self.recipe.adain.class_adain;
        let shared = class_adain.num_shared_classes(content.label_latent.view(), style);
        let unrelated = self.recipe.adain.class_wise.contains(&true) && shared == 0;
        unrelated.then(|| ItemWarning {
            kind: WarningKind::NoCommonClass,
            text:
                "content and style have no class in common, so class-wise AdaIN changed nothing; \
                   the image was converted by injection and global AdaIN"
                    .to_owned(),
        })
    }
}

//! Inputs out of the datasets of a run.
//!
//! - `absence`: what it means that a file cannot be read

mod absence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use shared::dataset::entry::DatasetEntry;
use shared::failure::{FailureClass, chain};
use shared::source::Source;

use self::absence::absent;
use super::ports::{InputKind, Inputs, LoadedInput, Quarantine, Unusable};
use imaging::{LabelNeed, LabelUse, LoadError};
use shared::dataset::ClassTable;
use shared::model::ImageSize;

/// Looks at a file of another size than was listed: it may be written just now.
const LOOKS_AT_CHANGED: usize = 3;
/// Between two of them.
const SETTLES_IN: Duration = Duration::from_secs(1);
/// What helps where a file is another one.
const TAKE_UP: &str = "put the old one back and `synth2real resume RUN --only quarantined`, which also takes the new one \
                       up if nothing was made of the old one";
/// What helps where a file is gone.
const PUT_BACK: &str = "put it back and `synth2real resume RUN --only quarantined`";

/// A run's datasets.
#[derive(Debug)]
pub struct Datasets {
    /// The contents.
    pub content: Arc<dyn Source>,
    /// The styles.
    pub style: Arc<dyn Source>,
    /// Which class each label of the contents is, where the settings say so.
    pub content_classes: Option<ClassTable>,
    /// Which class each label of the styles is, where the settings say so.
    pub style_classes: Option<ClassTable>,
    /// Digests of the files of styles, by their names; one without is not compared.
    pub styles_sha256: BTreeMap<String, String>,
}

#[async_trait]
impl Inputs for Datasets {
    async fn load(
        &self,
        kind: InputKind,
        listing: &DatasetEntry,
        size: ImageSize,
    ) -> Result<LoadedInput, Unusable> {
        let (source, need, classes) = match kind {
            InputKind::Content => (&self.content, LabelNeed::Required, &self.content_classes),
            // A plan has styles without a label where the method uses none, or a class map stands for it.
            InputKind::Style => (&self.style, LabelNeed::Optional, &self.style_classes),
        };
        let labels = LabelUse {
            need,
            classes: classes.clone(),
        };
        let started = Instant::now();
        let mut looks = 0;
        loop {
            looks += 1;
            let error = match imaging::load(source.as_ref(), listing, &labels, size).await {
                Ok(loaded) => {
                    self.check_style(kind, listing, &loaded.sha256)?;
                    return Ok(LoadedInput {
                        name: listing.name.clone(),
                        file: source.locate(&listing.image.path),
                        prepared: loaded.prepared,
                        image_sha256: loaded.image_sha256,
                        elapsed: started.elapsed(),
                    });
                }
                Err(error) => error,
            };
            return Err(match error {
                LoadError::Input(_) => quarantine(FailureClass::BadInput, chain(&error)),
                LoadError::Read(error) => absent(source.as_ref(), listing, &error).await,
                LoadError::Changed { .. } if looks < LOOKS_AT_CHANGED => {
                    tokio::time::sleep(SETTLES_IN).await;
                    continue;
                }
                LoadError::Changed { .. } => {
                    quarantine(FailureClass::Changed, format!("{error}; {TAKE_UP}"))
                }
            });
        }
    }
}

impl Datasets {
    /// A style that has other bytes of the same number would give outputs of one name in two styles.
    fn check_style(
        &self,
        kind: InputKind,
        listing: &DatasetEntry,
        sha256: &str,
    ) -> Result<(), Unusable> {
        let planned = match kind {
            InputKind::Content => None,
            InputKind::Style => self.styles_sha256.get(listing.name()),
        };
        if planned.is_none_or(|planned| planned == sha256) {
            return Ok(());
        }
        let name = self.style.locate(&listing.image.path);
        Err(quarantine(
            FailureClass::Changed,
            format!("{name} or its label has other bytes than when the run was planned; {TAKE_UP}"),
        ))
    }
}

fn quarantine(class: FailureClass, reason: String) -> Unusable {
    Unusable::Quarantine(Quarantine { class, reason })
}

/// Returns why an input cannot be loaded with what helps where an item is done: nothing of it is quarantined.
pub(super) fn what_helps_a_repair(reason: &str) -> String {
    let reason = reason.replace(TAKE_UP, "put the old one back and run again");
    reason.replace(PUT_BACK, "put it back and run again")
}

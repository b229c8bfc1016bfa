//! `[content]` and `[style]`: where datasets are, and which of their images are used.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::RawClasses;
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;

/// `[content]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawContent {
    /// Folder with the images and labels.
    pub root: String,
    /// The dataset's layout.
    pub layout: Layout,
    /// What the label files are, default `auto`: each file tells.
    #[serde(default)]
    pub labels: LabelSetting,
    /// Which class each label is, where labels are not those of the layout.
    pub classes: Option<RawClasses>,
    /// Positions among the images that are used, sorted by name, from 1: `1..=24966`.
    pub range: Option<String>,
    /// Globs of the images that are used; all if absent.
    pub include: Option<OneOrMore>,
    /// Globs of images that are not.
    pub exclude: Option<OneOrMore>,
    /// Splits that are used: `train`, `val`, `test`; all but the last if absent.
    pub split: Option<OneOrMore>,
    /// Conditions that are used: `fog`, `night`, `rain`, `snow`; all if absent.
    pub condition: Option<OneOrMore>,
}

/// `[style]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStyle {
    /// Folder with the images and labels.
    pub root: String,
    /// What the label files are, default `auto`: each file tells.
    #[serde(default)]
    pub labels: LabelSetting,
    /// Whether they are used, default `true`: without, each photograph counts as one that has no label.
    pub use_labels: Option<bool>,
    /// Which class each label is, where labels are not those of the layout.
    pub classes: Option<RawClasses>,
    /// Folder with the network of priors, which maps the classes of photographs without labels.
    pub prior: Option<String>,
    /// Contents that show it what classes look like; without it
    /// [`PROTOTYPE_CONTENTS`](crate::settings::defaults::PROTOTYPE_CONTENTS), or all where there are fewer.
    pub prototype_contents: Option<usize>,
    /// Folder with a segmenter that maps them where there is no network of priors.
    pub segmenter: Option<String>,
    /// Globs of the photographs that are used; all if absent.
    pub include: Option<OneOrMore>,
    /// Globs of photographs that are not.
    pub exclude: Option<OneOrMore>,
    /// Splits that are used: `train`, `val`, `test`; all but the last if absent.
    pub split: Option<OneOrMore>,
    /// Conditions that are used: `fog`, `night`, `rain`, `snow`; all if absent.
    pub condition: Option<OneOrMore>,
}

/// The keys of `[content]` and `[style]` that choose images.
#[derive(Debug, Clone, Default)]
pub struct RawSelection {
    /// `include`
    pub include: Option<OneOrMore>,
    /// `exclude`
    pub exclude: Option<OneOrMore>,
    /// `split`
    pub split: Option<OneOrMore>,
    /// `condition`
    pub condition: Option<OneOrMore>,
}

/// A text, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<OneOrMore, A::Error> {
                let mut found = Vec::new();
                while let Some(text) = texts.next_element()? {
                    found.push(text);
                }
                Ok(OneOrMore(found))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}

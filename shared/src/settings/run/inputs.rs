//! The datasets of a run: where they lie, and which of their images are used.

use std::ops::RangeInclusive;

use crate::dataset::class_table::ClassTable;
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;
use crate::dataset::selection::Selection;
use crate::location::Location;
use crate::settings::run::class_maps::ClassMapConfig;
use crate::settings::{SettingsError, bounds};

/// The labelled synthetic images.
#[derive(Debug, Clone)]
pub struct ContentConfig {
    /// Where images and labels lie.
    pub root: Location,
    /// Names and formats of its files.
    pub layout: Layout,
    /// What its label files are.
    pub labels: LabelSetting,
    /// Which class each label is, where labels are not those of the layout.
    pub classes: Option<ClassTable>,
    /// Which images are used.
    pub selection: Selection,
    /// Positions among these, sorted by name, that are used, from 1; all if absent.
    pub range: Option<RangeInclusive<usize>>,
}

/// The labelled real images.
#[derive(Debug, Clone)]
pub struct StyleConfig {
    /// Where images and labels lie.
    pub root: Location,
    /// What the label files are.
    pub labels: LabelSetting,
    /// Whether they are used: without, each photograph counts as one that has no label.
    pub use_labels: bool,
    /// Which class each label is, where labels are not those of Cityscapes.
    pub classes: Option<ClassTable>,
    /// What maps the classes of photographs without labels.
    pub class_maps: ClassMapConfig,
    /// Which photographs are used.
    pub selection: Selection,
}

/// Returns the positions that a text such as `1..=24966` names.
pub(super) fn parse_range(text: &str) -> Result<RangeInclusive<usize>, SettingsError> {
    let wrong = || {
        SettingsError::value(
            "content.range",
            text,
            "must be first..=last, counted from 1",
        )
    };
    let (first, last) = text.split_once("..=").ok_or_else(wrong)?;
    let first: usize = first.trim().parse().map_err(|_| wrong())?;
    let last: usize = last.trim().parse().map_err(|_| wrong())?;
    if last > bounds::MAX_IMAGES {
        let expected = format!(
            "must end at {} at most: no dataset is larger",
            bounds::MAX_IMAGES
        );
        return Err(SettingsError::value("content.range", text, expected));
    }
    if first == 0 || last < first {
        Err(wrong())
    } else {
        Ok(first..=last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_from_one_and_includes_its_end() {
        assert_eq!(parse_range("1..=24966").expect("a range"), 1..=24966);
        for wrong in ["0..=3", "5..=4", "1..3", "x", "1..=99999999"] {
            assert!(parse_range(wrong).is_err(), "{wrong} was accepted");
        }
    }
}

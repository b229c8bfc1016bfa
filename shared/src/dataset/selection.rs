//! The selection of a dataset's images: globs, splits and conditions.

use std::fmt;
use std::str::FromStr;

use crate::dataset::layout::Layout;
use crate::globs::Globs;
use crate::settings::SettingsError;
use crate::settings::raw::{OneOrMore, RawSelection};

crate::enumerated! {
    /// A part that a published dataset is divided into, as a folder of this name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Split {
        /// `train`
        Train,
        /// `val`
        Val,
        /// `test`, whose labels are not published: files are there for Cityscapes, and show no class.
        Test,
    }
}

crate::enumerated! {
    /// The weather or light that ACDC sorts its pictures by, as a folder of this name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Condition {
        /// `fog`
        Fog,
        /// `night`
        Night,
        /// `rain`
        Rain,
        /// `snow`
        Snow,
    }
}

impl Split {
    /// Returns the name of its folder, which settings use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl Condition {
    /// Returns the name of its folder, which settings use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fog => "fog",
            Self::Night => "night",
            Self::Rain => "rain",
            Self::Snow => "snow",
        }
    }
}

/// A text that is no [`Split`] or no [`Condition`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct NotOneOf(&'static str);

impl FromStr for Split {
    type Err = NotOneOf;

    fn from_str(name: &str) -> Result<Self, NotOneOf> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|split| split.as_str() == name);
        found.ok_or(NotOneOf("train, val or test, or a list of them"))
    }
}

impl FromStr for Condition {
    type Err = NotOneOf;

    fn from_str(name: &str) -> Result<Self, NotOneOf> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|condition| condition.as_str() == name);
        found.ok_or(NotOneOf("fog, night, rain or snow, or a list of them"))
    }
}

/// The settings or options that a selection comes from, as messages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectionFields {
    /// Globs of what is used.
    pub include: &'static str,
    /// Globs of what is not.
    pub exclude: &'static str,
    /// Splits.
    pub split: &'static str,
    /// Conditions.
    pub condition: &'static str,
}

impl SelectionFields {
    /// `[content]`
    pub const CONTENT: Self = Self {
        include: "content.include",
        exclude: "content.exclude",
        split: "content.split",
        condition: "content.condition",
    };
    /// `[style]`
    pub const STYLE: Self = Self {
        include: "style.include",
        exclude: "style.exclude",
        split: "style.split",
        condition: "style.condition",
    };
    /// The options of `reference-stats`, which has no splits and conditions: its folder may be any.
    pub const OPTIONS: Self = Self {
        include: "--include",
        exclude: "--exclude",
        split: "--include",
        condition: "--include",
    };
}

/// Which pictures are used: those that every one of these takes.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Where it comes from.
    pub fields: SelectionFields,
    /// Used if one matches; all if there are none.
    pub include: Globs,
    /// Not used if one matches.
    pub exclude: Globs,
    /// Splits that are used; those with labels if there are none.
    pub splits: Vec<Split>,
    /// Conditions that are used; all if there are none.
    pub conditions: Vec<Condition>,
}

impl Selection {
    /// Returns the selection that takes everything.
    #[must_use]
    pub fn everything(fields: SelectionFields) -> Self {
        Self {
            fields,
            include: Globs::default(),
            exclude: Globs::default(),
            splits: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// Returns the selection that options of a command name.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] naming the option and the pattern.
    pub fn of_globs(
        fields: SelectionFields,
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            include: Globs::new(fields.include, include)?,
            exclude: Globs::new(fields.exclude, exclude)?,
            ..Self::everything(fields)
        })
    }

    /// Returns what settings say; a layout that has no splits or conditions refuses them. Styles may be of several
    /// layouts, so theirs is none.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] naming the field, its value and what it must be.
    pub fn check(
        fields: SelectionFields,
        raw: RawSelection,
        layout: Option<Layout>,
    ) -> Result<Self, SettingsError> {
        let splits: Vec<Split> = parsed(fields.split, &raw.split)?;
        let conditions: Vec<Condition> = parsed(fields.condition, &raw.condition)?;
        let instead = format!(
            "choose by {}, {} or a range",
            fields.include, fields.exclude
        );
        if let Some(layout) = layout {
            if !splits.is_empty() && !layout.has_splits() {
                let expected = format!(
                    "cannot be used with layout {layout}, which has no folders train, val and test: {instead}"
                );
                return Err(SettingsError::value(
                    fields.split,
                    shown(&raw.split),
                    expected,
                ));
            }
            if !conditions.is_empty() && !layout.has_conditions() {
                let expected = format!(
                    "cannot be used with layout {layout}, which has no folders fog, night, rain and snow: {instead}"
                );
                return Err(SettingsError::value(
                    fields.condition,
                    shown(&raw.condition),
                    expected,
                ));
            }
        }
        Ok(Self {
            fields,
            include: Globs::new(fields.include, &listed(raw.include))?,
            exclude: Globs::new(fields.exclude, &listed(raw.exclude))?,
            splits,
            conditions,
        })
    }
}

/// Says what is selected, for messages about what that leaves: `style.include (night_*) and style.split (train)`.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: Vec<&str>| crate::wording::first_names(names);
        let patterns = |globs: &Globs| crate::wording::first_names(globs.patterns());
        let parts = [
            (self.fields.include, patterns(&self.include)),
            (self.fields.exclude, patterns(&self.exclude)),
            (
                self.fields.split,
                names(self.splits.iter().map(|split| split.as_str()).collect()),
            ),
            (
                self.fields.condition,
                names(self.conditions.iter().map(|it| it.as_str()).collect()),
            ),
        ];
        let parts = parts.into_iter().filter(|(_, values)| !values.is_empty());
        for (position, (field, values)) in parts.enumerate() {
            let and = if position > 0 { " and " } else { "" };
            write!(f, "{and}{field} ({values})")?;
        }
        Ok(())
    }
}

fn listed(texts: Option<OneOrMore>) -> Vec<String> {
    texts.map(|texts| texts.0).unwrap_or_default()
}

fn shown(texts: &Option<OneOrMore>) -> String {
    crate::wording::first_names(texts.iter().flat_map(|texts| &texts.0))
}

fn parsed<T: FromStr<Err = NotOneOf>>(
    field: &'static str,
    texts: &Option<OneOrMore>,
) -> Result<Vec<T>, SettingsError> {
    let Some(texts) = texts else {
        return Ok(Vec::new());
    };
    if texts.0.is_empty() {
        let refused = "".parse::<T>().err();
        let expected = refused.map_or_else(String::new, |error| error.to_string());
        return Err(SettingsError::value(field, "[]", expected));
    }
    let parse = |text: &String| {
        text.parse::<T>()
            .map_err(|error| SettingsError::value(field, format!("{text:?}"), error.to_string()))
    };
    texts.0.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::raw::RawContent;

    fn check(toml: &str, layout: Option<Layout>) -> Result<Selection, String> {
        let content = format!("root = \"data\"\nlayout = \"gta5\"\n{toml}");
        let raw: RawContent = toml::from_str(&content).map_err(|error| error.to_string())?;
        let raw = RawSelection {
            include: raw.include,
            exclude: raw.exclude,
            split: raw.split,
            condition: raw.condition,
        };
        Selection::check(SelectionFields::CONTENT, raw, layout).map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_and_a_list_are_read_alike() {
        let one = check("split = \"val\"\ncondition = \"fog\"", Some(Layout::Acdc)).unwrap();
        assert_eq!(
            (one.splits, one.conditions),
            (vec![Split::Val], vec![Condition::Fog])
        );
        let several = check("split = [\"train\", \"test\"]", Some(Layout::Cityscapes)).unwrap();
        assert_eq!(several.splits, [Split::Train, Split::Test]);
        assert!(check("split = \"train\"", Some(Layout::Bdd100k)).is_ok());
        assert_eq!(several.to_string(), "content.split (train, test)");
    }

    #[test]
    fn a_layout_without_splits_or_conditions_refuses_them_with_the_reason() {
        for (toml, layout, words) in [
            (
                "split = \"train\"",
                Layout::Gta5,
                "content.split (train) cannot be used with layout gta5",
            ),
            (
                "condition = \"fog\"",
                Layout::Gta5,
                "no folders fog, night, rain and snow",
            ),
            (
                "condition = \"fog\"",
                Layout::Cityscapes,
                "content.condition (fog)",
            ),
            (
                "split = \"train\"",
                Layout::Synthia,
                "content.split (train) cannot be used with layout synthia",
            ),
            (
                "condition = \"night\"",
                Layout::Bdd100k,
                "cannot be used with layout bdd100k",
            ),
            (
                "split = \"tset\"",
                Layout::Acdc,
                "(\"tset\") must be train, val or test",
            ),
            (
                "split = []",
                Layout::Acdc,
                "content.split ([]) must be train",
            ),
            (
                "condition = \"dusk\"",
                Layout::Acdc,
                "must be fog, night, rain or snow",
            ),
            (
                "include = [\"[\"]",
                Layout::Gta5,
                "content.include (\"[\") is no glob",
            ),
        ] {
            let message = check(toml, Some(layout)).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}

//! What an export is asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shared::dataset::classes::CLASSES;
use shared::globs::Globs;
use shared::settings::SettingsError;
use shared::wording::{first_names, one_of};

use super::format::Format;

/// The most bytes of a file of many items, an archive or a table, unless something else is asked for.
pub const FILE_BYTES: u64 = 1_000_000_000;
/// The least: a file of fewer holds hardly an image.
pub const MIN_FILE_BYTES: u64 = 1 << 20;
/// The most: what one request to a bucket may put.
pub const MAX_FILE_BYTES: u64 = 5 << 30;
/// The name of the items for validation.
pub const VALIDATION: &str = "val";
/// Letters of a split's name.
const MAX_SPLIT_CHARS: usize = 32;

/// What an export is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the set is laid out.
    pub format: Format,
    /// Which items it has.
    pub filters: Filters,
    /// How they are split.
    pub splits: Splits,
    /// Whether a run that is not complete is taken as it is.
    pub partial: bool,
    /// Whether images are linked and not copied.
    pub link: bool,
    /// The most bytes of an archive, or of a file of a table.
    pub file_bytes: u64,
    /// Licences beside those of the run.
    pub licences: Vec<String>,
}

/// Which items of a run are exported: those that all of this takes.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// Globs of styles; all if there are none.
    pub styles: Globs,
    /// Train ids of classes, one of which a label must show; any if there are none.
    pub classes: BTreeSet<u8>,
    /// What is left out.
    pub without: BTreeSet<Without>,
}

shared::enumerated! {
    /// Items that can be left out.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Without {
        /// Those of which a segmenter finds less than the run asks for.
        Doubtful,
        /// Those that are done with a warning.
        Warned,
    }
}

impl Without {
    /// Returns the name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Doubtful => "doubtful",
            Self::Warned => "warned",
        }
    }
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Without {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|without| without.as_str() == name);
        found.ok_or_else(|| format!("expected {}", one_of(&Self::ALL)))
    }
}

impl Filters {
    /// Returns the filters that options of the command line name.
    ///
    /// # Errors
    ///
    /// [`FilterError`] naming the option and its value.
    pub fn new(
        styles: &[String],
        classes: &[String],
        without: &[Without],
    ) -> Result<Self, FilterError> {
        let classes = classes.iter().map(|name| train_id(name));
        Ok(Self {
            styles: Globs::new("--style", styles)?,
            classes: classes.collect::<Result<_, _>>()?,
            without: without.iter().copied().collect(),
        })
    }
}

/// Filters that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A glob that is none.
    #[error(transparent)]
    Style(#[from] SettingsError),
    /// A class that no label has.
    #[error("--class {name:?} is no class: expected {}", first_names(.known))]
    Class {
        /// What was given.
        name: String,
        /// The classes.
        known: Vec<&'static str>,
    },
}

fn train_id(name: &str) -> Result<u8, FilterError> {
    let found = CLASSES.iter().position(|class| class.name == name);
    found.map(|train_id| train_id as u8).ok_or_else(|| {
        let known = CLASSES.iter().map(|class| class.name).collect();
        let name = name.chars().take(80).collect();
        FilterError::Class { name, known }
    })
}

/// How the items are split.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// The name of the items that are not for validation.
    pub train: SplitName,
    /// The share of contents that are for validation, between 0 and 1; none if all items are of one split.
    pub validation: Option<Share>,
}

/// The name of a split: letters of a-z, digits and underscores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitName(String);

impl SplitName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SplitName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > MAX_SPLIT_CHARS || !name.chars().all(is_allowed) {
            return Err(format!(
                "expected 1 to {MAX_SPLIT_CHARS} of a-z, 0-9 and _, such as train"
            ));
        }
        if [VALIDATION, "validation"].contains(&name) {
            return Err("that is what --val makes: name the other items".to_owned());
        }
        Ok(Self(name.to_owned()))
    }
}

/// A share between 0 and 1, neither of which it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// Returns the number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Self(share)),
            Ok(_) | Err(_) => Err("expected a share between 0 and 1, such as 0.1".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_filtered_by_is_refused_with_what_can() {
        let of = |class: &str| Filters::new(&[], &[class.to_owned()], &[]);
        let filters = of("traffic light").unwrap();
        assert_eq!(filters.classes, BTreeSet::from([6]));
        let told = of("lamp").unwrap_err().to_string();
        assert!(
            told.contains("\"lamp\"") && told.contains("road, sidewalk"),
            "{told}"
        );
        let told = Filters::new(&["[".to_owned()], &[], &[]).unwrap_err();
        assert!(told.to_string().contains("--style"), "{told}");
        for without in Without::ALL {
            assert_eq!(without.to_string().parse(), Ok(without));
        }
        assert!("odd".parse::<Without>().unwrap_err().contains("warned"));
    }

    #[test]
    fn a_share_is_between_nothing_and_everything_and_a_split_has_a_plain_name() {
        assert_eq!("0.25".parse::<Share>().map(Share::get), Ok(0.25));
        for text in ["0", "1", "-0.1", "nan", "inf", "a tenth", ""] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!("test_1".parse::<SplitName>().unwrap().as_str(), "test_1");
        let long = "a".repeat(33);
        for text in [
            "",
            "Train",
            "a-b",
            "a/b",
            "val",
            "validation",
            long.as_str(),
        ] {
            assert!(text.parse::<SplitName>().is_err(), "{text}");
        }
    }
}

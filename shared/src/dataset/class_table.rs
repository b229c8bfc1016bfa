//! Tables from the ids or colours of label files to the 19 classes, for datasets that have ids or colours of their own.
//!
//! A table has ids or colours, as label files have, and never both. What it does not name is unknown, as is what it calls
//! [`IGNORE`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::classes::{CLASSES, NUM_CLASSES, UNKNOWN};
use crate::wording::{counted, shortened};

/// The class of labels that are known and of none of the classes.
pub const IGNORE: &str = "ignore";

/// The most labels of a table: no dataset has so many.
pub const MAX_LABELS: usize = 4096;

/// Bytes of an earlier label that an error repeats.
const MAX_SHOWN: usize = 60;

/// How alike two names must be for one to be meant by the other.
const LIKENESS: f64 = 0.75;

/// What the labels of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableOf {
    /// Palette indices or levels.
    Ids,
    /// Colours.
    Colours,
}

impl fmt::Display for TableOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ids => "ids",
            Self::Colours => "colours",
        })
    }
}

/// What a label file shows at a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Id(u8),
    Colour([u8; 3]),
}

/// Which class each id, or each colour, of a dataset's label files is. A copy of it is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct ClassTable(Arc<BTreeMap<Label, u8>>);

/// Why labels and classes are no table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found} {expected}")]
pub struct ClassTableError {
    /// The position of what is wrong, where it is one label.
    pub position: Option<usize>,
    /// What stands there.
    pub found: String,
    /// What it must be.
    pub expected: String,
}

impl ClassTable {
    /// Returns the table of some labels, each an id or a colour, with their classes, each a name, a train id or
    /// [`IGNORE`].
    ///
    /// # Errors
    ///
    /// [`ClassTableError`] with the label, and what it must be.
    pub fn new<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ClassTableError> {
        let mut classes: BTreeMap<Label, u8> = BTreeMap::new();
        let mut written: BTreeMap<Label, &str> = BTreeMap::new();
        for (position, (label, class)) in labels.into_iter().enumerate() {
            let refused = |expected: String| ClassTableError {
                position: Some(position),
                found: format!("{label:?} = {class:?}"),
                expected,
            };
            let key = Label::parse(label).ok_or_else(|| {
                refused(
                    "must be a label by its id, 0 to 255, or by its colour, such as \"128,64,128\" or \"#804080\""
                        .to_owned(),
                )
            })?;
            let train_id = class_of(class).ok_or_else(|| refused(expected_class(class)))?;
            if let Some((first, other)) = written.first_key_value()
                && first.of() != key.of()
            {
                let other = shortened(other, MAX_SHOWN);
                return Err(refused(format!(
                    "cannot stand beside {other:?}: a table has ids or colours, as the label files have; leave one out"
                )));
            }
            if let Some(other) = written.insert(key, label) {
                let other = shortened(other, MAX_SHOWN);
                return Err(refused(format!(
                    "is there twice, first as {other:?}: leave one out"
                )));
            }
            if classes.len() == MAX_LABELS {
                return Err(refused(format!(
                    "is one too many: a table has at most {MAX_LABELS} labels"
                )));
            }
            classes.insert(key, train_id);
        }
        if classes.values().all(|&train_id| train_id == UNKNOWN) {
            return Err(ClassTableError {
                position: None,
                found: counted(classes.len(), "label", "labels"),
                expected: "must name a class for one label at least, such as \"7\" = \"road\""
                    .to_owned(),
            });
        }
        Ok(Self(Arc::new(classes)))
    }

    /// Returns whether it is of ids or of colours.
    #[must_use]
    pub fn of(&self) -> TableOf {
        // It has a label, and all are alike.
        let first = self.0.first_key_value();
        first.map_or(TableOf::Ids, |(label, _)| label.of())
    }

    /// Returns the train id of an id, [`UNKNOWN`] if it is to be ignored; none if the table does not name it.
    #[must_use]
    pub fn train_id_of_id(&self, id: u8) -> Option<u8> {
        self.0.get(&Label::Id(id)).copied()
    }

    /// Returns the train id of a colour, [`UNKNOWN`] if it is to be ignored; none if the table does not name it.
    #[must_use]
    pub fn train_id_of_colour(&self, colour: [u8; 3]) -> Option<u8> {
        self.0.get(&Label::Colour(colour)).copied()
    }
}

impl TryFrom<BTreeMap<String, String>> for ClassTable {
    type Error = ClassTableError;

    fn try_from(labels: BTreeMap<String, String>) -> Result<Self, ClassTableError> {
        let labels = labels.iter();
        Self::new(labels.map(|(label, class)| (label.as_str(), class.as_str())))
    }
}

impl From<ClassTable> for BTreeMap<String, String> {
    fn from(table: ClassTable) -> Self {
        let labels = table.0.iter();
        labels
            .map(|(label, &train_id)| (label.to_string(), name_of(train_id).to_owned()))
            .collect()
    }
}

impl Label {
    /// Returns what is written as `7`, `128,64,128` or `#804080`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(digits) = text.strip_prefix('#') {
            if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
            return Some(Self::Colour([red, green, blue]));
        }
        let mut levels = text.split(',').map(level);
        let first = levels.next()??;
        match (levels.next(), levels.next(), levels.next()) {
            (None, ..) => Some(Self::Id(first)),
            (Some(green), Some(blue), None) => Some(Self::Colour([first, green?, blue?])),
            (Some(_), ..) => None,
        }
    }

    fn of(self) -> TableOf {
        match self {
            Self::Id(_) => TableOf::Ids,
            Self::Colour(_) => TableOf::Colours,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Colour([red, green, blue]) => write!(f, "{red},{green},{blue}"),
        }
    }
}

/// Returns a number of 0 to 255 without a sign.
fn level(text: &str) -> Option<u8> {
    let text = text.trim();
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Returns the train id that a class is named by, or that is written itself; [`UNKNOWN`] for [`IGNORE`].
fn class_of(text: &str) -> Option<u8> {
    if let Some(train_id) = level(text) {
        return (usize::from(train_id) < NUM_CLASSES).then_some(train_id);
    }
    let name = plain(text);
    if name == IGNORE {
        return Some(UNKNOWN);
    }
    let position = CLASSES.iter().position(|class| class.name == name);
    position.map(|train_id| train_id as u8)
}

/// Returns a name in small letters, with blanks between its words.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-'], " ")
}

fn name_of(train_id: u8) -> &'static str {
    let class = CLASSES.get(usize::from(train_id));
    class.map_or(IGNORE, |class| class.name)
}

/// Says what a class must be that is none, and which one may be meant.
fn expected_class(wrong: &str) -> String {
    let names = CLASSES.iter().map(|class| class.name).chain([IGNORE]);
    let wrong = plain(wrong);
    let likeness = |name: &str| strsim::jaro_winkler(&wrong, name);
    let nearest = names
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|name| likeness(name) >= LIKENESS);
    let meant = nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"));
    let classes: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
    format!(
        "must be one of the classes {}, a train id of 0 to {}, or {IGNORE:?}{meant}",
        classes.join(", "),
        NUM_CLASSES - 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(labels: &[(&str, &str)]) -> (Option<usize>, String) {
        let error = ClassTable::new(labels.iter().copied()).unwrap_err();
        (error.position, error.to_string())
    }

    #[test]
    fn labels_are_named_by_ids_or_colours_and_classes_by_names_or_train_ids() {
        let ids = [
            ("7", "road"),
            ("8", "1"),
            ("19", "Traffic_Light"),
            ("0", "ignore"),
        ];
        let table = ClassTable::new(ids).unwrap();
        assert_eq!(table.of(), TableOf::Ids);
        let found = [7, 8, 19, 0, 1].map(|id| table.train_id_of_id(id));
        assert_eq!(found, [Some(0), Some(1), Some(6), Some(UNKNOWN), None]);
        let colours = [("128, 64, 128", "road"), ("#f423E8", "sidewalk")];
        let table = ClassTable::new(colours).unwrap();
        assert_eq!(table.of(), TableOf::Colours);
        assert_eq!(table.train_id_of_colour([128, 64, 128]), Some(0));
        assert_eq!(table.train_id_of_colour([244, 35, 232]), Some(1));
        assert_eq!(table.train_id_of_colour([1, 2, 3]), None);
        assert_eq!(table.train_id_of_id(128), None);
    }

    #[test]
    fn however_a_table_is_written_it_is_stored_alike() {
        let written = ClassTable::new([("#804080", "0"), ("0,0,0", "IGNORE")]).unwrap();
        let json = serde_json::to_string(&written).unwrap();
        assert_eq!(json, r#"{"0,0,0":"ignore","128,64,128":"road"}"#);
        assert_eq!(serde_json::from_str::<ClassTable>(&json).unwrap(), written);
        for wrong in [r#"{"7":"raod"}"#, "{}", r#"{"7":"ignore"}"#] {
            assert!(
                serde_json::from_str::<ClassTable>(wrong).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_label_that_is_none_is_refused_with_what_it_must_be() {
        for label in [
            "", "256", "-1", "+7", "7.0", "1,2", "1,2,256", "1,2,3,4", "#80408", "#80408g",
            "#+04080", "#8040800", "road",
        ] {
            let (position, told) = refused(&[("7", "road"), (label, "car")]);
            assert_eq!(position, Some(1), "{label}");
            let expected = format!("{label:?} = \"car\" must be a label by its id, 0 to 255");
            assert!(told.starts_with(&expected), "{told}");
        }
    }

    #[test]
    fn a_class_that_is_none_is_refused_with_the_one_that_may_be_meant() {
        let (position, told) = refused(&[("7", "raod")]);
        assert_eq!(position, Some(0));
        assert!(
            told.starts_with("\"7\" = \"raod\" must be one of the classes road, "),
            "{told}"
        );
        assert!(
            told.ends_with("or \"ignore\"; did you mean road?"),
            "{told}"
        );
        for class in ["19", "255", "-1", "", "1.0", "3 4"] {
            let (_, told) = refused(&[("7", class)]);
            assert!(told.contains("a train id of 0 to 18"), "{told}");
        }
    }

    #[test]
    fn a_label_that_is_there_twice_or_of_the_other_sort_is_refused_with_both() {
        let (position, told) = refused(&[("#804080", "road"), ("128,64,128", "road")]);
        assert_eq!(position, Some(1));
        let expected =
            "\"128,64,128\" = \"road\" is there twice, first as \"#804080\": leave one out";
        assert_eq!(told, expected);
        assert!(refused(&[("7", "road"), ("07", "car")]).1.contains("twice"));
        let (_, told) = refused(&[("7", "road"), ("0,0,0", "car")]);
        assert!(told.contains("cannot stand beside \"7\""), "{told}");
    }

    #[test]
    fn an_earlier_label_is_not_repeated_at_any_length() {
        let long = format!("7{}", " ".repeat(5000));
        for label in ["7", "0,0,0"] {
            let (position, told) = refused(&[(long.as_str(), "road"), (label, "car")]);
            assert_eq!(position, Some(1));
            assert!(told.len() < 200, "{} bytes: {told}", told.len());
        }
    }

    #[test]
    fn a_table_without_a_class_or_with_more_labels_than_any_dataset_has_is_refused() {
        assert!(refused(&[]).1.starts_with("0 labels must name a class"));
        assert!(refused(&[("0", "ignore")]).1.contains("one label at least"));
        let labels: Vec<String> = (0..=MAX_LABELS)
            .map(|number| format!("{},{},0", number / 256, number % 256))
            .collect();
        let labels: Vec<(&str, &str)> = labels.iter().map(|it| (it.as_str(), "car")).collect();
        assert_eq!(refused(&labels).0, Some(MAX_LABELS));
        assert!(ClassTable::new(labels[1..].iter().copied()).is_ok());
    }
}

//! Tables from a dataset's labels to classes, written in the settings or in a file of their own.

use std::path::Path;

use super::SettingsError;
use super::locations::file_location;
use super::raw::{RawClass, RawClasses};
use crate::dataset::class_table::{ClassTable, ClassTableError};
use crate::dataset::labels::LabelSetting;
use crate::location::Location;
use crate::read_file::{self, max_bytes};
use crate::wording::{one_line, shortened};

/// The key that names a file.
const FILE: &str = "file";
/// Bytes of a parser's words that are shown.
const MAX_REASON: usize = 200;
/// What the columns of a file may be called in its first line.
const HEADERS: [&[&str]; 6] = [
    &["id", "class"],
    &["label", "class"],
    &["colour", "class"],
    &["color", "class"],
    &["r", "g", "b", "class"],
    &["red", "green", "blue", "class"],
];

/// What a table of classes is called, in settings or on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassKeys {
    /// What says what labels are.
    pub labels: &'static str,
    /// What says which classes they are.
    pub classes: &'static str,
    /// What names a file that does.
    pub file: &'static str,
}

impl ClassKeys {
    /// `[content]`
    pub const CONTENT: Self = Self {
        labels: "content.labels",
        classes: "content.classes",
        file: "content.classes.file",
    };
    /// `[style]`
    pub const STYLE: Self = Self {
        labels: "style.labels",
        classes: "style.classes",
        file: "style.classes.file",
    };

    /// Returns the table that settings hold or name; relative paths are relative to `base`.
    pub(super) fn table(
        &self,
        raw: Option<RawClasses>,
        labels: LabelSetting,
        base: &Path,
    ) -> Result<Option<ClassTable>, SettingsError> {
        let Some(RawClasses(written)) = raw else {
            return Ok(None);
        };
        let names_a_file = written.iter().any(|(label, _)| label == FILE);
        let table = match (names_a_file, written.as_slice()) {
            (true, [(_, RawClass(file))]) => self.of_file(file, base)?,
            (true, _) => {
                return Err(SettingsError::value(
                    self.classes,
                    format!("{FILE:?} and {} more", written.len() - 1),
                    "must name a file or the labels themselves: leave one out",
                ));
            }
            (false, written) => of_written(written, |_| self.classes.to_owned())?,
        };
        self.check(&table, labels)?;
        Ok(Some(table))
    }

    /// Returns the table in the file that a text names; a relative path is relative to `base`.
    fn of_file(&self, text: &str, base: &Path) -> Result<ClassTable, SettingsError> {
        match file_location(self.file, text, base)? {
            Location::Folder(path) => self.of_path(text, &path),
            Location::Bucket(_) => Err(SettingsError::value(
                self.file,
                format!("{text:?}"),
                "must be a file of this machine: copy it here",
            )),
        }
    }

    /// Returns the table in a file, which is CSV or JSON as its name ends. `text` is how a person named it.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] with the key that names the file, or with the file and its line.
    pub fn of_path(&self, text: &str, path: &Path) -> Result<ClassTable, SettingsError> {
        let refused =
            |expected: String| SettingsError::value(self.file, format!("{text:?}"), expected);
        let read = || {
            read_file::read_text(path, max_bytes::SETTINGS)
                .map_err(|error| refused(format!("cannot be read: {error}")))
        };
        let ending = path.extension().unwrap_or_default();
        if ending.eq_ignore_ascii_case("csv") {
            of_csv(text, &read()?)
        } else if ending.eq_ignore_ascii_case("json") {
            let RawClasses(written) = serde_json::from_str(&read()?).map_err(|error| {
                let reason = shortened(&one_line(&error.to_string()), MAX_REASON);
                refused(format!("is no JSON of labels and their classes: {reason}"))
            })?;
            of_written(&written, |_| text.to_owned())
        } else {
            Err(refused(
                "must be a .csv file of lines such as 7,road or 128,64,128,road, or a .json file such as {\"7\": \"road\"}"
                    .to_owned(),
            ))
        }
    }

    /// Proves that a table is of what the label files are said to hold.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] with what says so.
    pub fn check(&self, table: &ClassTable, labels: LabelSetting) -> Result<(), SettingsError> {
        match labels.kind() {
            Some(kind) if kind.shows() != table.of() => Err(SettingsError::value(
                self.labels,
                format!("{:?}", labels.as_str()),
                format!(
                    "cannot be used with {}, a table of {}: leave one of them out",
                    self.classes,
                    table.of()
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn of_written(
    written: &[(String, RawClass)],
    field: impl Fn(Option<usize>) -> String,
) -> Result<ClassTable, SettingsError> {
    let labels = written.iter();
    let labels = labels.map(|(label, RawClass(class))| (label.as_str(), class.as_str()));
    ClassTable::new(labels).map_err(|error| at(field(error.position), error))
}

fn at(field: String, error: ClassTableError) -> SettingsError {
    SettingsError::value(field, error.found, error.expected)
}

/// Returns the table in lines such as `7,road`, `#804080,road` and `128,64,128,road`. The first line may name the columns.
fn of_csv(name: &str, text: &str) -> Result<ClassTable, SettingsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<usize> = Vec::new();
    let mut written: Vec<(String, RawClass)> = Vec::new();
    let mut is_first = true;
    for (position, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let fields = line
            .split(',')
            .map(|field| field.trim().trim_matches('"').trim());
        let fields: Vec<&str> = fields.collect();
        if std::mem::take(&mut is_first) && is_header(&fields) {
            continue;
        }
        let (label, class) = match fields.as_slice() {
            [label, class] => ((*label).to_owned(), *class),
            [red, green, blue, class] => (format!("{red},{green},{blue}"), *class),
            _ => {
                return Err(SettingsError::value(
                    format!("{name}, line {}", position + 1),
                    format!("{line:?}"),
                    "must be a label and its class, such as 7,road or 128,64,128,road",
                ));
            }
        };
        lines.push(position + 1);
        written.push((label, RawClass(class.to_owned())));
    }
    of_written(&written, |position| {
        match position.and_then(|position| lines.get(position)) {
            Some(line) => format!("{name}, line {line}"),
            None => name.to_owned(),
        }
    })
}

fn is_header(fields: &[&str]) -> bool {
    HEADERS.iter().any(|header| {
        header.len() == fields.len()
            && header
                .iter()
                .zip(fields)
                .all(|(name, field)| field.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the table of a file of this name and text.
    fn of_file(name: &str, text: &str) -> Result<ClassTable, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let table = ClassKeys::CONTENT.of_file(name, folder.path());
        table.map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_says_the_same_as_csv_and_as_json_however_it_is_written() {
        let colours = of_file("a.json", r##"{"128,64,128": "road", "#0000e6": 17}"##).unwrap();
        for text in [
            "128,64,128,road\n0,0,230,motorcycle\n",
            "r,g,b,class\r\n128, 64, 128, road\r\n\r\n0,0,230,17\r\n",
            "\u{feff}colour,class\n\"128,64,128\",road\n#0000E6,\"motorcycle\"",
        ] {
            assert_eq!(of_file("a.CSV", text), Ok(colours.clone()), "{text}");
        }
        let ids = of_file("a.csv", "id,class\n7,road\n0,ignore\n").unwrap();
        assert_eq!(
            ids,
            of_file("a.json", r#"{"0": "ignore", "7": 0}"#).unwrap()
        );
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_line() {
        for (name, text, expected) in [
            (
                "a.csv",
                "id,class\n\n7,raod\n",
                "a.csv, line 3 (\"7\" = \"raod\") must be one of the classes road",
            ),
            (
                "a.csv",
                "7,road\n7,car",
                "a.csv, line 2 (\"7\" = \"car\") is there twice, first as \"7\"",
            ),
            (
                "a.csv",
                "128,64,road",
                "a.csv, line 1 (\"128,64,road\") must be a label and its class",
            ),
            ("a.csv", "id,class\n", "a.csv (0 labels) must name a class"),
            (
                "a.json",
                r#"{"7": "road", "7": "car"}"#,
                "a.json (\"7\" = \"car\") is there twice",
            ),
            (
                "a.json",
                "{\"7\": true}",
                "content.classes.file (\"a.json\") is no JSON of labels and their classes: invalid type: boolean",
            ),
            (
                "a.json",
                "[",
                "content.classes.file (\"a.json\") is no JSON",
            ),
            (
                "a.txt",
                "7,road",
                "content.classes.file (\"a.txt\") must be a .csv file of lines such as 7,road",
            ),
        ] {
            let told = of_file(name, text).unwrap_err();
            assert!(told.starts_with(expected), "{told}");
            assert!(!told.contains('\n'), "{told}");
        }
        let told = |file: &str| {
            let refused = ClassKeys::STYLE.of_file(file, Path::new("/nowhere"));
            refused.unwrap_err().to_string()
        };
        assert!(told("a.csv").starts_with("style.classes.file (\"a.csv\") cannot be read: "));
        assert!(told("s3://b/a.csv").contains("must be a file of this machine"));
    }
}

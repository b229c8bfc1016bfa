//! Under which terms the inputs of a run, and so what is made of them, may be used.

use serde::{Deserialize, Serialize};

use crate::settings::SettingsError;
use crate::settings::raw::OneOrMore;
use crate::wording::{MOST_TEXT_BYTES, one_line};

/// More terms than any set of inputs has.
const MOST: usize = 100;
const KEY: &str = "run.licences";

/// Licences in the words of who gives them, each one line. They go with what is exported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Licences(Vec<String>);

impl Licences {
    /// Returns the licences in the order in which they were given.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.0
    }

    /// Returns whether none was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether each can stand in a line of a card.
    ///
    /// # Errors
    ///
    /// A [`SettingsError`] that names the field and its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.0.len() > MOST {
            let expected = format!("must be {MOST} texts at most");
            return Err(SettingsError::value(KEY, self.0.len(), expected));
        }
        let is_wrong = |text: &&String| {
            text.trim().is_empty() || text.len() > MOST_TEXT_BYTES || one_line(text) != **text
        };
        match self.0.iter().find(is_wrong) {
            None => Ok(()),
            Some(text) => {
                let expected = format!(
                    "must be text of one line with 1 to {MOST_TEXT_BYTES} bytes, or a list of such texts"
                );
                Err(SettingsError::value(KEY, format!("{text:?}"), expected))
            }
        }
    }
}

impl TryFrom<Option<OneOrMore>> for Licences {
    type Error = SettingsError;

    fn try_from(raw: Option<OneOrMore>) -> Result<Self, SettingsError> {
        let licences = Self(raw.map(|OneOrMore(texts)| texts).unwrap_or_default());
        licences.check()?;
        Ok(licences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_a_text_of_one_line() {
        let of = |texts: &[&str]| {
            let texts = texts.iter().map(|&text| text.to_owned()).collect();
            Licences::try_from(Some(OneOrMore(texts)))
        };
        let given = of(&["GTA5: for research only", "ACDC, §3"]).unwrap();
        assert_eq!(given.texts().len(), 2);
        assert!(Licences::try_from(None).unwrap().is_empty());
        let long = "a".repeat(MOST_TEXT_BYTES + 1);
        for wrong in ["", " ", "two\nlines", "gpj\u{202e}.exe", long.as_str()] {
            let told = of(&["MIT", wrong]).unwrap_err().to_string();
            assert!(told.starts_with("run.licences (\""), "{told}");
            assert!(told.len() < 300 && !told.contains('\n'), "{told}");
        }
        let told = of(&["MIT"; MOST + 1]).unwrap_err().to_string();
        assert_eq!(told, "run.licences (101) must be 100 texts at most");
    }
}

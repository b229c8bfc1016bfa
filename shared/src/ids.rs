//! Names of runs, shards and images.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::wording::one_line;

/// What a run's name must be.
pub(crate) const RUN_NAMES: &str =
    "must be 1 to 64 characters out of a-z, 0-9 and -, and start with a letter or digit";

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Run names become folder and queue names, so their alphabet is small.
    #[error("run name {} {}", shown(.0), RUN_NAMES)]
    Run(String),
    /// Shard ids are numbers.
    #[error("shard id {} must be a number such as 000042", shown(.0))]
    Shard(String),
}

/// Longest name of a content or style: what file systems take.
pub const MAX_NAME_BYTES: usize = 255;

/// How much of a text that is no name is shown.
const SHOWN_CHARS: usize = 80;

/// A text that cannot name a content or a style, because names become parts of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "name {} must be 1 to {} bytes without /, \\ and control characters, and neither . nor ..",
    shown(.0),
    MAX_NAME_BYTES
)]
pub struct NameError(String);

/// Returns the beginning of a text, without anything that a terminal would heed.
fn shown(text: &str) -> String {
    let end = text.char_indices().nth(SHOWN_CHARS);
    match end {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

/// Proves that a text can name a content or a style: one part of a path, on every medium.
///
/// # Errors
///
/// [`NameError`] if it is empty, `.` or `..`, longer than [`MAX_NAME_BYTES`], or holds a separator or a control character.
pub fn check_name(text: &str) -> Result<(), NameError> {
    let is_refused = |c: char| matches!(c, '/' | '\\') || c.is_control();
    if matches!(text, "" | "." | "..") || text.len() > MAX_NAME_BYTES || text.contains(is_refused) {
        return Err(NameError(text.to_owned()));
    }
    Ok(())
}

/// The name of one whole conversion.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > 64 || text.starts_with('-') || !text.chars().all(allowed)
        {
            return Err(IdError::Run(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for RunId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a shard within its run's plan, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl FromStr for ShardId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse()
            .map(Self)
            .map_err(|_| IdError::Shard(text.to_owned()))
    }
}

/// One (content, style) pair: one output image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemId {
    /// Name of the style image; first, because manifests are sorted by style.
    pub style: String,
    /// Name of the content image.
    pub content: String,
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (content, style) = (one_line(&self.content), one_line(&self.style));
        write!(f, "{content} in the style of {style}")
    }
}

/// The largest number of an attempt, far above what any shard comes to. Where something stored or sent says a larger one,
/// it is none of ours.
pub const MAX_ATTEMPT: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_name_is_lower_case_letters_digits_and_dashes() {
        assert!("gta5-to-acdc".parse::<RunId>().is_ok());
        for bad in ["", "-a", "A", "a/b", "a b", "..", "ü"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_run_name_that_is_none_is_told_with_what_one_is() {
        let told = "a b".parse::<RunId>().unwrap_err().to_string();
        assert!(
            told.starts_with("run name \"a b\" must be 1 to 64"),
            "{told}"
        );
    }

    #[test]
    fn what_is_no_name_is_not_repeated_at_length() {
        let long = "A".repeat(10_000_000);
        let run = long.parse::<RunId>().unwrap_err().to_string();
        let shard = long.parse::<ShardId>().unwrap_err().to_string();
        for told in [run, shard] {
            assert!(told.len() < 300, "{} bytes", told.len());
            assert!(told.contains("10000000 bytes"), "{told}");
        }
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        let longest = "x".repeat(MAX_NAME_BYTES);
        for good in [
            "00001",
            "Kreuzung Süd 1",
            "...",
            "a..b",
            ".hidden",
            "é",
            longest.as_str(),
        ] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
        let long = "é".repeat(MAX_NAME_BYTES / 2 + 1);
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "../a",
            "/a",
            "a\\b",
            "a\0",
            "a\nb",
            "a\u{1b}]0;x\u{7}",
            "\u{9b}1m",
            long.as_str(),
        ] {
            let told = check_name(bad).unwrap_err().to_string();
            assert!(!told.contains(char::is_control), "{told:?}");
            assert!(told.len() < 400, "{told}");
        }
    }

    #[test]
    fn an_item_is_a_part_of_a_line() {
        let item = ItemId {
            style: "night\u{202e}".to_owned(),
            content: "a\nb".to_owned(),
        };
        assert_eq!(item.to_string(), "a\\nb in the style of night\\u{202e}");
    }

    #[test]
    fn shard_ids_sort_as_they_are_written() {
        assert_eq!(ShardId(42).to_string(), "000042");
        assert_eq!("000042".parse(), Ok(ShardId(42)));
        assert!(ShardId(9).to_string() < ShardId(10).to_string());
    }
}

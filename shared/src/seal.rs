//! Seals of stored JSON documents: each carries a SHA-256 of itself, so that one changed byte is noticed.
//!
//! The last field of a sealed document is `sha256`: the SHA-256 of the path that it is stored under, a line feed and the
//! document without that field, byte by byte. So a document in the place of another one is noticed too.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::artifact::ArtifactKey;
use crate::digest::Sum;
use crate::json;
use crate::wording::shortened;

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
/// Bytes of what is wrong with a document that people are told: it may hold texts of any length.
const MOST_REASON_BYTES: usize = 400;

/// The end of a document: without a seal, and what a seal puts before and behind its digits.
struct Ending {
    plain: &'static [u8],
    before: &'static [u8],
    after: &'static [u8],
}

/// Of a document with a line for each field, and of one in a single line.
const ENDINGS: [Ending; 2] = [
    Ending {
        plain: b"\n}",
        before: b",\n  \"sha256\": \"",
        after: b"\"\n}",
    },
    Ending {
        plain: b"}",
        before: b",\"sha256\":\"",
        after: b"\"}",
    },
];

/// Whether a document's digest is that of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It carries no digest.
    Missing,
    /// Its digest is that of its bytes.
    Whole,
    /// Its digest is another one.
    Broken(SealError),
}

/// A document whose digest is not that of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its sha256 is {stated}, expected {found}: something in it was altered")]
pub struct SealError {
    /// What it says.
    pub stated: String,
    /// What its bytes give.
    pub found: String,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It was altered.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is no document of its kind: this, and where.
    #[error("{0}")]
    Malformed(String),
}

/// A document with its seal taken off and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed<'a> {
    /// The document as it was before it was sealed.
    pub json: Cow<'a, [u8]>,
    /// What it says of its bytes.
    pub seal: Seal,
}

/// Returns a JSON object that is to be stored as `key` with a digest of itself as its last field. What is no object is
/// returned as it is.
#[must_use]
pub fn seal(json: &[u8], key: &ArtifactKey) -> Vec<u8> {
    let ending = ENDINGS.iter().find(|ending| json.ends_with(ending.plain));
    let Some(ending) = ending else {
        return json.to_vec();
    };
    let body = &json[..json.len() - ending.plain.len()];
    let sha256 = digest_of(json, key);
    [body, ending.before, sha256.as_bytes(), ending.after].concat()
}

/// Returns a value as a sealed document with a line for each field.
#[must_use]
pub fn document<T: Serialize>(value: &T, key: &ArtifactKey) -> Vec<u8> {
    seal(json::lines(value).as_bytes(), key)
}

fn digest_of(json: &[u8], key: &ArtifactKey) -> String {
    let mut sum = Sum::new();
    sum.update(key.path().as_bytes());
    sum.update(b"\n");
    sum.update(json);
    sum.finish()
}

/// Returns a document that is stored as `key` without its seal, and what that says.
#[must_use]
pub fn open<'a>(bytes: &'a [u8], key: &ArtifactKey) -> Unsealed<'a> {
    let sealed = ENDINGS.iter().find_map(|ending| {
        let (body, stated) = take_apart(bytes, ending)?;
        Some(([body, ending.plain].concat(), stated))
    });
    let Some((json, stated)) = sealed else {
        return Unsealed {
            json: Cow::Borrowed(bytes),
            seal: Seal::Missing,
        };
    };
    let found = digest_of(&json, key);
    let seal = if found == stated {
        Seal::Whole
    } else {
        Seal::Broken(SealError {
            stated: stated.to_owned(),
            found,
        })
    };
    Unsealed {
        json: Cow::Owned(json),
        seal,
    }
}

/// Returns what is before a seal, and its digits.
fn take_apart<'a>(bytes: &'a [u8], ending: &Ending) -> Option<(&'a [u8], &'a str)> {
    let rest = bytes.strip_suffix(ending.after)?;
    let (body, stated) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let body = body.strip_suffix(ending.before)?;
    Some((body, std::str::from_utf8(stated).ok()?))
}

/// Returns the value of a document that is stored as `key` and is whole, or that carries no digest, as documents of earlier versions do.
///
/// # Errors
///
/// [`DocumentError`] saying what is wrong with it, and at which field.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], key: &ArtifactKey) -> Result<T, DocumentError> {
    let opened = open(bytes, key);
    match opened.seal {
        Seal::Missing | Seal::Whole => parse_plain(&opened.json),
        Seal::Broken(error) => Err(error.into()),
    }
}

/// Returns the value of a document without a seal.
pub(crate) fn parse_plain<T: DeserializeOwned>(json: &[u8]) -> Result<T, DocumentError> {
    let mut document = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let (field, reason) = (error.path().to_string(), error.inner().to_string());
        let reason = in_words(&reason);
        match field.as_str() {
            "." | "?" => malformed(&reason),
            field => malformed(&format!("{}: {reason}", shortened(field, 100))),
        }
    })?;
    let end = document.end();
    end.map_err(|error| malformed(&error.to_string()))?;
    Ok(value)
}

/// Returns what a parser says about a value without the names of types, which say nothing to people.
fn in_words(reason: &str) -> String {
    let (reason, place) = match reason.rfind(" at line ") {
        Some(at) => reason.split_at(at),
        None => (reason, ""),
    };
    if reason.contains(" untagged enum ") {
        return format!("it is none of what may stand there{place}");
    }
    let Some((found, expected)) = reason.rsplit_once(", expected ") else {
        return format!("{reason}{place}");
    };
    let kinds = ["invalid type: ", "invalid value: "];
    let wrong = kinds.iter().find_map(|kind| found.strip_prefix(kind));
    let found = match (wrong, found.strip_prefix("invalid length ")) {
        (Some(found), _) => format!("it is {found}"),
        (None, Some(length)) => format!("it is a list of length {length}"),
        (None, None) => return format!("{reason}{place}"),
    };
    let (kind, _) = expected.split_once(" with ").unwrap_or((expected, ""));
    let expected = match kind {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "a list",
        kind if kind.starts_with("tuple ") => "a list",
        kind if kind.starts_with("struct ") || kind.contains(" tagged enum ") => "an object",
        kind if kind.starts_with("enum ") || kind.starts_with("unit variant ") => "a name",
        _ => expected,
    };
    format!("{found}, expected {expected}{place}")
}

fn malformed(reason: &str) -> DocumentError {
    DocumentError::Malformed(shortened(reason, MOST_REASON_BYTES))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Map = BTreeMap<String, u32>;

    fn key() -> ArtifactKey {
        ArtifactKey::Report("demo".parse().unwrap())
    }

    fn map() -> Map {
        BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])
    }

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        name: String,
        number: u32,
    }

    #[test]
    fn a_sealed_document_is_json_with_the_digest_of_the_rest_as_its_last_field() {
        let plain = serde_json::to_vec_pretty(&map()).unwrap();
        let sealed = document(&map(), &key());
        let value: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        let whole = [&b"runs/demo/report.json\n"[..], &plain].concat();
        assert_eq!(value["sha256"], crate::digest::sha256(&whole));
        assert_eq!(value["b"], 2);
        assert_eq!(&*open(&sealed, &key()).json, plain);
        assert_eq!(parse::<Map>(&sealed, &key()).unwrap(), map());
        let line = serde_json::to_vec(&map()).unwrap();
        let sealed = seal(&line, &key());
        assert_eq!(&*open(&sealed, &key()).json, line);
        assert_eq!(open(&sealed, &key()).seal, Seal::Whole);
        assert_eq!(parse::<Map>(&plain, &key()).unwrap(), map());
        assert_eq!(open(&plain, &key()).seal, Seal::Missing);
        let elsewhere = ArtifactKey::Tally("demo".parse().unwrap());
        assert!(
            parse::<Map>(&sealed, &elsewhere).is_err(),
            "it is in another place"
        );
    }

    #[test]
    fn every_flipped_bit_and_every_byte_that_is_removed_is_noticed() {
        let record = Record {
            name: "night".to_owned(),
            number: 42,
        };
        let line = seal(&serde_json::to_vec(&record).unwrap(), &key());
        for sealed in [document(&record, &key()), line] {
            assert_eq!(parse::<Record>(&sealed, &key()).unwrap(), record);
            for at in 0..sealed.len() {
                for bit in 0..8 {
                    let mut changed = sealed.clone();
                    changed[at] ^= 1 << bit;
                    assert!(
                        parse::<Record>(&changed, &key()).is_err(),
                        "bit {bit} of byte {at}"
                    );
                }
                let mut changed = sealed.clone();
                changed.remove(at);
                assert!(
                    parse::<Record>(&changed, &key()).is_err(),
                    "without byte {at}"
                );
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_field_and_is_never_long() {
        let wrong = parse::<Record>(br#"{"name": "night", "number": "many"}"#, &key());
        let told = wrong.unwrap_err().to_string();
        let expected = "number: it is string \"many\", expected a whole number from 0 to 4294967295 at line 1 column 34";
        assert_eq!(told, expected);
        let long = format!(r#"{{"name": "n", "number": "{}"}}"#, "x".repeat(1 << 20));
        let told = parse::<Record>(long.as_bytes(), &key())
            .unwrap_err()
            .to_string();
        assert!(told.len() < 600, "{} bytes", told.len());
        for (whole, expected) in [
            ("[]", "it is a list of length 0, expected an object"),
            ("7", "it is integer `7`, expected an object"),
            (r#"{"name": "n"}"#, "missing field `number`"),
            (
                r#"{"nam": "n"}"#,
                "unknown field `nam`, expected `name` or `number`",
            ),
        ] {
            let told = parse::<Record>(whole.as_bytes(), &key());
            let told = told.unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
            assert!(!told.contains("Record"), "{told}");
        }
        let twice = br#"{"name": "n", "number": 1} {}"#;
        assert!(parse::<Record>(twice, &key()).is_err());
    }
}

//! Objects of a bucket: what a put sends, and what a head or a listing tells.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::blocking;
use crate::digest;
use crate::storage_error::StorageError;
use crate::storage_error::disk::io_error;

/// The most bytes that one request may put, as S3 has it.
pub(super) const MAX_PUT_BYTES: u64 = 5 << 30;

/// Bytes of a SHA-256.
const SHA256_BYTES: usize = 32;

/// An object of a listing.
#[derive(Debug, Clone)]
pub(crate) struct BucketObject {
    /// Path below the prefix.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) size_bytes: u64,
}

impl BucketObject {
    /// Returns the object under a key, if it is one below the prefix. Consoles make empty ones that look like folders.
    pub(super) fn below(prefix: &str, key: &str, size_bytes: u64) -> Option<Self> {
        let path = key.strip_prefix(prefix)?;
        (!path.is_empty() && !path.ends_with('/')).then(|| Self {
            path: path.to_owned(),
            size_bytes,
        })
    }
}

/// Where a listing goes on.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// What the store wants to see again.
    pub(super) token: Option<String>,
    last_key: String,
}

impl Cursor {
    /// Returns whether a key comes after those before it.
    pub(super) fn moves_to(&mut self, key: &str) -> bool {
        let moves = key > self.last_key.as_str();
        self.last_key.replace_range(.., key);
        moves
    }
}

/// A page of a listing that is said not to be the last, without a token to go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CutShort;

/// Returns the token that a listing goes on with; nothing after its last page.
pub(super) fn next_token(
    is_truncated: Option<bool>,
    token: Option<String>,
) -> Result<Option<String>, CutShort> {
    match (is_truncated, token) {
        (Some(true), None) => Err(CutShort),
        (Some(true), Some(token)) => Ok(Some(token)),
        (Some(false) | None, _) => Ok(None),
    }
}

/// Returns the size that a store says; none if it says none, or one that no object has.
pub(super) fn size(bytes: Option<i64>) -> Option<u64> {
    u64::try_from(bytes?).ok()
}

/// What a store says of an object.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Size in bytes.
    pub(crate) size_bytes: u64,
    /// Changes with the object.
    pub(crate) etag: String,
    /// SHA-256 in base64, if the store knows it. An upload in parts has a digest of digests here, with a `-`.
    pub(super) sha256: Option<String>,
}

impl Head {
    /// Returns whether the object has these bytes; nothing if the store does not know.
    pub(crate) fn has(&self, bytes: &Bytes) -> Option<bool> {
        if self.size_bytes != bytes.len() as u64 {
            return Some(false);
        }
        let known = self.sha256()?;
        Some(known == digest::sha256(bytes))
    }

    /// Returns the SHA-256 of the whole object as hexadecimal digits; nothing if the store does not know it.
    pub(crate) fn sha256(&self) -> Option<String> {
        let bytes = BASE64_STANDARD.decode(self.sha256.as_ref()?).ok()?;
        (bytes.len() == SHA256_BYTES).then(|| digest::hex(&bytes))
    }
}

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    /// These bytes.
    Bytes(&'a Bytes),
    /// What a file holds.
    File(&'a Path),
}

impl Body<'_> {
    /// Returns the size in bytes.
    pub(crate) async fn size_bytes(self) -> Result<u64, StorageError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => {
                let path = path.to_owned();
                blocking::run(move || {
                    let metadata = path.metadata();
                    let size = metadata.map(|metadata| metadata.len());
                    size.map_err(|error| io_error("read", &path, error))
                })
                .await
            }
        }
    }

    /// Returns the SHA-256 in base64.
    pub(super) async fn sha256(self) -> Result<String, StorageError> {
        match self {
            Self::Bytes(bytes) => Ok(base64(&digest::sha256(bytes))),
            Self::File(path) => {
                let path = path.to_owned();
                blocking::run(move || {
                    let sha256 = digest::sha256_of_file(&path);
                    let sha256 = sha256.map_err(|error| io_error("read", &path, error))?;
                    Ok(base64(&sha256))
                })
                .await
            }
        }
    }
}

/// The condition of a put: `If-None-Match`, `If-Match` or none.
#[derive(Debug, Clone, Copy)]
pub(super) enum PutCondition<'a> {
    /// None.
    Any,
    /// That there is no object.
    Free,
    /// That there is the object of this tag.
    Is(&'a str),
}

/// Whether a put wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It wrote.
    Written,
    /// Its condition did not hold: an object is there where it was to be new, or another one than it was to replace, or
    /// none.
    Taken,
}

/// Returns hexadecimal digits as S3 wants them.
fn base64(hex: &str) -> String {
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    BASE64_STANDARD.encode(bytes.expect("a digest of ours is hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(sha256: Option<&str>) -> Head {
        Head {
            size_bytes: 3,
            etag: String::new(),
            sha256: sha256.map(str::to_owned),
        }
    }

    #[test]
    fn an_object_of_which_a_store_says_no_size_is_not_taken_for_an_empty_one() {
        for (said, size_bytes) in [(Some(7), Some(7)), (Some(0), Some(0))] {
            assert_eq!(size(said), size_bytes);
        }
        assert_eq!([size(None), size(Some(-1))], [None; 2]);
    }

    #[test]
    fn a_listing_that_goes_on_without_saying_where_is_not_taken_for_a_whole_one() {
        let token = || Some("more".to_owned());
        assert_eq!(next_token(Some(true), token()), Ok(token()));
        assert_eq!(next_token(Some(true), None), Err(CutShort));
        for is_truncated in [Some(false), None] {
            assert_eq!(next_token(is_truncated, token()), Ok(None));
            assert_eq!(next_token(is_truncated, None), Ok(None));
        }
    }

    #[test]
    fn an_object_is_known_by_its_size_and_the_digest_of_the_whole() {
        let abc = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        let bytes = Bytes::from_static;
        assert_eq!(head(Some(abc)).has(&bytes(b"abc")), Some(true));
        assert_eq!(head(Some(abc)).has(&bytes(b"abd")), Some(false));
        assert_eq!(head(None).has(&bytes(b"abcd")), Some(false));
        assert_eq!(head(None).has(&bytes(b"abc")), None);
        assert_eq!(head(Some("b2Zwlk=-2")).has(&bytes(b"abc")), None);
        assert_eq!(head(Some(abc)).sha256(), Some(digest::sha256(b"abc")));
        let none = [
            None,
            Some(""),
            Some("b2Zwlk=-2"),
            Some("YWJj"),
            Some("no base64"),
        ];
        assert!(
            none.into_iter()
                .all(|stored| head(stored).sha256().is_none())
        );
    }
}

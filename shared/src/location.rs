//! Where datasets, models and results lie: a folder, or a bucket with a prefix.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::paths::{self, PathError};

/// A folder, or a bucket with a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Location {
    /// A folder of this machine, or one that is mounted here.
    Folder(PathBuf),
    /// Objects of an S3 bucket.
    Bucket(BucketPrefix),
}

/// A bucket, and the prefix of the keys in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketPrefix {
    /// The bucket's name.
    pub bucket: String,
    /// What every key begins with: empty, or ending in `/`.
    pub prefix: String,
}

/// A text that is no [`Location`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing.
    #[error("must name a folder or s3://bucket/prefix")]
    Empty,
    /// A scheme that is not supported.
    #[error("must be a folder or s3://bucket/prefix: {0}:// is not supported")]
    Scheme(String),
    /// An S3 address that names no bucket.
    #[error("must be s3://bucket/prefix: it names no bucket")]
    NoBucket,
    /// An S3 address with a slash too few.
    #[error("must be s3://bucket/prefix, with two slashes")]
    OneSlash,
    /// A path of Windows.
    #[error(
        "must be a folder or s3://bucket/prefix: it is a path of Windows; write /mnt/c/... in WSL"
    )]
    Windows,
    /// A path that cannot be expanded.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Location {
    /// Returns what a person's text names, where it really is: `~` and `${NAME}` are expanded, a relative folder is relative
    /// to `base`, and links are followed as far as there are any.
    ///
    /// # Errors
    ///
    /// [`LocationError`] saying what it must be.
    pub fn given(text: &str, base: &Path) -> Result<Self, LocationError> {
        let text = paths::expand(text)?;
        let is_drive = |start: &[u8]| {
            start.first().is_some_and(u8::is_ascii_alphabetic)
                && matches!(start.get(1..3), Some(b":\\" | b":/"))
        };
        if text.starts_with("s3:") && !text.starts_with("s3://") {
            return Err(LocationError::OneSlash);
        }
        if (is_drive(text.as_bytes()) && !text.contains("://")) || text.starts_with(r"\\") {
            return Err(LocationError::Windows);
        }
        Ok(Self::parse(&text, base)?.absolute())
    }

    /// Returns what a text names as it stands; a relative folder is relative to `base`.
    ///
    /// # Errors
    ///
    /// [`LocationError`] saying what it must be.
    pub fn parse(text: &str, base: &Path) -> Result<Self, LocationError> {
        match text.split_once("://") {
            None if text.is_empty() => Err(LocationError::Empty),
            None => Ok(Self::Folder(base.join(text))),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(LocationError::NoBucket);
                }
                let prefix = prefix.trim_matches('/');
                let slash = if prefix.is_empty() { "" } else { "/" };
                Ok(Self::Bucket(BucketPrefix {
                    bucket: bucket.to_owned(),
                    prefix: format!("{prefix}{slash}"),
                }))
            }
            Some((scheme, _)) => Err(LocationError::Scheme(scheme.to_owned())),
        }
    }

    /// Returns the folder or prefix that holds the file at this location, and the file's name; none of a root.
    #[must_use]
    pub fn split_file(&self) -> Option<(Self, String)> {
        match self {
            Self::Folder(path) => {
                let name = path.file_name()?.to_string_lossy().into_owned();
                let folder = path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty());
                Some((Self::Folder(folder.unwrap_or(Path::new(".")).into()), name))
            }
            Self::Bucket(at) => {
                let key = at.prefix.trim_end_matches('/');
                let (prefix, name) = match key.rsplit_once('/') {
                    Some((prefix, name)) => (format!("{prefix}/"), name),
                    None => (String::new(), key),
                };
                let bucket = at.bucket.clone();
                (!name.is_empty()).then(|| {
                    (
                        Self::Bucket(BucketPrefix { bucket, prefix }),
                        name.to_owned(),
                    )
                })
            }
        }
    }

    /// Returns this location with a folder made absolute, so that other processes find it.
    #[must_use]
    pub fn absolute(&self) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(paths::real(folder)),
            Self::Bucket(_) => self.clone(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Bucket(at) => {
                let address = format!("s3://{}/{}", at.bucket, at.prefix);
                f.write_str(address.trim_end_matches('/'))
            }
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        Self::parse(text, Path::new(""))
    }
}

impl TryFrom<String> for Location {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, LocationError> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_its_prefix_are_read_with_or_without_slashes() {
        for text in ["s3://b/a/c", "s3://b/a/c/"] {
            let location: Location = text.parse().unwrap();
            let expected = BucketPrefix {
                bucket: "b".into(),
                prefix: "a/c/".into(),
            };
            assert_eq!(location, Location::Bucket(expected));
            assert_eq!(location.to_string(), "s3://b/a/c");
        }
        assert_eq!("s3://b".parse::<Location>().unwrap().to_string(), "s3://b");
    }

    #[test]
    fn what_is_neither_a_folder_nor_a_bucket_is_refused() {
        for text in ["", "s3://", "s3:///a", "gs://b/a", "http://h/p"] {
            assert!(text.parse::<Location>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn a_file_is_split_from_what_holds_it() {
        for (file, folder, name) in [
            ("s3://b/a/r.npz", "s3://b/a", "r.npz"),
            ("s3://b/r.npz", "s3://b", "r.npz"),
            ("/a/r.npz", "/a", "r.npz"),
            ("r.npz", ".", "r.npz"),
        ] {
            let (found, found_name) = file.parse::<Location>().unwrap().split_file().unwrap();
            assert_eq!(
                (found.to_string().as_str(), found_name.as_str()),
                (folder, name)
            );
        }
        assert!("s3://b".parse::<Location>().unwrap().split_file().is_none());
    }

    #[test]
    fn a_relative_folder_is_relative_to_its_base() {
        let location = Location::parse("data", Path::new("/base")).unwrap();
        assert_eq!(location, Location::Folder("/base/data".into()));
    }
}

//! The record of a shard in the making: digests of the images that no commit names yet, and of the files they were made
//! from.
//!
//! A stored image does not show what it was made from. This is stored before the image, so that a later attempt keeps the
//! image only while the files of its content are the same. It may be lost: what it does not tell is made again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactKey;
use crate::ids::ItemId;
use crate::manifest::ManifestRow;
use crate::seal::{self, DocumentError};

/// The images that attempts at a shard have made before its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// Digest of all that the run is planned with, as its record has it.
    pub plan_hash: String,
    /// The images: of each style, those of its contents.
    images: BTreeMap<String, BTreeMap<String, MadeImage>>,
}

/// The digests of an image and of what it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeImage {
    /// SHA-256 of the image.
    pub sha256: String,
    /// Its content.
    pub content: ContentDigests,
    /// SHA-256 of the class map of its style, if that has no label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_sha256: Option<String>,
}

/// The digests of a content's image and label files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentDigests {
    /// SHA-256 of its image file.
    pub image_sha256: String,
    /// SHA-256 of its label as it is stored.
    pub label_sha256: String,
}

impl ContentDigests {
    /// Returns what a row says of its content; nothing if it is not done.
    #[must_use]
    pub fn of_row(row: &ManifestRow) -> Option<Self> {
        Some(Self {
            image_sha256: row.content_sha256.clone()?,
            label_sha256: row.output.as_ref()?.label_sha256.clone(),
        })
    }
}

impl Making {
    /// Returns an empty record, for a run with this digest of its plan.
    #[must_use]
    pub fn nothing(plan_hash: &str) -> Self {
        Self {
            plan_hash: plan_hash.to_owned(),
            images: BTreeMap::new(),
        }
    }

    /// Returns what was made of an item; nothing if that is not known.
    #[must_use]
    pub fn of(&self, style: &str, content: &str) -> Option<&MadeImage> {
        self.images.get(style)?.get(content)
    }

    /// Returns what was made of a content, in any style.
    pub fn of_content<'a>(&'a self, content: &'a str) -> impl Iterator<Item = &'a MadeImage> {
        self.images
            .values()
            .filter_map(move |images| images.get(content))
    }

    /// Adds what is made of an item, in place of what was; returns whether that is new.
    pub fn add(&mut self, item: ItemId, made: MadeImage) -> bool {
        if self.of(&item.style, &item.content) == Some(&made) {
            return false;
        }
        let images = self.images.entry(item.style).or_default();
        images.insert(item.content, made);
        true
    }

    /// Returns it as it is stored under a key, with a digest of itself.
    #[must_use]
    pub fn to_json(&self, key: &ArtifactKey) -> Vec<u8> {
        seal::document(self, key)
    }

    /// Returns what some bytes say that are stored under a key.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if they are something else, or were altered.
    pub fn parse(bytes: &[u8], key: &ArtifactKey) -> Result<Self, DocumentError> {
        seal::parse(bytes, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ShardId;

    fn made(sha256: &str) -> MadeImage {
        MadeImage {
            sha256: sha256.to_owned(),
            content: ContentDigests {
                image_sha256: "a".to_owned(),
                label_sha256: "b".to_owned(),
            },
            prior_sha256: None,
        }
    }

    fn item(style: &str) -> ItemId {
        ItemId {
            style: style.to_owned(),
            content: "00001".to_owned(),
        }
    }

    #[test]
    fn what_was_made_survives_its_json_and_is_told_by_item_and_by_content() {
        let mut making = Making::nothing("hash");
        assert!(making.add(item("night"), made("1")));
        assert!(!making.add(item("night"), made("1")));
        assert!(making.add(item("night"), made("2")));
        assert!(making.add(item("snow"), made("3")));
        assert_eq!(making.of("night", "00001"), Some(&made("2")));
        assert_eq!(making.of("night", "00002"), None);
        assert_eq!(making.of_content("00001").count(), 2);

        let run = "demo".parse().unwrap();
        let key = ArtifactKey::Making(run, ShardId(7));
        let json = making.to_json(&key);
        assert_eq!(Making::parse(&json, &key).unwrap(), making);
        let elsewhere = ArtifactKey::Making("demo".parse().unwrap(), ShardId(8));
        assert!(Making::parse(&json, &elsewhere).is_err());
    }
}

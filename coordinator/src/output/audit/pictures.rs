//! Pictures as they are stored: whose bytes they are, how large, and whether every part of the file is whole.

use imaging::{NamedBytes, decode_image};
use shared::artifact::ArtifactKey;
use shared::digest;
use shared::failure::chain;
use shared::manifest::Output;
use shared::storage::{Storage, StorageError};

use crate::run::unreadable::{self, ReadError};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What is in the place of a picture.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// An object without a byte.
    NoBytes,
    /// What cannot be read, and why.
    Unreadable(String),
    /// A file.
    File {
        /// SHA-256 of its bytes.
        sha256: String,
        /// Width and height, if it is a PNG.
        size: Option<(u32, u32)>,
    },
}

/// What a picture must be.
pub(super) struct Expected<'a> {
    pub(super) path: &'a str,
    pub(super) sha256: &'a str,
    pub(super) size: (u32, u32),
}

impl<'a> Expected<'a> {
    /// Returns what a row says of its image.
    pub(super) fn image(output: &'a Output) -> Self {
        Self {
            path: &output.image_key,
            sha256: &output.image_sha256,
            size: (output.width, output.height),
        }
    }

    /// Adds what is other about what was found.
    pub(super) fn compare(&self, found: &Found, findings: &mut Vec<String>) {
        let path = self.path;
        match found {
            Found::Nothing => findings.push(format!("{path} is missing")),
            Found::NoBytes => findings.push(format!("{path} is empty")),
            Found::Unreadable(why) => findings.push(format!("{path} cannot be read: {why}")),
            Found::File { sha256, .. } if sha256 != self.sha256 => findings.push(format!(
                "{path} has SHA-256 {sha256}, its row says {}",
                self.sha256
            )),
            Found::File { size, .. } if *size != Some(self.size) => {
                let (width, height) = self.size;
                let found = size.map_or_else(
                    || "no PNG".to_owned(),
                    |(width, height)| format!("{width}x{height}"),
                );
                findings.push(format!("{path} is {found}, its row says {width}x{height}"));
            }
            Found::File { .. } => {}
        }
    }
}

/// Looks at what is stored in the place of a picture.
///
/// # Errors
///
/// If storage does not answer.
pub(super) async fn look(storage: &dyn Storage, key: &ArtifactKey) -> Result<Found, StorageError> {
    Ok(match unreadable::read(storage, key).await {
        Ok(bytes) if bytes.is_empty() => Found::NoBytes,
        Ok(bytes) => Found::File {
            sha256: digest::sha256(&bytes),
            size: size(&bytes),
        },
        Err(ReadError::Absent) => Found::Nothing,
        Err(ReadError::Unreadable(error)) => Found::Unreadable(error.why()),
        Err(ReadError::Storage(error)) => return Err(error),
    })
}

/// Returns what is other about a stored picture, whose SHA-256 and size are `expected`.
///
/// # Errors
///
/// If storage does not answer.
pub(super) async fn check(
    storage: &dyn Storage,
    key: &ArtifactKey,
    (sha256, size): (&str, (u32, u32)),
) -> Result<Vec<String>, StorageError> {
    let mut findings = Vec::new();
    let found = look(storage, key).await?;
    let path = key.path();
    let expected = Expected {
        path: &path,
        sha256,
        size,
    };
    expected.compare(&found, &mut findings);
    Ok(findings)
}

/// Returns the width and the height that a PNG file says first.
fn size(file: &[u8]) -> Option<(u32, u32)> {
    let head = file.strip_prefix(SIGNATURE)?.get(4..16)?;
    let rest = head.strip_prefix(b"IHDR")?;
    let number = |at: usize| -> Option<u32> {
        let bytes = rest.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    Some((number(0)?, number(4)?))
}

/// Returns what is wrong with a PNG file of which no digest is known; nothing if it can be decoded and each of its parts has
/// the checksum that it carries, with nothing before, between and behind them.
pub(super) fn damage(file: &[u8]) -> Option<String> {
    if let Err(why) = check_parts(file) {
        return Some(why.to_owned());
    }
    let named = NamedBytes {
        name: "the picture",
        bytes: file,
    };
    decode_image(named).err().map(|error| chain(&error))
}

fn check_parts(file: &[u8]) -> Result<(), &'static str> {
    let mut rest = file.strip_prefix(SIGNATURE).ok_or("it is no PNG")?;
    let mut last: &[u8] = b"";
    while !rest.is_empty() {
        if last == b"IEND" {
            return Err("something stands behind its end");
        }
        let (length, body) = rest.split_first_chunk().ok_or("it is cut short")?;
        let length = u32::from_be_bytes(*length) as usize;
        let end = length.checked_add(4).ok_or("it is cut short")?;
        let (part, behind) = body.split_at_checked(end).ok_or("it is cut short")?;
        let (checksum, behind) = behind.split_first_chunk().ok_or("it is cut short")?;
        if u32::from_be_bytes(*checksum) != crc32fast::hash(part) {
            return Err("a part of it has another checksum");
        }
        last = &part[..4];
        rest = behind;
    }
    if last == b"IEND" {
        Ok(())
    } else {
        Err("it has no end")
    }
}

#[cfg(test)]
mod tests {
    use imaging::encode_png;
    use ndarray::Array3;

    use super::*;

    #[test]
    fn every_flipped_bit_and_every_removed_byte_of_a_picture_is_damage() {
        let pixels = Array3::from_shape_fn((4, 8, 3), |(y, x, c)| (y * 31 + x * 7 + c) as u8);
        let file = encode_png(pixels.view()).unwrap();
        assert_eq!(damage(&file), None);
        assert_eq!(size(&file), Some((8, 4)));
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                assert!(damage(&changed).is_some(), "bit {bit} of byte {at}");
            }
            let mut changed = file.clone();
            changed.remove(at);
            assert!(damage(&changed).is_some(), "without byte {at}");
        }
        let longer = [&file[..], b"more"].concat();
        assert!(damage(&longer).is_some());
    }
}

//! The digest that a manifest carries of its own bytes.
//!
//! It stands in the footer, as 64 digits among the file's own keys and values: the SHA-256 of the whole file with zeros in
//! place of those digits. So it is committed with the rows, in one object, and no byte of the file is without it.

use std::io::{self, Write};

use parquet::file::metadata::KeyValue;

use super::ManifestError;
use crate::digest::Sum;

/// The digest's key in the footer.
const KEY: &str = "synth2real.sha256";
/// What the key is followed by there: the head of a text, and its length.
const BEFORE_DIGITS: [u8; 2] = [0x18, DIGITS as u8];
const DIGITS: usize = 64;
/// Who writes files that carry a digest: one that has lost it is told from one that never had any.
pub(super) const CREATED_BY: &str = "synth2real, sealed";
/// From the digest to the end of a file there is less.
const END_BYTES: usize = 1 << 20;

/// Returns what is to stand in the footer before the digest is known.
pub(super) fn blank() -> KeyValue {
    KeyValue::new(KEY.to_owned(), "0".repeat(DIGITS))
}

/// Returns whether a file carries a digest.
///
/// # Errors
///
/// [`ManifestError::Altered`] if it is not that of its bytes, [`ManifestError::DigestLost`] if it must have one.
pub(super) fn check(file: &[u8]) -> Result<bool, ManifestError> {
    let Some(at) = place(file) else {
        return match find_last(file, CREATED_BY.as_bytes()) {
            Some(_) => Err(ManifestError::DigestLost),
            None => Ok(false),
        };
    };
    let (before, rest) = file.split_at(at);
    let (stated, after) = rest.split_at(DIGITS);
    let mut sum = Sum::new();
    sum.update(before);
    sum.update("0".repeat(DIGITS).as_bytes());
    sum.update(after);
    let found = sum.finish();
    if found.as_bytes() == stated {
        return Ok(true);
    }
    Err(ManifestError::Altered {
        stated: String::from_utf8_lossy(stated).into_owned(),
        found,
    })
}

/// Returns where the digits are.
fn place(file: &[u8]) -> Option<usize> {
    let key = [KEY.as_bytes(), &BEFORE_DIGITS].concat();
    let at = find_last(file, &key)? + key.len();
    (at + DIGITS <= file.len()).then_some(at)
}

/// Returns where something is found last near the end of a file.
fn find_last(file: &[u8], wanted: &[u8]) -> Option<usize> {
    let start = file.len().saturating_sub(END_BYTES);
    let end = &file[start..];
    let at = end
        .windows(wanted.len())
        .rposition(|window| window == wanted)?;
    Some(start + at)
}

/// Puts the digest into a file that is written through it. It holds the last part back, where the digest belongs.
pub(super) struct Sealing<W> {
    to: W,
    sum: Sum,
    held_back: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            to,
            sum: Sum::new(),
            held_back: Vec::new(),
        }
    }

    /// Writes what was held back, with the digest, and returns what the file was written to.
    pub(super) fn finish(self) -> io::Result<W> {
        let Self {
            mut to,
            mut sum,
            mut held_back,
        } = self;
        sum.update(&held_back);
        if let Some(at) = place(&held_back) {
            let sha256 = sum.finish();
            held_back[at..at + DIGITS].copy_from_slice(sha256.as_bytes());
        }
        to.write_all(&held_back)?;
        to.flush()?;
        Ok(to)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held_back.extend_from_slice(bytes);
        if self.held_back.len() > 2 * END_BYTES {
            let ready = self.held_back.len() - END_BYTES;
            self.sum.update(&self.held_back[..ready]);
            self.to.write_all(&self.held_back[..ready])?;
            self.held_back.drain(..ready);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

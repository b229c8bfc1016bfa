//! SHA-256 of bytes, files and values.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::json;
use crate::read_file;

/// Returns the SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns the SHA-256 of a file without holding it in memory. What is no file is refused.
///
/// # Errors
///
/// Whatever opening or reading the file gives.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    sha256_of_open(read_file::open(path)?)
}

/// Returns the SHA-256 of an open file from where it is, without holding it in memory.
///
/// # Errors
///
/// Whatever reading the file gives.
pub fn sha256_of_open(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// A SHA-256 of bytes that come one after the other.
pub struct Sum(Sha256);

impl Sum {
    /// Returns that of no bytes yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the SHA-256 of a value's JSON form.
///
/// # Panics
///
/// If the value cannot be JSON, as no value of our own types is: see [`json`].
#[must_use]
pub fn sha256_of_json<T: Serialize>(value: &T) -> String {
    sha256(json::line(value).as_bytes())
}

/// Returns bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_abc_is_the_one_in_the_standard() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

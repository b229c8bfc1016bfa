//! The version of ONNX Runtime that a library is of, as its symbols say: `OrtGetApiBase@@VERS_1.31.0`.
//!
//! The library's own answer is only to be had through a pointer, and its build says nothing but a commit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What the version of its symbols begins with.
const MARK: &[u8] = b"\0VERS_";
/// Letters of a version at most.
const MAX_LETTERS: usize = 20;
const BLOCK: usize = 1 << 20;
/// More than any such library has.
const MAX_BYTES: u64 = 1 << 31;

/// Returns the version of a library; none of one that does not say.
///
/// # Errors
///
/// If it cannot be read.
pub(super) fn read(library: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(library)?.take(MAX_BYTES);
    let mut window: Vec<u8> = Vec::with_capacity(2 * BLOCK);
    loop {
        let before = window.len();
        file.by_ref().take(BLOCK as u64).read_to_end(&mut window)?;
        if let Some(version) = find(&window) {
            return Ok(Some(version));
        }
        if window.len() == before {
            return Ok(None);
        }
        // A version may begin at the end of a block.
        let kept = window.len().min(MARK.len() + MAX_LETTERS + 1);
        window.drain(..window.len() - kept);
    }
}

/// Returns the first version that stands whole in some bytes.
fn find(bytes: &[u8]) -> Option<String> {
    let places = bytes.windows(MARK.len()).enumerate();
    let mut places = places.filter(|(_, window)| *window == MARK);
    places.find_map(|(at, _)| {
        let text = &bytes[at + MARK.len()..];
        let text = &text[..text.len().min(MAX_LETTERS + 1)];
        let end = text.iter().position(|byte| *byte == 0)?;
        let version = &text[..end];
        let is_version = version
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let starts = version.first().is_some_and(u8::is_ascii_digit);
        (is_version && starts).then(|| String::from_utf8_lossy(version).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_in(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path()).unwrap()
    }

    #[test]
    fn a_version_is_found_wherever_it_stands() {
        let version = b"\0VERS_1.31.0\0";
        for before in [0, 3, BLOCK - 9, BLOCK - 1, BLOCK, 2 * BLOCK - 4] {
            let mut bytes = vec![b'x'; before];
            bytes.extend_from_slice(version);
            assert_eq!(version_in(&bytes).as_deref(), Some("1.31.0"), "{before}");
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        for bytes in [
            &b""[..],
            b"\0VERS_",
            b"\0VERS_1.31.0",
            b"\0VERS_\0",
            b"\0VERS_CXX\0",
            b"VERS_1.31.0\0",
        ] {
            assert_eq!(version_in(bytes), None, "{bytes:?}");
        }
    }
}

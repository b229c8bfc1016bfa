//! `SHA256SUMS`: the digests of an export's files, written as the files are.

use std::io::{BufWriter, Write};

use shared::target::Target;
use tempfile::NamedTempFile;

use super::ExportError;
use super::place::making;

/// Digests in the order in which the files are written, which is always the same.
pub(super) struct Sums {
    file: BufWriter<NamedTempFile>,
    count: usize,
}

impl Sums {
    /// Returns those of no files yet.
    pub(super) fn new(target: &dyn Target) -> Result<Self, ExportError> {
        let file = target.temporary_file().map_err(ExportError::of_target)?;
        Ok(Self {
            file: BufWriter::new(file),
            count: 0,
        })
    }

    /// Notes a file.
    pub(super) fn note(&mut self, path: &str, sha256: &str) -> Result<(), ExportError> {
        self.count += 1;
        self.write(&line(path, sha256))
    }

    /// Notes files in lines that [`line`] made.
    pub(super) fn note_lines(&mut self, lines: &str) -> Result<(), ExportError> {
        self.count += lines.lines().count();
        self.write(lines)
    }

    fn write(&mut self, lines: &str) -> Result<(), ExportError> {
        let written = self.file.write_all(lines.as_bytes());
        written.map_err(|source| making(self.file.get_ref().path(), source))
    }

    /// Returns the file and how many files it speaks of.
    pub(super) fn finish(self) -> Result<(NamedTempFile, usize), ExportError> {
        let temporary = self.file.get_ref().path().to_owned();
        let file = self.file.into_inner();
        let file = file.map_err(|error| making(&temporary, error.into_error()))?;
        Ok((file, self.count))
    }
}

/// Returns the line of a file. Names of files in an export have neither ends of lines nor backslashes.
pub(super) fn line(path: &str, sha256: &str) -> String {
    format!("{sha256}  {path}\n")
}

/// Returns the digest and the path of a line; nothing if it is none.
pub(super) fn parse(line: &str) -> Option<(&str, &str)> {
    let (sha256, path) = line.split_once("  ")?;
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    let is_digest = sha256.len() == 64 && sha256.bytes().all(is_digit);
    (is_digest && !path.is_empty()).then_some((sha256, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_nothing_else_is() {
        let sha256 = shared::digest::sha256(b"abc");
        let written = line("a b/c  d.png", &sha256);
        assert_eq!(
            parse(written.trim_end()),
            Some((sha256.as_str(), "a b/c  d.png"))
        );
        let upper = sha256.to_uppercase();
        let wrong = [String::new(), "abc  a".to_owned(), format!("{sha256}  ")];
        for wrong in wrong.into_iter().chain([format!("{upper}  a"), sha256]) {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }
}

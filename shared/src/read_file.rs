//! Reads files that may be anything (folders, devices, of any size) within a limit.
//!
//! A pipe in the place of a file is waited for without end, a device has no end, and a file of a few bytes on the disk may
//! claim to hold more than there is memory. So only files are opened, and each kind has a size that none exceeds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Sizes in bytes that no file of a kind exceeds.
pub mod max_bytes {
    /// A token or a password.
    pub const SECRET: u64 = 1 << 16;
    /// Settings: a few lines.
    pub const SETTINGS: u64 = 1 << 20;
    /// The contract of a model or a network, with a line for each tensor between its parts.
    pub const CONTRACT: u64 = 1 << 24;
    /// The embedding of a prompt.
    pub const EMBEDDING: u64 = 1 << 26;
    /// A graph whose weights may lie in it.
    pub const GRAPH: u64 = 1 << 30;
    /// A model's weights, which are never in memory whole.
    pub const WEIGHTS: u64 = 1 << 36;
    /// A picture, a label map or a file of statistics: more than the largest picture has without compression.
    pub const DATA: u64 = 1 << 29;
    /// A decision about a run, which may name millions of items.
    pub const DECISION: u64 = 1 << 28;
    /// A failed attempt: texts that have a bound, each of their characters escaped.
    pub const ATTEMPT: u64 = 1 << 20;
    /// What is stored of a run, whatever its size.
    pub const OBJECT: u64 = 1 << 32;
}

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is something else.
    #[error("it is a pipe, socket or device, and no file")]
    NoFile,
    /// It is a link to nothing, or to itself.
    #[error("it is a link that leads nowhere")]
    LeadsNowhere,
    /// It is larger than any file of its kind.
    #[error("it has {found_bytes} bytes, and such a file has at most {max_bytes}")]
    TooLarge {
        /// Its size.
        found_bytes: u64,
        /// The most that is read.
        max_bytes: u64,
    },
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::new(io::ErrorKind::InvalidData, refused)
    }
}

/// Returns whether an error says that a thing is not read, whatever may be tried.
#[must_use]
pub fn is_refused(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.downcast_ref::<Refused>().is_some())
}

/// Returns whether an error of reading a file says nothing about the file: what it lies in is away. A folder that is not
/// there, or in which nothing is, is not mounted; one that may not be read or does not answer may be another time. What is
/// known of the file itself (it is gone from among others, or is none) will not pass.
///
/// Looks into the folder, so it waits for the disk.
#[must_use]
pub fn is_away(folder: &Path, error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound => !has_anything(folder),
        io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::OutOfMemory => false,
        _ if is_refused(error) => false,
        // A link that leads to itself.
        _ => error.raw_os_error() != Some(Errno::LOOP.raw_os_error()),
    }
}

/// Returns whether anything lies in a folder.
fn has_anything(folder: &Path) -> bool {
    let entries = fs::read_dir(folder);
    entries.is_ok_and(|mut entries| entries.next().is_some_and(|entry| entry.is_ok()))
}

/// Opens a file, and nothing that is none.
///
/// # Errors
///
/// [`Refused::NoFile`], that it is a folder, or what opening it gives.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening some devices does something.
    check(&fs::metadata(path)?)?;
    let file = OpenOptions::new()
        .read(true)
        // A pipe that took the file's place a moment ago is not waited for.
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file of at most `max_bytes`.
///
/// # Errors
///
/// [`Refused`], that it is a folder, or what opening it gives.
pub fn open_within(path: &Path, max_bytes: u64) -> io::Result<File> {
    let file = open(path)?;
    check_size(file.metadata()?.len(), max_bytes)?;
    Ok(file)
}

/// Returns the bytes of a file of at most `max_bytes`.
///
/// # Errors
///
/// [`Refused`], that it is a folder, or what reading it gives.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open_within(path, max_bytes)?;
    let size = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size)?;
    // It may grow meanwhile.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    check_size(bytes.len() as u64, max_bytes)?;
    Ok(bytes)
}

/// Returns the text of a file of at most `max_bytes`.
///
/// # Errors
///
/// [`Refused`], that it is a folder or no UTF-8, or what reading it gives.
pub fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let text = String::from_utf8(read(path, max_bytes)?);
    // The bytes may be a secret.
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))
}

/// Refuses a size beyond the most that is read.
///
/// # Errors
///
/// [`Refused::TooLarge`].
pub fn check_size(found_bytes: u64, max_bytes: u64) -> Result<(), Refused> {
    if found_bytes > max_bytes {
        return Err(Refused::TooLarge {
            found_bytes,
            max_bytes,
        });
    }
    Ok(())
}

fn check(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(Errno::ISDIR.into())
    } else {
        Err(Refused::NoFile.into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(at("pipe")).status();
        assert!(made.unwrap().success());
        symlink(at("pipe"), at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for path in [at("pipe"), at("link"), at("socket"), "/dev/zero".into()] {
            let error = read(&path, 10).unwrap_err();
            assert!(is_refused(&error), "{}: {error}", path.display());
            assert!(error.to_string().contains("no file"), "{error}");
        }
        let folder = read(folder.path(), 10).unwrap_err();
        assert_eq!(folder.kind(), io::ErrorKind::IsADirectory);
        let nothing = read(&at("nothing"), 10).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_away_with_its_folder_and_missing_from_among_others() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("model");
        let file = folder.join("model.json");
        let look = || is_away(&folder, &read(&file, 10).unwrap_err());
        assert!(look(), "no folder");
        fs::create_dir(&folder).unwrap();
        assert!(look(), "where something is mounted at other times");
        fs::write(folder.join("other"), "").unwrap();
        assert!(!look(), "others are there");
        symlink("model.json", &file).unwrap();
        assert!(!look(), "a link to itself");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(!look(), "a folder in its place");
        fs::remove_dir(&file).unwrap();
        fs::write(&file, "more than ten bytes").unwrap();
        assert!(!look(), "no such file is so large");
        for errno in [
            Errno::ACCESS,
            Errno::IO,
            Errno::STALE,
            Errno::TIMEDOUT,
            Errno::NOTCONN,
            Errno::HOSTDOWN,
        ] {
            assert!(is_away(&folder, &errno.into()), "{errno}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_size_of_its_kind_however_large_it_claims_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "ten bytes.").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"ten bytes.");
        assert_eq!(read_text(&path, 10).unwrap(), "ten bytes.");
        let error = read(&path, 9).unwrap_err();
        assert!(is_refused(&error));
        assert_eq!(
            error.to_string(),
            "it has 10 bytes, and such a file has at most 9"
        );
        let sparse = File::create(&path).unwrap();
        sparse.set_len(1 << 40).unwrap();
        for max_bytes in [max_bytes::SECRET, max_bytes::DATA, max_bytes::OBJECT] {
            assert!(is_refused(&read(&path, max_bytes).unwrap_err()));
        }
        fs::write(&path, b"caf\xe9").unwrap();
        let error = read_text(&path, 10).unwrap_err().to_string();
        assert_eq!(error, "it is no UTF-8 text");
    }
}

//! Files that only this process needs: what does not fit into memory, and what is made before it is stored.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::StorageError;
use crate::storage_error::disk::io_error;

/// Enough that a file system with no room left does not take it.
const TRIED_BYTES: usize = 1 << 16;

/// Proves that unnamed files can be written and read in a folder, which is made if it is not there.
///
/// # Errors
///
/// `Full`, `Denied` or `Unavailable`, naming the folder.
pub fn check(folder: &Path) -> Result<(), StorageError> {
    let tried = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::tempfile_in(folder)?;
        let bytes = vec![0x5a; TRIED_BYTES];
        file.write_all(&bytes)?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        let mut there = Vec::with_capacity(TRIED_BYTES);
        file.read_to_end(&mut there)?;
        if there == bytes {
            Ok(())
        } else {
            Err(io::Error::other("it does not give back what was written"))
        }
    };
    tried().map_err(|error| io_error("write temporary files in", folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StorageErrorKind;

    #[test]
    fn a_folder_for_temporary_files_is_made_and_one_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("not/yet");
        check(&new).unwrap();
        assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = check(&file.join("below")).unwrap_err();
        assert_eq!(error.kind, StorageErrorKind::Denied);
        assert!(error.to_string().contains("file/below"), "{error}");
        let error = check(Path::new("/proc/cache")).unwrap_err();
        assert!(error.to_string().contains("/proc/cache"), "{error}");
    }
}

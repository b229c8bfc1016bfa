//! What is in the place of an object and holds nothing: an empty file, or a link that leads nowhere.

use std::fs;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::read_file::Refused;
use crate::storage_error::disk::is;

/// What is in the place of a picture.
pub(super) enum Place {
    /// Nothing.
    Free,
    /// A file without a byte, a link that leads to no file, a pipe or a device.
    Hollow,
    /// What holds anything.
    Taken,
}

/// Returns what is in the place of a picture.
pub(super) fn place(path: &Path) -> io::Result<Place> {
    let itself = match fs::symlink_metadata(path) {
        Ok(itself) => itself,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Free),
        Err(error) => return Err(error),
    };
    let is_hollow = match fs::metadata(path) {
        Ok(target) if target.is_file() => target.len() == 0,
        Ok(target) if target.is_dir() => itself.is_symlink(),
        Ok(_) => true,
        Err(error) => itself.is_symlink() && leads_nowhere(&error),
    };
    Ok(if is_hollow {
        Place::Hollow
    } else {
        Place::Taken
    })
}

/// Returns whether a link leads to nothing, and not to what cannot be reached just now.
fn leads_nowhere(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    kinds.contains(&error.kind()) || is(error, Errno::LOOP)
}

/// Returns an error of reading a file; that of a link to nothing says so: something is there, though it cannot be read.
pub(super) fn told_of_links(error: io::Error, path: &Path) -> io::Error {
    let is_link = || fs::symlink_metadata(path).is_ok_and(|itself| itself.is_symlink());
    if leads_nowhere(&error) && is_link() {
        Refused::LeadsNowhere.into()
    } else {
        error
    }
}

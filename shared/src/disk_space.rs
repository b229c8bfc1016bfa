//! How much room a disk has left.

use std::io;
use std::path::Path;

/// The room that is left on the file system of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that this process may still write.
    pub available_bytes: u64,
    /// Files that it may still make; none where the file system does not count them.
    pub available_files: Option<u64>,
}

impl DiskSpace {
    /// Returns the room left where a folder or file lies.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn of(path: &Path) -> io::Result<Self> {
        let told = rustix::fs::statvfs(path)?;
        Ok(Self {
            available_bytes: told.f_bavail.saturating_mul(told.f_frsize),
            // Some file systems make inodes as they need them, and say that there are none.
            available_files: (told.f_files > 0).then_some(told.f_favail),
        })
    }
}

/// Returns the folder on the way to a path that is there already: that itself, or the nearest above it.
#[must_use]
pub fn nearest_folder(path: &Path) -> &Path {
    let mut folders = path.ancestors().filter(|folder| folder.is_dir());
    let here = Path::new(".");
    folders.next().unwrap_or(here)
}

/// Returns what keeps a path from being a folder, or from being made as one: that itself or the nearest above it that is
/// there, if it is no folder, as a link that leads nowhere.
#[must_use]
pub fn in_the_way(path: &Path) -> Option<&Path> {
    // With a slash at its end, a file looks as if it were not there.
    let path = path.components().as_path();
    let mut there = path
        .ancestors()
        .filter(|place| place.symlink_metadata().is_ok());
    there.next().filter(|nearest| !nearest.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_room_and_a_folder_that_is_not_there_lies_on_that_of_the_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("not/yet");
        assert_eq!(nearest_folder(&below), folder.path());
        assert_eq!(nearest_folder(Path::new("not/there")), Path::new("."));
        let space = DiskSpace::of(nearest_folder(&below)).unwrap();
        assert!(space.available_bytes > 0, "{space:?}");
        assert_eq!(
            DiskSpace::of(&below).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn what_is_no_folder_is_in_the_way_of_one_and_of_all_below() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        link("folder", "to-folder");
        link("file", "to-file");
        link("nowhere", "to-nowhere");
        for free in [
            "",
            "folder",
            "folder/",
            "not/yet",
            "to-folder",
            "to-folder/not/yet",
        ] {
            assert_eq!(in_the_way(&at(free)), None, "{free}");
        }
        for name in ["file", "to-file", "to-nowhere"] {
            for below in ["", "/", "/.", "/runs", "/not/yet/"] {
                let path = at(&format!("{name}{below}"));
                assert_eq!(in_the_way(&path), Some(at(name).as_path()), "{name}{below}");
            }
        }
        assert_eq!(in_the_way(Path::new("not/there")), None);
    }
}

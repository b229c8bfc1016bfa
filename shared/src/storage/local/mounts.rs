//! The file system that a path lies on.

use std::fs;
use std::path::Path;

use crate::paths;

/// Returns the name of the file system that a path lies on, such as `ext4` or `fuse.sshfs`.
pub(super) fn file_system_of(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    nearest(&mounts, &paths::real(path))
}

/// Returns the type of the last mount at the deepest folder above a path.
fn nearest(mounts: &str, path: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let folder = unescaped(before.split(' ').nth(4)?);
        let above = path.starts_with(&folder);
        above.then_some((folder, after.split(' ').next()?))
    });
    let (_, name) = mounts.max_by_key(|(folder, _)| folder.len())?;
    Some(name.to_owned())
}

/// Blanks are written as their octal numbers there.
fn unescaped(folder: &str) -> String {
    folder
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_latest_mount_above_a_path_says_what_it_is() {
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      23 22 0:5 / /proc rw - proc proc rw\n\
                      40 22 0:40 / /mnt/my\\040disk rw shared:1 - vfat /dev/sdb1 rw\n\
                      41 22 0:41 / /mnt/my\\040disk rw - fuse.sshfs host: rw\n";
        let of = |path: &str| nearest(mounts, Path::new(path));
        assert_eq!(of("/home/me").as_deref(), Some("ext4"));
        assert_eq!(of("/mnt/my disk/out").as_deref(), Some("fuse.sshfs"));
        assert_eq!(of("/mnt/my diskette").as_deref(), Some("ext4"));
        assert_eq!(nearest("", Path::new("/")), None);
        assert_eq!(
            file_system_of(Path::new("/proc/self")).as_deref(),
            Some("proc")
        );
    }
}

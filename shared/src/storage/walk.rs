//! The files below a folder, in the order in which S3 lists keys, a page at a time.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::vec;

use super::PAGE_LENGTH;

/// A file below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Path below the root.
    pub(crate) path: PathBuf,
    /// Size in bytes.
    pub(crate) size_bytes: u64,
}

/// A walk over the files below a folder, sorted by the bytes of their whole paths.
///
/// It holds the names of the folder it is in and of those above, never the whole tree. Links are followed. What
/// vanishes on the way is left out.
#[derive(Debug)]
pub(crate) struct Walk {
    root: PathBuf,
    skip_hidden: bool,
    /// The folder to begin with, and then the folders from there to where the walk is.
    open: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    /// Path below the root.
    path: PathBuf,
    /// What is left of it; nothing before it is read.
    names: Option<vec::IntoIter<Name>>,
}

#[derive(Debug)]
struct Name {
    name: OsString,
    is_folder: bool,
}

impl Name {
    /// A folder sorts as if its name ended in `/`, because the paths of its files go on so.
    fn sort_key(&self) -> impl Iterator<Item = u8> {
        let slash = self.is_folder.then_some(b'/');
        self.name.as_bytes().iter().copied().chain(slash)
    }
}

impl Walk {
    /// Returns a walk over `root/folder`; paths are relative to `root`.
    pub(crate) fn new(root: PathBuf, folder: &Path, skip_hidden: bool) -> Self {
        let first = Folder {
            path: folder.components().collect(),
            names: None,
        };
        Self {
            root,
            skip_hidden,
            open: vec![first],
        }
    }

    /// Returns the next files; none at the end.
    ///
    /// # Errors
    ///
    /// The folder or file that cannot be read.
    pub(crate) fn next_page(&mut self) -> Result<Vec<Found>, (PathBuf, io::Error)> {
        let mut page = Vec::new();
        while page.len() < PAGE_LENGTH {
            let Some(folder) = self.open.last_mut() else {
                break;
            };
            let names = match &mut folder.names {
                Some(names) => names,
                unread => {
                    let path = self.root.join(&folder.path);
                    let names = read(&path, self.skip_hidden).map_err(|e| (path, e))?;
                    unread.insert(names.into_iter())
                }
            };
            let Some(name) = names.next() else {
                self.open.pop();
                continue;
            };
            let path = folder.path.join(&name.name);
            if name.is_folder {
                self.open.push(Folder { path, names: None });
                continue;
            }
            let whole = self.root.join(&path);
            if let Some(size_bytes) = size(&whole).map_err(|e| (whole, e))? {
                page.push(Found { path, size_bytes });
            }
        }
        Ok(page)
    }
}

/// Returns what lies in a folder, sorted; nothing if there is no folder.
fn read(folder: &Path, skip_hidden: bool) -> io::Result<Vec<Name>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if skip_hidden && name.as_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        names.push(Name { name, is_folder });
    }
    names.sort_unstable_by(|a, b| a.sort_key().cmp(b.sort_key()));
    Ok(names)
}

/// Returns the size of a file, of a broken link its own, so that reading it says what is wrong; nothing if it is gone.
fn size(path: &Path) -> io::Result<Option<u64>> {
    let metadata = fs::metadata(path).or_else(|_| fs::symlink_metadata(path));
    match metadata {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(root: &Path, folder: &str) -> Vec<Vec<String>> {
        let mut walk = Walk::new(root.to_owned(), Path::new(folder), true);
        let mut pages = Vec::new();
        loop {
            let page = walk.next_page().unwrap();
            if page.is_empty() {
                return pages;
            }
            let page = page.iter().map(|found| found.path.display().to_string());
            pages.push(page.collect());
        }
    }

    #[test]
    fn files_come_in_the_byte_order_of_their_whole_paths() {
        let root = tempfile::tempdir().unwrap();
        let mut paths = ["a/b", "a-b/c", "a.png", "a/b.c/d", "a/b0", "A", "é", "a0/z"];
        for path in paths.iter().chain(&[".hidden", "a/.hidden/x"]) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        paths.sort_unstable();
        assert_eq!(walked(root.path(), ""), [paths]);
        assert_eq!(walked(root.path(), "a"), [["a/b", "a/b.c/d", "a/b0"]]);
        assert_eq!(walked(root.path(), "no such"), [[""; 0]; 0]);
    }

    #[test]
    fn a_large_folder_comes_in_pages() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..2 * PAGE_LENGTH + 1 {
            fs::write(root.path().join(format!("{number:05}")), "").unwrap();
        }
        let pages = walked(root.path(), "");
        let lengths: Vec<_> = pages.iter().map(Vec::len).collect();
        assert_eq!(lengths, [PAGE_LENGTH, PAGE_LENGTH, 1]);
        assert!(pages.concat().is_sorted());
    }

    #[test]
    fn links_are_followed_and_a_broken_one_is_kept() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("file"), "four").unwrap();
        let link = |to: &Path, name| std::os::unix::fs::symlink(to, root.path().join(name));
        link(elsewhere.path(), "linked").unwrap();
        link(Path::new("/no/such/file"), "broken").unwrap();
        assert_eq!(walked(root.path(), ""), [["broken", "linked/file"]]);
    }
}

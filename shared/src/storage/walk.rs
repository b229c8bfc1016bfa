//! The files below a folder, in the order in which S3 lists keys, a page at a time.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
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
/// It holds the names of the folder it is in and of those above, never the whole tree. Links are followed, but for those
/// into a folder that holds them. What vanishes on the way is left out.
#[derive(Debug)]
pub(crate) struct Walk {
    root: PathBuf,
    /// The folder to begin with, and then the folders from there to where the walk is.
    open: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    /// Path below the root.
    path: PathBuf,
    /// Device and inode of what it is, wherever a link led; none before it is read or if it cannot be asked.
    identity: Option<(u64, u64)>,
    /// What is left of it; nothing before it is read.
    names: Option<vec::IntoIter<Name>>,
}

#[derive(Debug)]
struct Name {
    name: OsString,
    is_folder: bool,
    is_link: bool,
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
    pub(crate) fn new(root: PathBuf, folder: &Path) -> Self {
        let first = Folder::unread(folder.components().collect());
        Self {
            root,
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
                    folder.identity = identity(&path);
                    let names = read(&path).map_err(|e| (path, e))?;
                    unread.insert(names.into_iter())
                }
            };
            let Some(name) = names.next() else {
                self.open.pop();
                continue;
            };
            let path = folder.path.join(&name.name);
            let whole = self.root.join(&path);
            if name.is_folder {
                if !(name.is_link && self.is_inside(&whole)) {
                    self.open.push(Folder::unread(path));
                }
                continue;
            }
            if let Some(size_bytes) = size(&whole).map_err(|e| (whole, e))? {
                page.push(Found { path, size_bytes });
            }
        }
        Ok(page)
    }
}

impl Walk {
    /// Returns whether the walk is inside the folder that a link leads to, so that it would go in a circle.
    fn is_inside(&self, link: &Path) -> bool {
        let target = identity(link);
        let in_open = self.open.iter().any(|folder| folder.identity == target);
        let above = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        in_open || above.ancestors().any(|folder| identity(folder) == target)
    }
}

/// Returns the paths of the links below `root/folder`, relative to `root` and sorted. What they lead to is not looked into.
///
/// # Errors
///
/// The folder that cannot be read.
pub(crate) fn links_below(
    root: &Path,
    folder: &Path,
) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut links = Vec::new();
    let mut pending: Vec<PathBuf> = vec![folder.components().collect()];
    while let Some(folder) = pending.pop() {
        let whole = root.join(&folder);
        let names = read(&whole).map_err(|e| (whole, e))?;
        for name in names {
            let path = folder.join(&name.name);
            if name.is_link {
                links.push(path);
            } else if name.is_folder {
                pending.push(path);
            }
        }
    }
    links.sort_unstable();
    Ok(links)
}

impl Folder {
    fn unread(path: PathBuf) -> Self {
        Self {
            path,
            identity: None,
            names: None,
        }
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(folder).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Returns what lies in a folder, sorted; nothing if there is no folder.
fn read(folder: &Path) -> io::Result<Vec<Name>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        let is_link = kind.is_symlink();
        let is_folder = kind.is_dir() || (is_link && entry.path().is_dir());
        names.push(Name {
            name,
            is_folder,
            is_link,
        });
    }
    names.sort_unstable_by(|a, b| a.sort_key().cmp(b.sort_key()));
    Ok(names)
}

/// Returns the size of a file, 0 of what is none, such as a broken link; nothing if it is gone.
fn size(path: &Path) -> io::Result<Option<u64>> {
    if let Ok(metadata) = fs::metadata(path) {
        let size_bytes = if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
        return Ok(Some(size_bytes));
    }
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(Some(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(root: &Path, folder: &str) -> Vec<Vec<String>> {
        let mut walk = Walk::new(root.to_owned(), Path::new(folder));
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
        let mut paths = [
            "a/b", "a-b/c", "a.png", "a/b.c/d", "a/b0", "A", "é", "a0/z", ".hidden",
        ];
        for path in &paths {
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
        link(Path::new("/dev/zero"), "device").unwrap();
        let expected = [["broken", "device", "linked/file"]];
        assert_eq!(walked(root.path(), ""), expected);
        let mut walk = Walk::new(root.path().to_owned(), Path::new(""));
        let page = walk.next_page().unwrap();
        let sizes: Vec<u64> = page.iter().map(|found| found.size_bytes).collect();
        assert_eq!(sizes, [0, 0, 4], "what is no file has no bytes");
    }

    #[test]
    fn links_are_named_and_what_they_lead_to_is_not_looked_into() {
        let (above, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), elsewhere.path().join("inner")).unwrap();
        // The root may be a link itself.
        let root = above.path().join("root");
        fs::create_dir_all(above.path().join("disk/run/images")).unwrap();
        std::os::unix::fs::symlink("disk", &root).unwrap();
        fs::write(root.join("run/images/1.png"), "").unwrap();
        for (target, link) in [
            (elsewhere.path(), "run/images/night"),
            (Path::new("1.png"), "run/images/2.png"),
            (Path::new("/no/such/file"), "run/broken"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let found = links_below(&root, Path::new("run/")).unwrap();
        let expected = ["run/broken", "run/images/2.png", "run/images/night"];
        assert_eq!(found, expected.map(PathBuf::from));
        assert_eq!(
            links_below(&root, Path::new("none")).unwrap(),
            [""; 0].map(PathBuf::from)
        );
    }

    #[test]
    fn links_into_what_holds_them_end() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("runs/a")).unwrap();
        fs::write(root.path().join("runs/a/1"), "").unwrap();
        for (target, link) in [("..", "runs/a/up"), (".", "runs/self"), ("/", "runs/a/all")] {
            std::os::unix::fs::symlink(target, root.path().join(link)).unwrap();
        }
        assert_eq!(walked(root.path(), "runs"), [["runs/a/1"]]);
    }
}

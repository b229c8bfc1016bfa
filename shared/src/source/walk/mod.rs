//! The files below a folder as people fill it: links lead anywhere, and some of it cannot be read.

use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{SourceFile, Tree};
use crate::globs::Globs;
use crate::storage::{StorageError, StorageErrorKind};
use crate::storage_error::disk::io_error;

/// Folders of systems, which hold no part of a dataset and are often not readable.
const SYSTEM_FOLDERS: [&str; 6] = [
    "lost+found",
    "$RECYCLE.BIN",
    "System Volume Information",
    "@eaDir",
    "#recycle",
    "__MACOSX",
];

/// Returns whether a file or folder of this name is no part of a dataset: it is hidden, or the system's.
pub(super) fn is_no_part(name: &[u8]) -> bool {
    name.starts_with(b".")
        || SYSTEM_FOLDERS
            .iter()
            .any(|folder| name == folder.as_bytes())
}

/// How much a walk takes before it says that this is no dataset.
#[derive(Debug, Clone)]
pub(super) struct WalkLimits {
    /// Folders within each other.
    pub(super) max_depth: usize,
    /// Files and folders.
    pub(super) max_entries: usize,
    /// What need not be read.
    pub(super) excluded: Globs,
}

impl Default for WalkLimits {
    fn default() -> Self {
        Self {
            max_depth: 32,
            max_entries: 5_000_000,
            excluded: Globs::default(),
        }
    }
}

/// What is no dataset's folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalkError {
    #[error("it is a file, and a folder is expected")]
    NoFolder,
    #[error("it lies more than {0} folders deep: name the root of one dataset")]
    TooDeep(usize),
    #[error("there are more than {0} files and folders: name the root of one dataset")]
    TooMany(usize),
}

impl WalkError {
    pub(super) fn at(self, path: impl Into<String>) -> StorageError {
        StorageError {
            kind: StorageErrorKind::Unavailable,
            operation: "list",
            path: path.into(),
            source: Some(Box::new(self)),
        }
    }
}

/// Returns the files below `root/folder`, sorted by the bytes of their paths, which are relative to `root`; none if there
/// is no such folder.
///
/// Links to folders are followed, each folder once: not into a folder that was or will be walked without the link, nor
/// into one that holds the link. A link that leads nowhere counts as an empty file, so that reading it says what is wrong.
/// Pipes, sockets and devices are no files.
///
/// # Errors
///
/// The folder that cannot be read, or below which there is more than `limits` say.
pub(super) fn files_below(
    root: &Path,
    folder: &Path,
    limits: WalkLimits,
) -> Result<Tree, StorageError> {
    let start: PathBuf = folder.components().collect();
    let mut walk = Walk {
        root,
        limits,
        num_entries: 0,
        tree: Tree::default(),
        links: Vec::new(),
        walked: HashSet::new(),
    };
    let whole = root.join(&start);
    let metadata = match fs::metadata(&whole) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tree::default()),
        Err(error) => return Err(io_error("list", &whole, error)),
    };
    if !metadata.is_dir() {
        return Err(WalkError::NoFolder.at(whole.display().to_string()));
    }
    walk.walked.insert(identity(&metadata));
    let way = Way {
        above: Rc::new(parents(&whole).collect()),
        by_link: false,
    };
    walk.folder(&start, 0, &way)?;
    // What lies there without links comes first, so that a link to it adds nothing.
    while !walk.links.is_empty() {
        let mut links = std::mem::take(&mut walk.links);
        links.sort_by(|a, b| a.path.cmp(&b.path));
        for link in links {
            walk.follow(&link)?;
        }
    }
    let mut tree = walk.tree;
    tree.files.sort_by(|a, b| {
        a.path
            .as_os_str()
            .as_bytes()
            .cmp(b.path.as_os_str().as_bytes())
    });
    Ok(tree)
}

/// A folder as the system knows it, whatever leads there.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Returns the folders that hold a folder, wherever links lead.
fn parents(folder: &Path) -> impl Iterator<Item = Identity> {
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let parents: Vec<PathBuf> = whole.ancestors().skip(1).map(Path::to_owned).collect();
    let parents = parents
        .into_iter()
        .filter_map(|parent| fs::metadata(parent).ok());
    parents.map(|metadata| identity(&metadata))
}

/// How a folder was come to.
#[derive(Clone)]
struct Way {
    /// What holds it or the links to it: a link there leads in a circle.
    above: Rc<HashSet<Identity>>,
    by_link: bool,
}

/// A link to a folder that has not been followed yet.
struct Link {
    path: PathBuf,
    depth: usize,
    way: Way,
}

struct Walk<'a> {
    root: &'a Path,
    limits: WalkLimits,
    num_entries: usize,
    tree: Tree,
    /// Links to folders that have not been followed yet.
    links: Vec<Link>,
    /// Folders that were come to.
    walked: HashSet<Identity>,
}

impl Walk<'_> {
    /// Walks a folder below the root.
    fn folder(&mut self, path: &Path, depth: usize, way: &Way) -> Result<(), StorageError> {
        let whole = self.root.join(path);
        if depth > self.limits.max_depth {
            return Err(WalkError::TooDeep(self.limits.max_depth).at(whole.display().to_string()));
        }
        let entries = match fs::read_dir(&whole) {
            Ok(entries) => entries,
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    && !self.limits.excluded.taking_folder(path).is_empty() =>
            {
                self.tree.unread.push(path.to_owned());
                return Ok(());
            }
            Err(error) => return Err(io_error("list", &whole, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| io_error("list", &whole, error))?;
            if is_no_part(entry.file_name().as_bytes()) {
                continue;
            }
            self.num_entries += 1;
            if self.num_entries > self.limits.max_entries {
                let top = self.root.display().to_string();
                return Err(WalkError::TooMany(self.limits.max_entries).at(top));
            }
            let looked = self.entry(&entry, path.join(entry.file_name()), depth + 1, way);
            match looked {
                Err(Look::Failed(error)) => return Err(error),
                // What vanishes on the way is left out.
                Err(Look::Gone) | Ok(()) => {}
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &DirEntry,
        path: PathBuf,
        depth: usize,
        way: &Way,
    ) -> Result<(), Look> {
        let whole = self.root.join(&path);
        let look = |error| Look::of(&whole, error);
        let kind = entry.file_type().map_err(look)?;
        if kind.is_dir() {
            let metadata = entry.metadata().map_err(look)?;
            let is_new = self.walked.insert(identity(&metadata));
            if is_new || !way.by_link {
                self.folder(&path, depth, way).map_err(Look::Failed)?;
            }
            return Ok(());
        }
        if kind.is_file() {
            let size_bytes = entry.metadata().map_err(look)?.len();
            self.tree.files.push(SourceFile { path, size_bytes });
        } else if kind.is_symlink() {
            match fs::metadata(&whole) {
                Ok(metadata) if metadata.is_dir() => self.links.push(Link {
                    path,
                    depth,
                    way: way.clone(),
                }),
                Ok(metadata) if metadata.is_file() => {
                    let size_bytes = metadata.len();
                    self.tree.files.push(SourceFile { path, size_bytes });
                }
                Ok(_) => {}
                // It leads nowhere, at least from here: of what it stands for nothing is known.
                Err(_) => {
                    let size_bytes = 0;
                    self.tree.files.push(SourceFile { path, size_bytes });
                }
            }
        }
        Ok(())
    }

    /// Follows a link to a folder, unless that has been walked or holds the link.
    fn follow(&mut self, link: &Link) -> Result<(), StorageError> {
        let whole = self.root.join(&link.path);
        let metadata = match fs::metadata(&whole) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error("list", &whole, error)),
        };
        let target = identity(&metadata);
        if link.way.above.contains(&target) || !self.walked.insert(target) {
            tracing::debug!(link = %whole.display(), "not followed: its folder is walked without it");
            return Ok(());
        }
        let above = link.way.above.iter().copied();
        let way = Way {
            above: Rc::new(above.chain(parents(&whole)).collect()),
            by_link: true,
        };
        self.folder(&link.path, link.depth, &way)
    }
}

/// Why an entry of a folder is not walked.
enum Look {
    Gone,
    Failed(StorageError),
}

impl Look {
    fn of(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Gone
        } else {
            Self::Failed(io_error("list", path, error))
        }
    }
}

#[cfg(test)]
mod tests;

//! What a disk holds, and what of it survives a cut of its power.
//!
//! It promises as little as POSIX does: the bytes of a file survive when the file was synced, a name when its folder was.
//! Syncing a folder says nothing of the bytes of its files, nor of its own name. What was not synced is lost or not, each
//! thing for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The number of a file or folder.
pub type Inode = u64;

/// The folder that has no name.
pub const ROOT: Inode = 1;

/// The names in a folder.
pub type Names = BTreeMap<OsString, Inode>;

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A file with its bytes.
    File(Vec<u8>),
    /// A folder.
    Folder(Names),
}

/// A disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// What programs see. What has lost its last name stays, for a program may have it open.
    now: BTreeMap<Inode, Node>,
    /// What survives.
    safe: BTreeMap<Inode, Node>,
    /// The next number. None is used twice, so that one thing is never taken for another after a cut.
    next: Inode,
}

impl Default for Disk {
    fn default() -> Self {
        Self::empty(ROOT + 1)
    }
}

impl Disk {
    fn empty(next: Inode) -> Self {
        let root = BTreeMap::from([(ROOT, Node::Folder(Names::new()))]);
        Self {
            now: root.clone(),
            safe: root,
            next,
        }
    }

    /// Returns this disk with nothing on it.
    #[must_use]
    pub fn erased(&self) -> Self {
        Self::empty(self.next)
    }

    /// Returns a file or folder.
    #[must_use]
    pub fn node(&self, inode: Inode) -> Option<&Node> {
        self.now.get(&inode)
    }

    /// Returns the names in a folder; none if it is no folder.
    #[must_use]
    pub fn names(&self, folder: Inode) -> Option<&Names> {
        names_in(&self.now, folder)
    }

    /// Returns what has a name in a folder.
    #[must_use]
    pub fn find(&self, folder: Inode, name: &OsStr) -> Option<Inode> {
        self.names(folder)?.get(name).copied()
    }

    /// Returns what is at a path.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<Inode> {
        path.iter()
            .try_fold(ROOT, |folder, name| self.find(folder, name))
    }

    /// Makes a file or a folder.
    pub fn make(&mut self, folder: Inode, name: &OsStr, node: Node) -> Inode {
        let inode = self.next;
        self.next += 1;
        self.now.insert(inode, node);
        self.link(inode, folder, name);
        inode
    }

    /// Gives something a name, whatever has it.
    pub fn link(&mut self, inode: Inode, folder: Inode, name: &OsStr) {
        if let Some(Node::Folder(names)) = self.now.get_mut(&folder) {
            names.insert(name.to_owned(), inode);
        }
    }

    /// Takes a name away.
    pub fn unlink(&mut self, folder: Inode, name: &OsStr) {
        if let Some(Node::Folder(names)) = self.now.get_mut(&folder) {
            names.remove(name);
        }
    }

    /// Gives something another name, whatever has it.
    pub fn rename(&mut self, from: (Inode, &OsStr), to: (Inode, &OsStr)) {
        if let Some(inode) = self.find(from.0, from.1) {
            self.unlink(from.0, from.1);
            self.link(inode, to.0, to.1);
        }
    }

    /// Writes into a file.
    pub fn write(&mut self, file: Inode, offset: usize, bytes: &[u8]) {
        if let Some(Node::File(there)) = self.now.get_mut(&file) {
            let end = offset + bytes.len();
            if there.len() < end {
                there.resize(end, 0);
            }
            there[offset..end].copy_from_slice(bytes);
        }
    }

    /// Makes a file shorter or longer.
    pub fn set_len(&mut self, file: Inode, len: usize) {
        if let Some(Node::File(there)) = self.now.get_mut(&file) {
            there.resize(len, 0);
        }
    }

    /// Syncs the bytes of a file, or the names in a folder.
    pub fn sync(&mut self, inode: Inode) {
        if let Some(node) = self.now.get(&inode) {
            self.safe.insert(inode, node.clone());
        }
    }

    /// Returns the folder at a path, which is made if it is not there.
    pub fn folder_at(&mut self, path: &Path) -> Inode {
        let mut folder = ROOT;
        for name in path {
            folder = match self.find(folder, name) {
                Some(inode) => inode,
                None => self.make(folder, name, Node::Folder(Names::new())),
            };
        }
        folder
    }

    /// Gives the file at a path its bytes; makes it if it is not there. Nothing of that is synced.
    ///
    /// # Panics
    ///
    /// If the path is that of the root.
    pub fn put(&mut self, path: &Path, bytes: &[u8]) -> Inode {
        let folder = self.folder_at(path.parent().expect("a file is in a folder"));
        let name = path.file_name().expect("a file has a name");
        match self.find(folder, name) {
            Some(file) => {
                self.now.insert(file, Node::File(bytes.to_vec()));
                file
            }
            None => self.make(folder, name, Node::File(bytes.to_vec())),
        }
    }

    /// Returns what is left when the power is cut now.
    ///
    /// `choose` says which of so many things has happened to something that was not synced. 0 is that it was lost.
    #[must_use]
    pub fn after_cut(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let mut left = Self {
            now: BTreeMap::new(),
            safe: BTreeMap::new(),
            next: self.next,
        };
        self.save_folder(ROOT, ROOT, &mut left, choose);
        left.safe = left.now.clone();
        left
    }

    /// Puts what survives of a folder into `left`, as another one.
    fn save_folder(
        &self,
        folder: Inode,
        to: Inode,
        left: &mut Self,
        choose: &mut dyn FnMut(usize) -> usize,
    ) {
        let none = Names::new();
        let before = names_in(&self.safe, folder).unwrap_or(&none);
        let after = names_in(&self.now, folder).unwrap_or(&none);
        let all: BTreeSet<&OsString> = before.keys().chain(after.keys()).collect();
        let mut names = Names::new();
        for name in all {
            let (before, after) = (before.get(name), after.get(name));
            let is_lost = before == after || choose(2) == 0;
            let Some(inode) = (if is_lost { before } else { after }) else {
                continue;
            };
            let saved = left.next;
            left.next += 1;
            match self.now.get(inode) {
                Some(Node::File(bytes)) => {
                    let bytes = self.saved_bytes(*inode, bytes, choose);
                    left.now.insert(saved, Node::File(bytes));
                }
                Some(Node::Folder(_)) => self.save_folder(*inode, saved, left, choose),
                None => continue,
            }
            names.insert(name.clone(), saved);
        }
        left.now.insert(to, Node::Folder(names));
    }

    fn saved_bytes(
        &self,
        file: Inode,
        now: &[u8],
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Vec<u8> {
        let safe = match self.safe.get(&file) {
            Some(Node::File(bytes)) => bytes.as_slice(),
            Some(Node::Folder(_)) | None => &[],
        };
        let saved = match safe == now || choose(3) == 0 {
            true => safe,
            false if choose(2) == 0 => &now[..now.len() / 2],
            false => now,
        };
        saved.to_vec()
    }

    /// Returns the bytes of each file by its path, with `/` between its parts.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut pending = vec![(PathBuf::new(), ROOT)];
        while let Some((path, inode)) = pending.pop() {
            match self.node(inode) {
                Some(Node::File(bytes)) => {
                    files.insert(path.to_string_lossy().into_owned(), bytes.clone());
                }
                Some(Node::Folder(names)) => {
                    pending.extend(names.iter().map(|(name, inode)| (path.join(name), *inode)));
                }
                None => {}
            }
        }
        files
    }

    /// Writes all files below a folder of this machine.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn copy_to(&self, folder: &Path) {
        for (path, bytes) in self.files() {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a writable folder");
            fs::write(file, bytes).expect("a writable file");
        }
    }
}

fn names_in(nodes: &BTreeMap<Inode, Node>, folder: Inode) -> Option<&Names> {
    match nodes.get(&folder) {
        Some(Node::Folder(names)) => Some(names),
        Some(Node::File(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that was not synced is lost.
    fn all_lost(_: usize) -> usize {
        0
    }

    /// Everything survives that can.
    fn all_kept(of: usize) -> usize {
        of - 1
    }

    fn left(disk: &Disk, mut choose: impl FnMut(usize) -> usize) -> Vec<(String, String)> {
        let files = disk.after_cut(&mut choose).files().into_iter();
        files
            .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap()))
            .collect()
    }

    fn file(path: &str, text: &str) -> (String, String) {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn a_name_survives_with_its_folder_and_bytes_with_their_file() {
        let mut disk = Disk::default();
        let inode = disk.put(Path::new("a/b"), b"bytes");
        assert_eq!(left(&disk, all_lost), []);
        assert_eq!(left(&disk, all_kept), [file("a/b", "bytes")]);
        disk.sync(ROOT);
        assert_eq!(left(&disk, all_lost), []);
        disk.sync(disk.at(Path::new("a")).unwrap());
        assert_eq!(left(&disk, all_lost), [file("a/b", "")]);
        disk.sync(inode);
        assert_eq!(left(&disk, all_lost), [file("a/b", "bytes")]);
    }

    #[test]
    fn a_folder_whose_own_name_was_not_synced_takes_everything_with_it() {
        let mut disk = Disk::default();
        let inode = disk.put(Path::new("a/b"), b"bytes");
        disk.sync(inode);
        disk.sync(disk.at(Path::new("a")).unwrap());
        assert_eq!(left(&disk, all_lost), []);
    }

    #[test]
    fn a_rename_that_was_not_synced_leaves_the_old_name_or_the_new_one_or_none() {
        let mut disk = Disk::default();
        let inode = disk.put(Path::new("old"), b"bytes");
        disk.sync(inode);
        disk.rename((ROOT, "old".as_ref()), (ROOT, "new".as_ref()));
        assert_eq!(left(&disk, all_lost), []);
        assert_eq!(left(&disk, all_kept), [file("new", "bytes")]);
        disk.sync(ROOT);
        assert_eq!(left(&disk, all_lost), [file("new", "bytes")]);
    }

    #[test]
    fn what_was_written_over_may_be_what_it_was_half_or_whole() {
        let mut disk = Disk::default();
        let inode = disk.put(Path::new("a"), b"old");
        disk.sync(inode);
        disk.sync(ROOT);
        disk.put(Path::new("a"), b"newest");
        assert_eq!(left(&disk, all_lost), [file("a", "old")]);
        assert_eq!(left(&disk, all_kept), [file("a", "newest")]);
        let mut answers = [1, 0].into_iter();
        let half = left(&disk, |_| answers.next().unwrap());
        assert_eq!(half, [file("a", "new")]);
    }

    #[test]
    fn what_was_removed_comes_back_unless_that_was_synced() {
        let mut disk = Disk::default();
        let inode = disk.put(Path::new("a"), b"bytes");
        disk.sync(inode);
        disk.sync(ROOT);
        disk.unlink(ROOT, "a".as_ref());
        assert_eq!(disk.files().len(), 0);
        assert_eq!(left(&disk, all_lost), [file("a", "bytes")]);
        disk.sync(ROOT);
        assert_eq!(left(&disk, all_lost), []);
    }

    #[test]
    fn numbers_are_never_used_again() {
        let mut disk = Disk::default();
        let before = disk.put(Path::new("a"), b"bytes");
        disk.sync(ROOT);
        let after = disk.after_cut(&mut all_lost);
        assert!(after.at(Path::new("a")).unwrap() > before);
        assert!(after.erased().put(Path::new("a"), b"") > before + 1);
    }
}

//! What the kernel asks about files and folders, as questions to the disk.

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use fuser::{Errno, FileAttr, FileType, INodeNo};

use super::machine::{Machine, lock};
use crate::power::disk::{Disk, Inode, Node};

pub(super) const BLOCK_BYTES: u32 = 4096;

/// What the kernel asks.
pub(super) struct Served(pub(super) Arc<Mutex<Machine>>);

impl Served {
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.0)
    }

    pub(super) fn attributes(&self, inode: INodeNo) -> Result<FileAttr, Errno> {
        attributes(self.machine().look()?, inode.0)
    }

    pub(super) fn find(&self, folder: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        let machine = self.machine();
        let disk = machine.look()?;
        let inode = disk.find(folder.0, name).ok_or(Errno::ENOENT)?;
        attributes(disk, inode)
    }

    pub(super) fn make(
        &self,
        folder: INodeNo,
        name: &OsStr,
        node: Node,
    ) -> Result<FileAttr, Errno> {
        let mut machine = self.machine();
        let disk = machine.step()?;
        if disk.find(folder.0, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let inode = disk.make(folder.0, name, node);
        attributes(disk, inode)
    }

    pub(super) fn remove(&self, folder: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let mut machine = self.machine();
        let disk = machine.step()?;
        let inode = disk.find(folder.0, name).ok_or(Errno::ENOENT)?;
        if disk.names(inode).is_some_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        disk.unlink(folder.0, name);
        Ok(())
    }

    pub(super) fn sync(&self, inode: INodeNo) -> Result<(), Errno> {
        self.machine().step()?.sync(inode.0);
        Ok(())
    }

    pub(super) fn bytes(&self, file: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let machine = self.machine();
        match machine.look()?.node(file.0) {
            Some(Node::File(bytes)) => {
                let start = bytes.len().min(offset as usize);
                let end = bytes.len().min(start + size as usize);
                Ok(bytes[start..end].to_vec())
            }
            Some(Node::Folder(_)) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    pub(super) fn names(&self, folder: INodeNo) -> Result<Vec<(FileAttr, OsString)>, Errno> {
        let machine = self.machine();
        let disk = machine.look()?;
        let names = disk.names(folder.0).ok_or(Errno::ENOTDIR)?.iter();
        names
            .map(|(name, inode)| Ok((attributes(disk, *inode)?, name.clone())))
            .collect()
    }
}

pub(super) fn attributes(disk: &Disk, inode: Inode) -> Result<FileAttr, Errno> {
    let (kind, size, perm) = match disk.node(inode).ok_or(Errno::ENOENT)? {
        Node::File(bytes) => (FileType::RegularFile, bytes.len() as u64, 0o644),
        Node::Folder(_) => (FileType::Directory, 0, 0o755),
    };
    let now = SystemTime::now();
    Ok(FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: now,
        mtime: now,
        ctime: now,
        crtime: now,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

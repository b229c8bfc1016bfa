//! A disk as a file system that any program can use, and whose power can be cut after any step: served over FUSE.
//!
//! Programs see what they wrote at once, as on any disk; the kernel keeps nothing that it was not given (it writes through).
//! Everybody may do everything, and times are those of the question.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::disk::{Disk, Inode, Names, Node};

/// How long the kernel may believe what it was told. A cut changes everything.
const NO_TIME: Duration = Duration::ZERO;
/// Numbers are never used again.
const GENERATION: Generation = Generation(0);
/// Files need no handles.
const HANDLE: FileHandle = FileHandle(0);
const BLOCK_BYTES: u32 = 4096;
/// Blocks that are free, whatever is written.
const FREE_BLOCKS: u64 = 1 << 20;

/// A disk that is mounted until this is dropped.
#[derive(Debug)]
pub struct MountedDisk {
    machine: Arc<Mutex<Machine>>,
    _session: BackgroundSession,
}

impl MountedDisk {
    /// Mounts an empty disk on a folder; see [`mounts`](crate::mounts).
    ///
    /// # Errors
    ///
    /// If that is not permitted.
    pub fn mount(folder: &Path) -> io::Result<Self> {
        let machine = Arc::default();
        let served = Served(Arc::clone(&machine));
        Ok(Self {
            machine,
            _session: fuser::spawn_mount(served, folder, &Config::default())?,
        })
    }

    /// Returns how many steps have changed or synced something.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.machine().steps
    }

    /// Stops after so many steps more: whatever is asked then fails.
    pub fn stop_after(&self, steps: usize) {
        let mut machine = self.machine();
        machine.stops_at = Some(machine.steps + steps);
    }

    /// Returns whether it has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.machine().has_stopped
    }

    /// Goes on with all that was written: a program was killed, and the power stayed.
    pub fn go_on(&self) {
        let mut machine = self.machine();
        machine.stops_at = None;
        machine.has_stopped = false;
    }

    /// Goes on with what survives a cut of the power; [`Disk::after_cut`] says what is chosen. Only while no program uses it.
    pub fn cut_power(&self, choose: &mut dyn FnMut(usize) -> usize) {
        let mut machine = self.machine();
        machine.disk = machine.disk.after_cut(choose);
        drop(machine);
        self.go_on();
    }

    /// Goes on with an empty disk. Only while no program uses it.
    pub fn erase(&self) {
        let mut machine = self.machine();
        machine.disk = machine.disk.erased();
        drop(machine);
        self.go_on();
    }

    /// Returns the bytes of each file by its path, as programs see them.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.machine().disk.files()
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }
}

/// A disk, and whether it has power.
#[derive(Debug, Default)]
struct Machine {
    disk: Disk,
    steps: usize,
    stops_at: Option<usize>,
    has_stopped: bool,
}

impl Machine {
    /// Returns the disk for a look at it.
    fn look(&self) -> Result<&Disk, Errno> {
        match self.has_stopped {
            true => Err(Errno::EIO),
            false => Ok(&self.disk),
        }
    }

    /// Returns the disk for a step that changes or syncs something.
    fn step(&mut self) -> Result<&mut Disk, Errno> {
        self.has_stopped |= self.stops_at.is_some_and(|stop| self.steps >= stop);
        if self.has_stopped {
            return Err(Errno::EIO);
        }
        self.steps += 1;
        Ok(&mut self.disk)
    }
}

fn lock(machine: &Mutex<Machine>) -> MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the kernel asks.
struct Served(Arc<Mutex<Machine>>);

impl Served {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.0)
    }

    fn attributes(&self, inode: INodeNo) -> Result<FileAttr, Errno> {
        attributes(self.machine().look()?, inode.0)
    }

    fn find(&self, folder: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        let machine = self.machine();
        let disk = machine.look()?;
        let inode = disk.find(folder.0, name).ok_or(Errno::ENOENT)?;
        attributes(disk, inode)
    }

    fn make(&self, folder: INodeNo, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        let mut machine = self.machine();
        let disk = machine.step()?;
        if disk.find(folder.0, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let inode = disk.make(folder.0, name, node);
        attributes(disk, inode)
    }

    fn remove(&self, folder: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let mut machine = self.machine();
        let disk = machine.step()?;
        let inode = disk.find(folder.0, name).ok_or(Errno::ENOENT)?;
        if disk.names(inode).is_some_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        disk.unlink(folder.0, name);
        Ok(())
    }

    fn sync(&self, inode: INodeNo) -> Result<(), Errno> {
        self.machine().step()?.sync(inode.0);
        Ok(())
    }

    fn bytes(&self, file: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
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

    fn names(&self, folder: INodeNo) -> Result<Vec<(FileAttr, OsString)>, Errno> {
        let machine = self.machine();
        let disk = machine.look()?;
        let names = disk.names(folder.0).ok_or(Errno::ENOTDIR)?.iter();
        names
            .map(|(name, inode)| Ok((attributes(disk, *inode)?, name.clone())))
            .collect()
    }
}

fn attributes(disk: &Disk, inode: Inode) -> Result<FileAttr, Errno> {
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

fn answer(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn answer_entry(reply: ReplyEntry, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.entry(&NO_TIME, &attributes, GENERATION),
        Err(error) => reply.error(error),
    }
}

fn answer_attributes(reply: ReplyAttr, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.attr(&NO_TIME, &attributes),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(reply, self.find(parent, name));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer_attributes(reply, self.attributes(ino));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set: Result<(), Errno> = size.map_or(Ok(()), |size| {
            self.machine().step()?.set_len(ino.0, size as usize);
            Ok(())
        });
        answer_attributes(reply, set.and_then(|()| self.attributes(ino)));
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        answer_entry(reply, self.make(parent, name, Node::Folder(Names::new())));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent, name, Node::File(Vec::new())) {
            Ok(attributes) => {
                let flags = FopenFlags::empty();
                reply.created(&NO_TIME, &attributes, GENERATION, HANDLE, flags);
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.remove(parent, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.remove(parent, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let rename = || -> Result<(), Errno> {
            let mut machine = self.machine();
            let disk = machine.step()?;
            if flags.contains(RenameFlags::RENAME_EXCHANGE) {
                return Err(Errno::EINVAL);
            }
            let is_taken = disk.find(newparent.0, newname).is_some();
            if flags.contains(RenameFlags::RENAME_NOREPLACE) && is_taken {
                return Err(Errno::EEXIST);
            }
            disk.rename((parent.0, name), (newparent.0, newname));
            Ok(())
        };
        answer(reply, rename());
    }

    fn link(
        &self,
        _: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let link = || -> Result<FileAttr, Errno> {
            let mut machine = self.machine();
            let disk = machine.step()?;
            if disk.find(newparent.0, newname).is_some() {
                return Err(Errno::EEXIST);
            }
            disk.link(ino.0, newparent.0, newname);
            attributes(disk, ino.0)
        };
        answer_entry(reply, link());
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.bytes(ino, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let write = || -> Result<(), Errno> {
            let mut machine = self.machine();
            machine.step()?.write(ino.0, offset as usize, data);
            Ok(())
        };
        match write() {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    /// What a program closes is not synced by that.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.sync(ino));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.sync(ino));
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = match self.names(ino) {
            Ok(names) => names,
            Err(error) => return reply.error(error),
        };
        let from_here = names.into_iter().enumerate().skip(offset as usize);
        for (place, (attributes, name)) in from_here {
            let next = place as u64 + 1;
            if reply.add(attributes.ino, next, attributes.kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (blocks, files) = (FREE_BLOCKS, FREE_BLOCKS);
        reply.statfs(
            blocks,
            blocks,
            blocks,
            files,
            files,
            BLOCK_BYTES,
            255,
            BLOCK_BYTES,
        );
    }
}

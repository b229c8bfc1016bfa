//! The steps that storage in this process takes on a disk, written down, so that each moment between two of them can be
//! looked at afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::ids::RunId;
use shared::storage::{Created, DiskStep, LocalStorage, Pages, Storage, StorageError};
use tempfile::NamedTempFile;

use super::disk::{Disk, Names, Node};

/// What was done. Paths are those below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A file with these bytes was synced.
    BytesSynced(PathBuf, Vec<u8>),
    /// A file with these bytes got another name.
    Renamed {
        /// The name that it had.
        from: PathBuf,
        /// The name that it has.
        to: PathBuf,
        /// What it holds.
        bytes: Vec<u8>,
    },
    /// A folder was synced when it held these names; those of folders are true.
    NamesSynced(PathBuf, BTreeMap<OsString, bool>),
    /// An object with these bytes was said to be stored.
    Acknowledged(String, Vec<u8>),
}

/// Records what is done below a root, in order.
#[derive(Debug, Clone)]
pub struct Recorder {
    root: PathBuf,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Recorder {
    /// Returns a recorder of what is done below a folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            records: Arc::default(),
        }
    }

    /// Returns storage below the folder, whose steps are recorded.
    #[must_use]
    pub fn storage(&self) -> RecordedStorage {
        let recorder = self.clone();
        let listener = Arc::new(move |step: DiskStep<'_>| recorder.listen(step));
        RecordedStorage {
            storage: LocalStorage::telling(&self.root, listener),
            recorder: self.clone(),
        }
    }

    /// Returns what was recorded so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let records = self.records.lock();
        records.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, record: Record) {
        let records = self.records.lock();
        records.unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// Returns a path below the root; none if it lies elsewhere.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    fn listen(&self, step: DiskStep<'_>) {
        let record = match step {
            DiskStep::BytesSynced(file) => self
                .below(file)
                .map(|path| Record::BytesSynced(path, read(file))),
            DiskStep::Renamed { from, to } => {
                let bytes = read(to);
                let both = self.below(from).zip(self.below(to));
                both.map(|(from, to)| Record::Renamed { from, to, bytes })
            }
            DiskStep::NamesSynced(folder) => self
                .below(folder)
                .map(|path| Record::NamesSynced(path, names(folder))),
        };
        if let Some(record) = record {
            self.add(record);
        }
    }
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).expect("a file that was just written")
}

fn names(folder: &Path) -> BTreeMap<OsString, bool> {
    let entries = fs::read_dir(folder).expect("a folder that was just synced");
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name(), entry.path().is_dir())
        })
        .collect()
}

impl Record {
    /// Does it on a disk.
    ///
    /// # Panics
    ///
    /// If a file has no name.
    pub fn happen(&self, disk: &mut Disk) {
        match self {
            Self::BytesSynced(path, bytes) => {
                let file = disk.put(path, bytes);
                disk.sync(file);
            }
            Self::Renamed { from, to, bytes } => {
                if disk.at(from).is_none() {
                    disk.put(from, bytes);
                }
                let folder = |disk: &mut Disk, path: &Path| {
                    disk.folder_at(path.parent().expect("a file is in a folder"))
                };
                let folders = (folder(disk, from), folder(disk, to));
                let name = |path: &Path| path.file_name().expect("a file has a name").to_owned();
                let (from, to) = (name(from), name(to));
                disk.rename((folders.0, from.as_os_str()), (folders.1, to.as_os_str()));
            }
            Self::NamesSynced(path, names) => {
                let folder = disk.folder_at(path);
                let known: BTreeSet<OsString> = disk
                    .names(folder)
                    .map(|names| names.keys().cloned().collect())
                    .unwrap_or_default();
                // Folders are made without a word, and files of others removed.
                for name in known.iter().filter(|name| !names.contains_key(*name)) {
                    disk.unlink(folder, name);
                }
                for (name, is_folder) in names {
                    if *is_folder && !known.contains(name) {
                        disk.make(folder, name, Node::Folder(Names::new()));
                    }
                }
                disk.sync(folder);
            }
            Self::Acknowledged(..) => {}
        }
    }
}

/// Storage in a folder whose steps are recorded.
#[derive(Debug)]
pub struct RecordedStorage {
    storage: LocalStorage,
    recorder: Recorder,
}

impl RecordedStorage {
    fn acknowledge(&self, key: &ArtifactKey, bytes: &[u8]) {
        let record = Record::Acknowledged(key.path(), bytes.to_vec());
        self.recorder.add(record);
    }
}

#[async_trait]
impl Storage for RecordedStorage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let created = self.storage.create(key, bytes.clone()).await?;
        self.acknowledge(key, &bytes);
        Ok(created)
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        self.storage.replace(key, bytes.clone()).await?;
        self.acknowledge(key, &bytes);
        Ok(())
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        self.storage.replace_from_file(key, file).await?;
        self.acknowledge(key, &read(file));
        Ok(())
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        self.storage.read(key).await
    }

    async fn read_within(&self, key: &ArtifactKey, max_bytes: u64) -> Result<Bytes, StorageError> {
        self.storage.read_within(key, max_bytes).await
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        self.storage.exists(key).await
    }

    async fn settle(&self, key: &ArtifactKey) -> Result<(), StorageError> {
        self.storage.settle(key).await
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        self.storage.list(prefix)
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        self.storage.runs().await
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        self.storage.check_writable().await
    }

    fn temporary_file(&self) -> Result<NamedTempFile, StorageError> {
        self.storage.temporary_file()
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        self.storage.locate(key)
    }
}

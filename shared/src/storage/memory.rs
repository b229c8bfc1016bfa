//! Storage in this process, for tests and simulations.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::{
    Created, ObjectMeta, PAGE_LENGTH, Pages, Storage, StorageError, StorageErrorKind, max_bytes_of,
    path_of, within,
};
use crate::artifact::{ArtifactKey, ArtifactPrefix};
use crate::ids::RunId;

/// Objects in memory. A clone shows the same objects; they are gone with the last one.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl MemoryStorage {
    /// Returns an empty storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all objects by path, as they are now.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Bytes> {
        self.objects().clone()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        // Each holder of the lock changes one entry, so a panic leaves nothing half done.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, key: &ArtifactKey, operation: &'static str) -> Result<String, StorageError> {
        path_of(key, operation, |key| self.locate(key))
    }

    fn page(&self, prefix: &str, after: Option<&str>) -> Vec<ObjectMeta> {
        let from = match after {
            Some(path) => Bound::Excluded(path),
            None => Bound::Included(prefix),
        };
        let objects = self.objects();
        let below = objects.range::<str, _>((from, Bound::Unbounded));
        let below = below.take_while(|(path, _)| path.starts_with(prefix));
        let page = below.take(PAGE_LENGTH).map(|(path, bytes)| ObjectMeta {
            path: path.clone(),
            size_bytes: bytes.len() as u64,
        });
        page.collect()
    }

    fn error(
        &self,
        kind: StorageErrorKind,
        operation: &'static str,
        key: &ArtifactKey,
    ) -> StorageError {
        StorageError {
            kind,
            operation,
            path: self.locate(key),
            source: None,
        }
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn create(&self, key: &ArtifactKey, bytes: Bytes) -> Result<Created, StorageError> {
        let path = self.path(key, "create")?;
        let mut objects = self.objects();
        match objects.get(&path) {
            None => {
                objects.insert(path, bytes);
                Ok(Created::New)
            }
            Some(there) if *there == bytes => Ok(Created::AlreadyThere),
            Some(there) if there.is_empty() && key.is_picture() => {
                objects.insert(path, bytes);
                Ok(Created::New)
            }
            Some(_) => Err(self.error(StorageErrorKind::Conflict, "create", key)),
        }
    }

    async fn replace(&self, key: &ArtifactKey, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.path(key, "write")?;
        self.objects().insert(path, bytes);
        Ok(())
    }

    async fn replace_from_file(&self, key: &ArtifactKey, file: &Path) -> Result<(), StorageError> {
        let bytes = tokio::fs::read(file).await.map_err(|source| StorageError {
            source: Some(Box::new(source)),
            ..self.error(StorageErrorKind::Unavailable, "write", key)
        })?;
        self.replace(key, bytes.into()).await
    }

    async fn read(&self, key: &ArtifactKey) -> Result<Bytes, StorageError> {
        let found = self.objects().get(&self.path(key, "read")?).cloned();
        let found = found.ok_or_else(|| self.error(StorageErrorKind::NotFound, "read", key))?;
        within(found, max_bytes_of(key), || self.locate(key))
    }

    async fn exists(&self, key: &ArtifactKey) -> Result<bool, StorageError> {
        let path = self.path(key, "look for")?;
        Ok(self.objects().contains_key(&path))
    }

    fn list(&self, prefix: &ArtifactPrefix) -> Pages {
        let (storage, prefix) = (self.clone(), prefix.path());
        futures::stream::unfold(None, move |last: Option<String>| {
            let page = storage.page(&prefix, last.as_deref());
            let next = page.last().map(|object| Some(object.path.clone()));
            futures::future::ready(next.map(|next| (Ok(page), next)))
        })
        .boxed()
    }

    async fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        let prefix = ArtifactPrefix::Runs.path();
        let objects = self.objects();
        let names = objects
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix)?.split('/').next());
        let mut runs: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
        runs.sort();
        runs.dedup();
        Ok(runs)
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn locate(&self, key: &ArtifactKey) -> String {
        format!("memory:{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    #[tokio::test]
    async fn memory_storage_keeps_the_contract() {
        conformance::check(&MemoryStorage::new()).await;
    }
}

//! A cache of files in a folder that several processes share, least recently used first out.
//!
//! A copy is a file: the SHA-256 of its bytes, then the bytes. It appears whole by a rename, may vanish at any time, and
//! is believed only if its digest is right. When it was last used is its modification time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::digest;
use crate::read_file;

/// Length of a digest in hexadecimal digits.
const DIGEST: usize = 64;
/// Unfinished copies older than this were left by a process that was killed.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Copies by their identities.
#[derive(Debug)]
pub(super) struct DiskCache {
    folder: PathBuf,
    max_bytes: u64,
    usage: Mutex<Usage>,
}

/// What is known of the folder's size.
#[derive(Debug, Default)]
struct Usage {
    /// Bytes at the last look and since, as far as this process wrote them; nothing before the first look.
    bytes: Option<u64>,
    /// Bytes that this process wrote since the last look.
    written: u64,
}

impl DiskCache {
    /// Returns a cache that holds at most `max_bytes`; other processes that share it may each add a sixteenth of that
    /// before they notice.
    pub(super) fn new(folder: PathBuf, max_bytes: u64) -> Self {
        let usage = Mutex::default();
        Self {
            folder,
            max_bytes,
            usage,
        }
    }

    /// Returns a copy; a damaged one is removed.
    pub(super) fn get(&self, identity: &str) -> Option<Bytes> {
        let path = self.folder.join(identity);
        let bytes = Bytes::from(read_file::read(&path, self.max_bytes).ok()?);
        let (sha256, _) = bytes.split_at_checked(DIGEST)?;
        let body = bytes.slice(DIGEST..);
        if sha256 != digest::sha256(&body).as_bytes() {
            tracing::warn!(path = %path.display(), "a damaged copy is dropped");
            let _ = fs::remove_file(&path);
            return None;
        }
        // If it cannot be marked as used, it only goes sooner.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(body)
    }

    /// Keeps a copy, and drops those that were not used for the longest time if there is no room.
    pub(super) fn put(&self, identity: &str, bytes: &[u8]) {
        if let Err(error) = self.try_put(identity, bytes) {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "a copy cannot be kept");
        }
    }

    fn try_put(&self, identity: &str, bytes: &[u8]) -> io::Result<()> {
        let size = (DIGEST + bytes.len()) as u64;
        if size > self.max_bytes / 2 {
            return Ok(());
        }
        fs::create_dir_all(&self.folder)?;
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let unsure = usage.written > self.max_bytes / 16;
        let room = usage
            .bytes
            .is_some_and(|held| held + size <= self.max_bytes);
        if unsure || !room {
            *usage = Usage {
                bytes: Some(self.make_room(size)?),
                written: 0,
            };
        }
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(digest::sha256(bytes).as_bytes())?;
        file.write_all(bytes)?;
        file.persist(self.folder.join(identity))?;
        usage.written += size;
        usage.bytes = usage.bytes.map(|held| held + size);
        Ok(())
    }

    /// Returns what is held, after removing the least recently used if `more` bytes do not fit.
    fn make_room(&self, more: u64) -> io::Result<u64> {
        let (mut held, mut files) = (0, Vec::new());
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may have removed it.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let used = metadata.modified()?;
            let unfinished = entry.file_name().as_encoded_bytes().starts_with(b".");
            let abandoned = used.elapsed().is_ok_and(|age| age > ABANDONED_AFTER);
            if unfinished && abandoned {
                remove(&entry.path())?;
                continue;
            }
            held += metadata.len();
            if !unfinished {
                files.push((used, metadata.len(), entry.path()));
            }
        }
        if held + more > self.max_bytes {
            // Some more than needed, so that not every copy needs a look at all of them.
            let goal = (self.max_bytes / 8 * 7).saturating_sub(more);
            files.sort_unstable();
            for (_, size, path) in files {
                if held <= goal {
                    break;
                }
                remove(&path)?;
                held -= size;
            }
        }
        Ok(held)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a cache for ten copies of 1000 bytes, with its folder.
    fn cache() -> (tempfile::TempDir, DiskCache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(folder.path().join("objects"), 10 * (DIGEST as u64 + 1000));
        (folder, cache)
    }

    fn held(cache: &DiskCache) -> u64 {
        let entries = fs::read_dir(&cache.folder).unwrap();
        entries
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum()
    }

    /// Says when a copy was last used.
    fn used(cache: &DiskCache, identity: &str, seconds_ago: u64) {
        let file = File::open(cache.folder.join(identity)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(seconds_ago);
        file.set_modified(time).unwrap();
    }

    #[test]
    fn a_damaged_copy_is_dropped() {
        let (_folder, cache) = cache();
        cache.put("a", b"whole");
        assert_eq!(cache.get("a").unwrap(), "whole");
        let path = cache.folder.join("a");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(cache.get("a"), None);
        assert!(!path.exists());
        fs::write(&path, "short").unwrap();
        assert_eq!(cache.get("a"), None);
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let (_folder, cache) = cache();
        for number in 0..10 {
            cache.put(&number.to_string(), &[7; 1000]);
            used(&cache, &number.to_string(), 100 - number);
        }
        assert!(cache.get("0").is_some());
        cache.put("new", &[7; 1000]);
        assert!(cache.get("0").is_some() && cache.get("new").is_some());
        assert_eq!(cache.get("1"), None);
        assert!(held(&cache) <= cache.max_bytes);
    }

    #[test]
    fn the_limit_holds_however_much_comes() {
        let (_folder, cache) = cache();
        for number in 0..100 {
            cache.put(&number.to_string(), &[7; 1000]);
            assert!(held(&cache) <= cache.max_bytes);
        }
        cache.put("half of the room", &vec![7; cache.max_bytes as usize / 2]);
        assert_eq!(cache.get("half of the room"), None);
    }

    #[test]
    fn a_folder_that_is_shared_is_looked_at_again_before_long() {
        let (_folder, cache) = cache();
        let other = DiskCache::new(cache.folder.clone(), cache.max_bytes);
        for number in 0..50 {
            cache.put(&format!("a{number}"), &[7; 1000]);
            other.put(&format!("b{number}"), &[7; 1000]);
            assert!(held(&cache) <= cache.max_bytes / 16 * 18);
        }
    }
}

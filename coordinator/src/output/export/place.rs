//! Where an export is written, file by file. What is there is compared with what it should be, and left as it is.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt;
use shared::blocking;
use shared::digest;
use shared::storage::disk_error;
use shared::target::Target;
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::sums::Sums;
use super::{CARD, ExportError, SUMS};

/// The files that are there, each by a part of the digest of its path: there may be a million.
#[derive(Debug, Default)]
pub(super) struct Present(HashSet<u128>);

impl Present {
    /// Lists what is there.
    pub(super) async fn list(target: &dyn Target) -> Result<Self, ExportError> {
        let mut present = Self::default();
        let mut pages = target.list();
        while let Some(page) = pages.try_next().await? {
            present
                .0
                .extend(page.iter().map(|file| place_of(&file.path)));
        }
        Ok(present)
    }

    /// Returns whether a file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains(&place_of(path))
    }
}

fn place_of(path: &str) -> u128 {
    let sha256 = digest::sha256(path.as_bytes());
    let digits = sha256.get(..32).unwrap_or_default();
    u128::from_str_radix(digits, 16).expect("a digest of ours is hexadecimal")
}

/// Where an export is written.
pub(super) struct Place<'a> {
    target: &'a dyn Target,
    present: Present,
    stop: CancellationToken,
}

impl<'a> Place<'a> {
    pub(super) fn new(target: &'a dyn Target, present: Present, stop: CancellationToken) -> Self {
        Self {
            target,
            present,
            stop,
        }
    }

    /// Returns whether a file was there before.
    pub(super) fn has(&self, path: &str) -> bool {
        self.present.has(path)
    }

    /// Returns whether a file was there before. One with another digest is refused.
    pub(super) async fn has_whole(&self, path: &str, sha256: &str) -> Result<bool, ExportError> {
        if !self.has(path) {
            return Ok(false);
        }
        let found = self.target.stored_sha256(path).await;
        if found.map_err(ExportError::of_target)? == sha256 {
            return Ok(true);
        }
        Err(ExportError::Other {
            path: self.target.locate(path),
        })
    }

    /// Returns the bytes of a file that was there before.
    pub(super) async fn read(&self, path: &str, max_bytes: u64) -> Result<Bytes, ExportError> {
        Ok(self.target.read(path, max_bytes).await?)
    }

    /// Returns an error if nothing more is to be written now.
    pub(super) fn go_on(&self) -> Result<(), ExportError> {
        go_on(&self.stop)
    }

    /// Writes a file with these bytes.
    pub(super) async fn create(&self, path: &str, bytes: Bytes) -> Result<(), ExportError> {
        let created = self.target.create(path, bytes).await;
        created.map(drop).map_err(ExportError::of_target)
    }

    /// Gives a file of this machine a second name.
    pub(super) async fn link(&self, path: &str, file: &Path) -> Result<(), ExportError> {
        let linked = self.target.link(path, file).await;
        linked.map(drop).map_err(ExportError::of_target)
    }

    /// Writes a text, as [`Self::put`] does.
    pub(super) async fn put_text(&self, path: &str, text: String) -> Result<String, ExportError> {
        let write = move |to: &mut dyn Write| to.write_all(text.as_bytes());
        self.put(path, write).await
    }

    /// Writes a file of any size, and returns its digest. One that is there with other bytes is refused.
    pub(super) async fn put(
        &self,
        path: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Result<String, ExportError> {
        self.go_on()?;
        let file = self.temporary_file()?;
        let temporary = file.path().to_owned();
        let made = blocking::run(move || -> io::Result<NamedTempFile> {
            let mut to = BufWriter::new(file);
            write(&mut to)?;
            to.into_inner().map_err(io::IntoInnerError::into_error)
        });
        let made = made.await.map_err(|source| making(&temporary, source))?;
        self.create_from(path, made).await
    }

    /// Writes a file that was made in a temporary one; returns its digest.
    pub(super) async fn create_from(
        &self,
        path: &str,
        made: NamedTempFile,
    ) -> Result<String, ExportError> {
        let temporary = made.path().to_owned();
        let digested = blocking::run(move || {
            let sha256 = digest::sha256_of_file(made.path());
            sha256.map(|sha256| (sha256, made))
        });
        let (sha256, made) = digested
            .await
            .map_err(|source| disk_error("read", &temporary, source))?;
        let created = self.target.create_from(path, made).await;
        created.map_err(ExportError::of_target)?;
        Ok(sha256)
    }

    /// Returns an empty file for what is made before it is written.
    pub(super) fn temporary_file(&self) -> Result<NamedTempFile, ExportError> {
        self.target.temporary_file().map_err(ExportError::of_target)
    }

    /// Ends the export: its digests, and then its card, which makes it one. Returns how many files it has.
    pub(super) async fn finish(&self, card: String, mut sums: Sums) -> Result<usize, ExportError> {
        sums.note(CARD, &digest::sha256(card.as_bytes()))?;
        let (sums, num_files) = sums.finish()?;
        let created = self.target.create_from(SUMS, sums).await;
        created.map_err(ExportError::of_target)?;
        self.create(CARD, Bytes::from(card)).await?;
        let removed = self.target.remove_unfinished().await;
        removed.map_err(ExportError::of_target)?;
        Ok(num_files + 1)
    }
}

/// Returns an error if nothing more is to be done now.
pub(super) fn go_on(stop: &CancellationToken) -> Result<(), ExportError> {
    if stop.is_cancelled() {
        return Err(ExportError::Stopped);
    }
    Ok(())
}

/// Returns the error of making a file in a temporary one, by whatever writes it.
pub(super) fn making(temporary: &Path, source: io::Error) -> ExportError {
    disk_error("write", temporary, source).into()
}

#[cfg(test)]
mod tests {
    use shared::failure::chain;
    use shared::storage::StorageErrorKind;
    use shared::target::FolderTarget;

    use super::*;

    /// What a disk says that has no room left.
    const NO_SPACE: i32 = 28;

    #[tokio::test]
    async fn a_disk_that_fills_up_while_a_file_is_made_is_named_with_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path());
        let place = Place::new(&target, Present::default(), CancellationToken::new());
        let no_space = || io::Error::from_raw_os_error(NO_SPACE);
        let failing = move |_: &mut dyn Write| Err(io::Error::other(no_space()));
        let error = place.put("table", failing).await.unwrap_err();
        let told = chain(&error);
        let ExportError::Storage(error) = error else {
            panic!("it is no error of storage: {told}");
        };
        assert_eq!(error.kind, StorageErrorKind::Full);
        let unfinished = folder.path().join(".writing");
        for words in [
            unfinished.to_str().unwrap(),
            "no space is left",
            "free some",
        ] {
            assert!(told.contains(words), "no {words}: {told}");
        }
        assert!(!folder.path().join("table").exists());
    }
}

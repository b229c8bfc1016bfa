//! An export is begun where nothing is, or taken up again where the same one was stopped.

use bytes::Bytes;
use futures::TryStreamExt;
use shared::digest;
use shared::read_file::max_bytes;
use shared::target::Target;
use shared::wording::first_of;

use super::place::Present;
use super::record::ExportRecord;
use super::{CARD, ExportError, RECORD, SUMS};

/// What was found.
pub(super) enum Found {
    /// The same export, whole.
    Finished,
    /// Nothing, or a part of the same export.
    Unfinished(Box<Unfinished>),
}

/// An export that is to be written, where that can be done.
pub(super) struct Unfinished {
    /// What it is of.
    pub(super) record: ExportRecord,
    /// What of it is there.
    pub(super) present: Present,
    /// The record as it is written.
    json: Bytes,
}

/// Finds how far the same export came. It is finished once its card and its list of digests are there: one whose list was
/// removed since is gone on with.
pub(super) async fn find(target: &dyn Target, record: ExportRecord) -> Result<Found, ExportError> {
    let unfinished = match target.read(RECORD, max_bytes::CONTRACT).await {
        Ok(json) => {
            let present = Present::list(target).await?;
            let is_finished = present.has(CARD) && present.has(SUMS);
            let record = taken_up(target, record, &json, is_finished)?;
            if is_finished {
                return Ok(Found::Finished);
            }
            Unfinished {
                record,
                present,
                json,
            }
        }
        Err(error) if error.is_absent() => {
            refuse_anything(target).await?;
            Unfinished {
                json: Bytes::from(record.to_json()),
                record,
                present: Present::default(),
            }
        }
        Err(error) => return Err(error.into()),
    };
    target.check_writable().await?;
    Ok(Found::Unfinished(Box::new(unfinished)))
}

impl Unfinished {
    /// Begins the export by its record, which may be there; returns the digest of that.
    pub(super) async fn begin(&self, target: &dyn Target) -> Result<String, ExportError> {
        if !self.present.has(RECORD) {
            let created = target.create(RECORD, self.json.clone()).await;
            created.map_err(ExportError::of_target)?;
        }
        Ok(digest::sha256(&self.json))
    }
}

/// Returns the record that is there if it is of the same export: what it tells is as it was at the beginning. What another
/// version of the program has begun it may finish in other bytes, so that only a finished one passes.
fn taken_up(
    target: &dyn Target,
    mut record: ExportRecord,
    bytes: &[u8],
    is_finished: bool,
) -> Result<ExportRecord, ExportError> {
    let refuse = |why: String| {
        ExportError::Refused(format!(
            "{} {why}: name another --out, or remove what is there",
            target.locate(RECORD)
        ))
    };
    let Some(stored) = ExportRecord::parse(bytes) else {
        return Err(refuse(
            "is damaged, or of another version of synth2real".to_owned(),
        ));
    };
    if is_finished {
        record.program.clone_from(&stored.program);
    }
    let differences = stored.differences(&record);
    if differences.is_empty() {
        return Ok(stored);
    }
    Err(refuse(format!(
        "is of another export: {}",
        first_of(differences, "; ")
    )))
}

/// Refuses a place in which anything is.
async fn refuse_anything(target: &dyn Target) -> Result<(), ExportError> {
    let mut pages = target.list();
    while let Some(page) = pages.try_next().await? {
        if let Some(file) = page.first() {
            return Err(ExportError::Refused(format!(
                "{} is there, and is no part of an export: name a place for --out where nothing is",
                target.locate(&file.path)
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use shared::target::FolderTarget;

    use super::*;
    use crate::output::export::format::Format;
    use crate::output::export::record::tests::record;

    async fn found(target: &FolderTarget, format: Format) -> Result<Found, ExportError> {
        find(target, record(format, 2)).await
    }

    /// Begins an export, or goes on with it.
    async fn begin(target: &FolderTarget, record: ExportRecord) -> Unfinished {
        match find(target, record).await.unwrap() {
            Found::Unfinished(unfinished) => {
                unfinished.begin(target).await.unwrap();
                *unfinished
            }
            Found::Finished => panic!("it is not finished"),
        }
    }

    async fn write(target: &FolderTarget, path: &str) {
        let bytes = Bytes::copy_from_slice(path.as_bytes());
        target.create(path, bytes).await.unwrap();
    }

    #[tokio::test]
    async fn the_same_export_goes_on_and_another_one_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        let cityscapes = || record(Format::Cityscapes, 2);
        let first = begin(&target, cityscapes()).await;
        assert!(!first.present.has(RECORD), "nothing was there");
        write(&target, "a.png").await;
        let second = begin(&target, cityscapes()).await;
        assert!(second.present.has("a.png") && !second.present.has("b.png"));
        assert_eq!((second.record, second.json), (first.record, first.json));

        let other = found(&target, Format::Fiftyone).await.err().unwrap();
        let told = other.to_string();
        for words in ["is of another export", "\"fiftyone\"", "name another --out"] {
            assert!(told.contains(words), "no {words}: {told}");
        }
        write(&target, CARD).await;
        let without_list = begin(&target, cityscapes()).await;
        assert!(without_list.present.has(CARD));
        write(&target, SUMS).await;
        let third = found(&target, Format::Cityscapes).await.unwrap();
        assert!(matches!(third, Found::Finished));
    }

    #[tokio::test]
    async fn nothing_is_written_before_an_export_is_begun() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path());
        let _ = found(&target, Format::Webdataset).await.unwrap();
        let record = target.read(RECORD, max_bytes::CONTRACT).await;
        assert!(record.unwrap_err().is_absent());
    }

    #[tokio::test]
    async fn what_another_version_began_is_not_gone_on_with_and_what_it_finished_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        let earlier = ExportRecord {
            program: "0.0.1".to_owned(),
            ..record(Format::Webdataset, 2)
        };
        let _ = begin(&target, earlier).await;
        let told = found(&target, Format::Webdataset).await.err().unwrap();
        let told = told.to_string();
        for words in ["program was \"0.0.1\" and is now", "name another --out"] {
            assert!(told.contains(words), "no {words}: {told}");
        }
        write(&target, CARD).await;
        write(&target, SUMS).await;
        let finished = found(&target, Format::Webdataset).await.unwrap();
        assert!(matches!(finished, Found::Finished));
    }

    #[tokio::test]
    async fn where_anything_is_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let target = FolderTarget::new(folder.path());
        let told = found(&target, Format::Cityscapes).await.err().unwrap();
        let told = told.to_string();
        assert!(told.contains("notes.txt is there"), "{told}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
        std::fs::write(folder.path().join(RECORD), "{}").unwrap();
        let told = found(&target, Format::Cityscapes).await.err().unwrap();
        assert!(told.to_string().contains("damaged"), "{told}");
    }
}

//! An export is begun where nothing is, or taken up again where the same one was stopped.

use bytes::Bytes;
use futures::TryStreamExt;
use shared::digest;
use shared::read_file::max_bytes;
use shared::target::Target;
use shared::wording::first_of;

use super::place::Present;
use super::record::ExportRecord;
use super::{CARD, ExportError, RECORD};

/// What was found.
pub(super) enum Begun {
    /// The same export, whole.
    Finished,
    /// Nothing, or a part of the same export.
    Unfinished(Box<Unfinished>),
}

/// An export that is to be written.
pub(super) struct Unfinished {
    /// What it is of.
    pub(super) record: ExportRecord,
    /// The digest of its record.
    pub(super) sha256: String,
    /// What of it is there.
    pub(super) present: Present,
}

/// Begins an export, or finds how far the same one came. Nothing is written where something else is.
pub(super) async fn begin(target: &dyn Target, record: ExportRecord) -> Result<Begun, ExportError> {
    match target.read(RECORD, max_bytes::CONTRACT).await {
        Ok(bytes) => {
            let present = Present::list(target).await?;
            let is_finished = present.has(CARD);
            let stored = taken_up(target, record, &bytes, is_finished)?;
            if is_finished {
                return Ok(Begun::Finished);
            }
            target.check_writable().await?;
            Ok(Begun::Unfinished(Box::new(Unfinished {
                record: stored,
                sha256: digest::sha256(&bytes),
                present,
            })))
        }
        Err(error) if error.is_absent() => {
            refuse_anything(target).await?;
            target.check_writable().await?;
            let json = Bytes::from(record.to_json());
            let created = target.create(RECORD, json.clone()).await;
            created.map_err(ExportError::of_target)?;
            Ok(Begun::Unfinished(Box::new(Unfinished {
                record,
                sha256: digest::sha256(&json),
                present: Present::default(),
            })))
        }
        Err(error) => Err(error.into()),
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

    async fn begun(target: &FolderTarget, format: Format) -> Result<Begun, ExportError> {
        begin(target, record(format, 2)).await
    }

    #[tokio::test]
    async fn the_same_export_goes_on_and_another_one_is_refused_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        let unfinished = |begun| match begun {
            Begun::Unfinished(unfinished) => *unfinished,
            Begun::Finished => panic!("it is not finished"),
        };
        let first = unfinished(begun(&target, Format::Cityscapes).await.unwrap());
        assert!(!first.present.has(RECORD), "nothing was there");
        target
            .create("a.png", Bytes::from_static(b"a"))
            .await
            .unwrap();
        let second = unfinished(begun(&target, Format::Cityscapes).await.unwrap());
        assert!(second.present.has("a.png") && !second.present.has("b.png"));
        assert_eq!((second.record, second.sha256), (first.record, first.sha256));

        let other = begun(&target, Format::Fiftyone).await.err().unwrap();
        let told = other.to_string();
        for words in ["is of another export", "\"fiftyone\"", "name another --out"] {
            assert!(told.contains(words), "no {words}: {told}");
        }
        target
            .create(CARD, Bytes::from_static(b"card"))
            .await
            .unwrap();
        let third = begun(&target, Format::Cityscapes).await.unwrap();
        assert!(matches!(third, Begun::Finished));
    }

    #[tokio::test]
    async fn what_another_version_began_is_not_gone_on_with_and_what_it_finished_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path().join("out"));
        let earlier = ExportRecord {
            program: "0.0.1".to_owned(),
            ..record(Format::Webdataset, 2)
        };
        let _ = begin(&target, earlier).await.unwrap();
        let told = begun(&target, Format::Webdataset).await.err().unwrap();
        let told = told.to_string();
        for words in ["program was \"0.0.1\" and is now", "name another --out"] {
            assert!(told.contains(words), "no {words}: {told}");
        }
        target
            .create(CARD, Bytes::from_static(b"card"))
            .await
            .unwrap();
        let finished = begun(&target, Format::Webdataset).await.unwrap();
        assert!(matches!(finished, Begun::Finished));
    }

    #[tokio::test]
    async fn where_anything_is_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let target = FolderTarget::new(folder.path());
        let told = begun(&target, Format::Cityscapes).await.err().unwrap();
        let told = told.to_string();
        assert!(told.contains("notes.txt is there"), "{told}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        std::fs::remove_file(folder.path().join("notes.txt")).unwrap();
        std::fs::write(folder.path().join(RECORD), "{}").unwrap();
        let told = begun(&target, Format::Cityscapes).await.err().unwrap();
        assert!(told.to_string().contains("damaged"), "{told}");
    }
}

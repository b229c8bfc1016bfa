//! Whether an export is as it was written: every file there with its digest, and nothing more.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt};
use shared::failure::chain;
use shared::ids::RunId;
use shared::read_file::max_bytes;
use shared::storage::{StorageError, StorageErrorKind};
use shared::target::Target;
use shared::wording::{MOST_TEXT_BYTES, one_line, shortened};

use super::record::ExportRecord;
use super::{CARD, ExportError, RECORD, SUMS, Watch, sums};

/// Files that are read at once.
const AT_ONCE: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Files that its list of digests names, and the list.
    pub num_files: usize,
    /// Everything that is not as it was written, one line each.
    pub findings: Vec<String>,
}

/// What is said of a record that is none.
const NO_RECORD: &str = "is damaged, or of another version of synth2real";
/// What helps where the list of digests is damaged.
const WRITE_LIST_AGAIN: &str = "remove it, and run the command again that began the export";

/// Reads an export of a run and compares it with its digests.
///
/// # Errors
///
/// [`ExportError::Refused`] where there is none, one of another run, or one that was stopped; [`ExportError::Away`] if it
/// goes away meanwhile; else that storage does not answer.
pub async fn check(
    target: &dyn Target,
    run: &RunId,
    watch: &dyn Watch,
) -> Result<Checked, ExportError> {
    let mut checked = Checked::default();
    checked.findings.extend(check_record(target, run).await?);
    match list(target).await? {
        Ok(list) => checked.compare(target, &list, watch).await?,
        Err(finding) => checked.findings.push(finding),
    }
    // Of what is not mounted any more everything seems to be missing.
    if !checked.findings.is_empty() && read(target, RECORD, max_bytes::CONTRACT).await?.is_none() {
        let path = target.locate(RECORD);
        return Err(ExportError::Away { path });
    }
    for finding in &mut checked.findings {
        let shown = one_line(finding).into_owned();
        *finding = shown;
    }
    Ok(checked)
}

impl Checked {
    /// Compares what is there with a list of digests.
    async fn compare(
        &mut self,
        target: &dyn Target,
        list: &str,
        watch: &dyn Watch,
    ) -> Result<(), StorageError> {
        let mut files = Vec::new();
        for line in list.lines() {
            match sums::parse(line) {
                Some(file) => files.push(file),
                None => {
                    let line = shortened(line, MOST_TEXT_BYTES);
                    self.findings.push(format!(
                        "{SUMS} is damaged, it has the line {line:?}: {WRITE_LIST_AGAIN}"
                    ));
                }
            }
        }
        self.num_files = files.len() + 1;
        watch.begins(files.len(), "files");
        let looks = files
            .iter()
            .map(|&(sha256, path)| look(target, path, sha256));
        let mut looks = std::pin::pin!(futures::stream::iter(looks).buffered(AT_ONCE));
        let mut reached = 0;
        while let Some(found) = looks.next().await {
            self.findings.extend(found?);
            reached += 1;
            watch.reached(reached);
        }
        let known: HashSet<&str> = files.iter().map(|(_, path)| *path).collect();
        let mut pages = target.list();
        while let Some(page) = pages.try_next().await? {
            let others = page.iter().map(|file| file.path.as_str());
            let others = others.filter(|path| *path != SUMS && !known.contains(path));
            let found = others.map(|path| format!("{path} is no part of the export"));
            self.findings.extend(found);
        }
        Ok(())
    }
}

/// Refuses what is no export of a run that was written to its end; returns what is wrong with its record, if anything is.
async fn check_record(target: &dyn Target, run: &RunId) -> Result<Option<String>, ExportError> {
    let place = target.locate("");
    let refuse = |why: String| Err(ExportError::Refused(why));
    let Some(record) = read(target, RECORD, max_bytes::CONTRACT).await? else {
        return refuse(format!(
            "{place} is no export: it has no {RECORD}; check --out"
        ));
    };
    let record = ExportRecord::parse(&record);
    if let Some(record) = record.as_ref().filter(|record| record.run != *run) {
        return refuse(format!(
            "{place} is an export of run {}, not of {run}",
            record.run
        ));
    }
    let is_ended = read(target, CARD, max_bytes::OBJECT).await?.is_some();
    match (is_ended, record) {
        (true, Some(_)) => Ok(None),
        (true, None) => Ok(Some(format!("{RECORD} {NO_RECORD}"))),
        (false, Some(_)) => refuse(format!(
            "{place} is an export that was stopped: run the command again that began it"
        )),
        (false, None) => refuse(format!("{} {NO_RECORD}", target.locate(RECORD))),
    }
}

/// Returns the list of digests of an export that was written to its end, or what is wrong with it.
async fn list(target: &dyn Target) -> Result<Result<String, String>, StorageError> {
    let Some(list) = read(target, SUMS, max_bytes::OBJECT).await? else {
        return Ok(Err(format!(
            "{SUMS} is missing: run the command again that began the export"
        )));
    };
    let list = String::from_utf8(list);
    Ok(list.map_err(|_| format!("{SUMS} is damaged, it is no text: {WRITE_LIST_AGAIN}")))
}

/// Returns the bytes of a file; nothing if there is none.
async fn read(
    target: &dyn Target,
    path: &str,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>, StorageError> {
    match target.read(path, max_bytes).await {
        Ok(bytes) => Ok(Some(Vec::from(bytes))),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns what is wrong with a file, if anything is.
async fn look(
    target: &dyn Target,
    path: &str,
    sha256: &str,
) -> Result<Option<String>, StorageError> {
    match target.sha256(path).await {
        Ok(found) if found == sha256 => Ok(None),
        Ok(found) => Ok(Some(format!(
            "{path} has SHA-256 {found}, {SUMS} says {sha256}"
        ))),
        Err(error) if error.is_absent() => Ok(Some(format!("{path} is missing"))),
        Err(error) => match error.kind {
            StorageErrorKind::Unavailable | StorageErrorKind::Full => Err(error),
            StorageErrorKind::NotFound
            | StorageErrorKind::Conflict
            | StorageErrorKind::Denied
            | StorageErrorKind::Invalid => {
                Ok(Some(format!("{path} cannot be read: {}", chain(&error))))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use bytes::Bytes;
    use shared::digest;
    use shared::target::FolderTarget;

    use super::*;
    use crate::output::export::Format;
    use crate::output::export::record::tests::record;

    /// Takes a folder away once its files are to be read, as a mount that is lost.
    struct Unmounts(Option<PathBuf>);

    impl Watch for Unmounts {
        fn begins(&self, _: usize, _: &'static str) {
            if let Some(folder) = &self.0 {
                fs::remove_dir_all(folder).unwrap();
            }
        }

        fn reached(&self, _: usize) {}
    }

    /// Writes a small export, whole.
    async fn write(target: &FolderTarget, record: &ExportRecord) {
        let files = [
            (RECORD, record.to_json()),
            ("a.png", "pixels".to_owned()),
            (CARD, "a card".to_owned()),
        ];
        let mut list = String::new();
        for (path, text) in files {
            list.push_str(&sums::line(path, &digest::sha256(text.as_bytes())));
            target.create(path, Bytes::from(text)).await.unwrap();
        }
        target.create(SUMS, Bytes::from(list)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_mounted_any_more_is_an_outage_and_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let target = FolderTarget::new(&out);
        let record = record(Format::Cityscapes, 1);
        write(&target, &record).await;
        let checked = check(&target, &record.run, &Unmounts(None)).await.unwrap();
        assert_eq!((checked.num_files, checked.findings.len()), (4, 0));

        fs::remove_file(out.join("a.png")).unwrap();
        let checked = check(&target, &record.run, &Unmounts(None)).await.unwrap();
        assert_eq!(checked.findings, ["a.png is missing"]);

        let away = check(&target, &record.run, &Unmounts(Some(out))).await;
        let away = away.unwrap_err();
        assert!(matches!(away, ExportError::Away { .. }), "{away}");
    }

    #[tokio::test]
    async fn a_list_or_a_record_that_is_damaged_or_gone_is_a_finding_with_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path());
        let record = record(Format::Cityscapes, 1);
        write(&target, &record).await;
        let list = folder.path().join(SUMS);
        let whole = fs::read(&list).unwrap();
        let findings = async || {
            let checked = check(&target, &record.run, &Unmounts(None)).await;
            checked.unwrap().findings
        };
        fs::write(&list, b"\xff\xfe").unwrap();
        let expected = "SHA256SUMS is damaged, it is no text: remove it, and run the command again that began the export";
        assert_eq!(findings().await, [expected]);
        fs::write(&list, [&whole[..], b"cut"].concat()).unwrap();
        let expected = "SHA256SUMS is damaged, it has the line \"cut\": remove it, and run the command again that began \
                        the export";
        assert_eq!(findings().await, [expected]);
        let long = "x".repeat(1 << 20);
        fs::write(&list, [&whole[..], long.as_bytes()].concat()).unwrap();
        let found = findings().await;
        let told = found[0].as_str();
        assert_eq!(found.len(), 1);
        assert!(told.len() < 2 * MOST_TEXT_BYTES, "{} bytes", told.len());
        assert!(told.contains("xxx...xxx") && told.ends_with(WRITE_LIST_AGAIN));
        fs::remove_file(&list).unwrap();
        let expected = "SHA256SUMS is missing: run the command again that began the export";
        assert_eq!(findings().await, [expected]);
        fs::write(&list, whole).unwrap();

        fs::write(folder.path().join(RECORD), "{}").unwrap();
        let found = findings().await;
        let expected = ".synth2real-export.json is damaged, or of another version of synth2real";
        assert_eq!((found.len(), found[0].as_str()), (2, expected), "{found:?}");
        assert!(found[1].contains("has SHA-256"), "{found:?}");

        fs::remove_file(folder.path().join(CARD)).unwrap();
        let stopped = check(&target, &record.run, &Unmounts(None)).await;
        let told = stopped.unwrap_err().to_string();
        assert!(told.ends_with(expected), "{told}");
    }
}

//! What is noted of files with many items while they are written: how the set is divided into them, and the digest of each
//! that is finished. An export that goes on takes such a file for whole if it is as its note says; one without a note is made
//! again and compared.

use shared::digest::Sum;

use super::ExportError;
use super::packs::Pack;
use super::place::Place;
use super::sums::{self, Sums};

/// The digest of how a set is divided into files.
pub(super) const DIVISION: &str = ".synth2real-export/division.sha256";
/// The most bytes of a note: a digest and a path.
const MAX_BYTES: u64 = 4096;

/// Returns the path of the note of a file.
fn note_of(pack: &Pack) -> String {
    format!(".synth2real-export/{}.sha256", pack.path)
}

/// Notes how a set is divided. One that was divided in another way is refused.
pub(super) async fn note_division(
    place: &Place<'_>,
    packs: &[Pack],
    sums: &mut Sums,
) -> Result<(), ExportError> {
    let text = format!("{}\n", division_sha256(packs));
    let noted = write(place, DIVISION, text, sums).await;
    noted.map_err(|error| match error {
        ExportError::Other { path } => ExportError::Refused(format!(
            "{path} is of a set that was divided into files in another way: name another --out, or remove all that is there"
        )),
        error => error,
    })
}

/// Notes a file that is finished.
pub(super) async fn note_finished(
    place: &Place<'_>,
    pack: &Pack,
    sums: &mut Sums,
) -> Result<(), ExportError> {
    let text = sums::line(&pack.path, &pack.sha256);
    write(place, &note_of(pack), text, sums).await
}

/// Returns the digest of a file that was finished before; none if it has to be made. One that is not as its note says is
/// refused.
pub(super) async fn finished(
    place: &Place<'_>,
    pack: &Pack,
) -> Result<Option<String>, ExportError> {
    let note = note_of(pack);
    if !place.has(&pack.path) || !place.has(&note) {
        return Ok(None);
    }
    let bytes = place.read(&note, MAX_BYTES).await?;
    let Some(noted) = parse(&bytes, pack) else {
        return Ok(None);
    };
    let is_whole = place.has_whole(&pack.path, noted).await?;
    Ok(is_whole.then(|| noted.to_owned()))
}

/// Returns the digest that the note of a file says; none if it is damaged.
fn parse<'a>(note: &'a [u8], pack: &Pack) -> Option<&'a str> {
    let line = str::from_utf8(note).ok()?.strip_suffix('\n')?;
    let (sha256, path) = sums::parse(line)?;
    (path == pack.path).then_some(sha256)
}

async fn write(
    place: &Place<'_>,
    path: &str,
    text: String,
    sums: &mut Sums,
) -> Result<(), ExportError> {
    let sha256 = place.put_text(path, text).await?;
    sums.note(path, &sha256)
}

/// Returns a digest of which items are in which file. Another digest is another division.
fn division_sha256(packs: &[Pack]) -> String {
    let mut sum = Sum::new();
    for pack in packs {
        sum.update(format!("{}\n{}\n", pack.path, pack.items.len()).as_bytes());
        for position in &pack.items {
            sum.update(&position.to_le_bytes());
        }
    }
    sum.finish()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use shared::digest;
    use shared::target::{FolderTarget, Target};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::output::export::place::Present;
    use crate::output::export::set::Split;

    fn pack(items: &[u32]) -> Pack {
        let mut pack = Pack::new("train-000000.tar".to_owned(), Split::Train);
        items.iter().for_each(|&item| pack.add(item, 1));
        pack
    }

    async fn place(target: &FolderTarget) -> Place<'_> {
        let present = Present::list(target).await.unwrap();
        Place::new(target, present, CancellationToken::new())
    }

    #[test]
    fn another_division_has_another_digest() {
        let digests =
            [&[0, 1][..], &[1, 0], &[0], &[]].map(|items| division_sha256(&[pack(items)]));
        let different: std::collections::BTreeSet<&String> = digests.iter().collect();
        assert_eq!(different.len(), digests.len());
        let mut parted = [pack(&[0]), pack(&[1])];
        parted[1].path = "train-000001.tar".to_owned();
        assert!(!digests.contains(&division_sha256(&parted)));
    }

    #[tokio::test]
    async fn a_set_that_is_divided_in_another_way_is_refused_whole() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path());
        let place = place(&target).await;
        let mut sums = Sums::new(&target).unwrap();
        for _ in 0..2 {
            let packs = [pack(&[0, 1])];
            note_division(&place, &packs, &mut sums).await.unwrap();
        }
        let refused = note_division(&place, &[pack(&[0])], &mut sums).await;
        let told = refused.unwrap_err().to_string();
        for words in [DIVISION, "in another way", "name another --out"] {
            assert!(told.contains(words), "no {words}: {told}");
        }
    }

    #[tokio::test]
    async fn a_file_is_whole_if_it_is_as_its_note_says_and_made_again_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = FolderTarget::new(folder.path());
        let mut pack = pack(&[0]);
        pack.sha256 = digest::sha256(b"items");
        let bytes = || Bytes::from_static(b"items");
        target.create(&pack.path, bytes()).await.unwrap();
        let without_note = place(&target).await;
        assert_eq!(finished(&without_note, &pack).await.unwrap(), None);

        let mut sums = Sums::new(&target).unwrap();
        note_finished(&without_note, &pack, &mut sums)
            .await
            .unwrap();
        let noted = place(&target).await;
        let sha256 = finished(&noted, &pack).await.unwrap();
        assert_eq!(sha256.as_ref(), Some(&pack.sha256));

        let file = folder.path().join(&pack.path);
        std::fs::write(&file, "other").unwrap();
        let told = finished(&noted, &pack).await.unwrap_err().to_string();
        assert!(told.contains(&pack.path), "{told}");
        std::fs::write(folder.path().join(note_of(&pack)), "half").unwrap();
        assert_eq!(finished(&noted, &pack).await.unwrap(), None);
        std::fs::remove_file(file).unwrap();
        let gone = place(&target).await;
        assert_eq!(finished(&gone, &pack).await.unwrap(), None);
    }
}

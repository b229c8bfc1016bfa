//! Archives of samples, each `KEY.png`, `KEY.label.png` (train ids) and `KEY.json`, as WebDataset reads them one after the
//! other: `{split}-000000.tar`.
//!
//! Contents are in an order that has nothing to do with their names, and all styles of a content are together, so that every
//! archive has all styles and a reader's shuffle buffer mixes them. Archives have no times, owners or other traces of who
//! made them: the same set gives the same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use serde_json::{Value, json};
use shared::json;
use tar::{Builder, EntryType, Header};

use super::{PackLayout, PackWriter, PictureGlobs, image_name, label_name};
use crate::output::export::croissant::Parts;
use crate::output::export::packs::{Pack, Sizes};
use crate::output::export::record::ExportRecord;
use crate::output::export::set::{Item, Set, Split};
use crate::output::export::{ExportError, validation};

/// What entries are padded to.
const BLOCK: u64 = 512;
/// What an archive ends with.
const END: u64 = 2 * BLOCK;

pub(super) struct Webdataset {
    pub(super) file_bytes: u64,
}

/// Returns what an entry of so many bytes takes.
fn entry_bytes(size: u64) -> u64 {
    BLOCK + size.div_ceil(BLOCK) * BLOCK
}

impl PackLayout for Webdataset {
    fn packs(&self, set: &Set, sizes: &Sizes) -> Result<Vec<Pack>, ExportError> {
        let mut packs = Vec::new();
        for split in set.splits() {
            let name = set.split_name(split);
            let mut full: Vec<Pack> = Vec::new();
            let mut room = 0;
            for position in shuffled(set, split) {
                let item = &set.items[position as usize];
                let told = json::line(&set.told(item)).len() as u64;
                let pictures = [sizes.image(position), sizes.label(item)];
                let entries = pictures.into_iter().chain([told]);
                let bytes: u64 = entries.map(entry_bytes).sum();
                if bytes + END > self.file_bytes {
                    return Err(ExportError::Refused(format!(
                        "{} takes {} bytes, more than --file-bytes ({}): name a larger number",
                        set.id(item),
                        bytes + END,
                        self.file_bytes
                    )));
                }
                if bytes > room {
                    let path = format!("{name}-{:06}.tar", full.len());
                    full.push(Pack::new(path, split));
                    room = self.file_bytes - END;
                }
                room -= bytes;
                if let Some(pack) = full.last_mut() {
                    pack.add(position, sizes.image(position) + sizes.label(item));
                }
            }
            packs.extend(full);
        }
        Ok(packs)
    }

    fn begin(&self, set: Arc<Set>, file: File) -> io::Result<Box<dyn PackWriter>> {
        let archive = Builder::new(BufWriter::new(file));
        Ok(Box::new(Archive { set, archive }))
    }

    fn croissant(&self, packs: &[Pack]) -> Parts {
        let archives = packs.iter().map(|pack| {
            json!({
                "@type": "cr:FileObject",
                "@id": pack.path,
                "name": pack.path,
                "contentUrl": pack.path,
                "encodingFormat": "application/x-tar",
                "sha256": pack.sha256,
            })
        });
        let within: Vec<Value> = packs.iter().map(|pack| json!({"@id": pack.path})).collect();
        let globs = PictureGlobs {
            // All that ends in .png and not in .label.png: a glob has no other way to say so.
            images: [
                "*[!l].png",
                "*[!e]l.png",
                "*[!b]el.png",
                "*[!a]bel.png",
                "*[!l]abel.png",
                "*[!.]label.png",
            ]
            .map(str::to_owned)
            .to_vec(),
            labels: vec!["*.label.png".to_owned()],
        };
        let pictures = Parts::of_pictures(&globs, Some(&within));
        Parts {
            distribution: archives.chain(pictures.distribution).collect(),
            record_sets: pictures.record_sets,
        }
    }

    fn card_header(&self, _record: &ExportRecord, _packs: &[Pack]) -> String {
        String::new()
    }

    fn usage(&self, record: &ExportRecord) -> String {
        let train = &record.train;
        format!(
            "Archives for WebDataset: of each sample `KEY.png`, `KEY.label.png` with train ids of Cityscapes, and `KEY.json`. \
             Contents are shuffled, and the styles of a content stand together: use a shuffle buffer. \
             mlcroissant keeps what it unpacks by the names of archives alone: give it a `CROISSANT_CACHE` for each \
             export.\n\n\
             ```python\n\
             import io, numpy, webdataset\n\
             from PIL import Image\n\
             train_ids = lambda key, data: numpy.array(Image.open(io.BytesIO(data))) if key.endswith(\"label.png\") else None\n\
             dataset = (webdataset.WebDataset(\"DIR/{train}-{{000000..NNNNNN}}.tar\", shardshuffle=100)\n           \
                 .shuffle(1000).decode(train_ids, \"pil\").to_tuple(\"png\", \"label.png\", \"json\"))\n\
             ```\n"
        )
    }
}

/// Returns the positions of a split's items: contents in an order of their own, each with its styles.
fn shuffled(set: &Set, split: Split) -> impl Iterator<Item = u32> {
    let groups = set.by_content().into_iter();
    let groups = groups.filter(|group| set.split(&set.items[group.start]) == split);
    let ranked = groups.map(|group| {
        let content = set.content(&set.items[group.start]);
        (validation::rank(&content.name, set.seed), group)
    });
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let groups = ranked.into_iter().map(|(_, group)| group);
    groups.flatten().map(|position| position as u32)
}

/// An archive that is written.
struct Archive {
    set: Arc<Set>,
    archive: Builder<BufWriter<File>>,
}

impl Archive {
    fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_path(name)?;
        header.set_cksum();
        self.archive.append(&header, bytes)
    }
}

impl PackWriter for Archive {
    fn add(&mut self, item: &Item, image: &[u8], label: &[u8]) -> io::Result<()> {
        let set = Arc::clone(&self.set);
        let told = json::line(&set.told(item));
        self.entry(&image_name(&set, item), image)?;
        self.entry(&label_name(&set, item), label)?;
        self.entry(&format!("{}.json", set.key(item)), told.as_bytes())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let Self { archive, .. } = *self;
        archive.into_inner()?.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Read;

    use super::*;
    use crate::output::export::set::tests::set;

    fn sizes(set: &Set, bytes: u64) -> Sizes {
        Sizes {
            images: vec![bytes; set.items.len()],
            labels: vec![10; set.contents.len()],
        }
    }

    #[test]
    fn archives_have_no_more_bytes_than_they_may_and_each_item_once() {
        let set = Arc::new(set(20));
        let layout = Webdataset { file_bytes: 40_000 };
        let packs = layout.packs(&set, &sizes(&set, 3000)).unwrap();
        assert!(packs.len() > 3, "{}", packs.len());
        let items = packs.iter().flat_map(|pack| &pack.items);
        let different: BTreeSet<u32> = items.clone().copied().collect();
        assert_eq!((items.count(), different.len()), (40, 40));
        let paths: Vec<&str> = packs.iter().map(|pack| pack.path.as_str()).collect();
        assert_eq!(paths[0], "train-000000.tar");
        assert_eq!(paths[paths.len() - 1], "val-000000.tar");

        for pack in &packs {
            let file = tempfile::tempfile().unwrap();
            let mut writer = layout
                .begin(Arc::clone(&set), file.try_clone().unwrap())
                .unwrap();
            for &position in &pack.items {
                let item = &set.items[position as usize];
                writer.add(item, &[1; 3000], &[2; 10]).unwrap();
            }
            writer.finish().unwrap();
            let bytes = file.metadata().unwrap().len();
            assert!(bytes <= 40_000, "{} has {bytes} bytes", pack.path);
            let last = pack.path == "val-000000.tar" || pack.path == paths[paths.len() - 2];
            assert!(bytes > 30_000 || last, "{} has {bytes} bytes", pack.path);
        }
        let told = Webdataset { file_bytes: 5000 }.packs(&set, &sizes(&set, 5000));
        let told = told.err().unwrap().to_string();
        assert!(told.contains("more than --file-bytes (5000)"), "{told}");
    }

    #[test]
    fn a_sample_is_three_files_one_after_the_other_without_a_trace_of_who_made_them() {
        let set = Arc::new(set(1));
        let layout = Webdataset {
            file_bytes: 1 << 20,
        };
        let made = tempfile::NamedTempFile::new().unwrap();
        let mut writer = layout
            .begin(Arc::clone(&set), made.reopen().unwrap())
            .unwrap();
        writer.add(&set.items[1], b"image", b"label").unwrap();
        writer.finish().unwrap();
        let mut archive = tar::Archive::new(made.reopen().unwrap());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            let name = entry.path().unwrap().display().to_string();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push((name, text));
        }
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let key = "00000_snow-2";
        let expected = ["png", "label.png", "json"].map(|ending| format!("{key}.{ending}"));
        assert_eq!(names, expected);
        assert_eq!(
            (found[0].1.as_str(), found[1].1.as_str()),
            ("image", "label")
        );
        assert!(found[2].1.contains(r#""style":"snow_2""#), "{}", found[2].1);
    }
}

//! Writes a set with a file for each picture: content by content, a few at once.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use imaging::{InputError, NamedBytes};
use shared::artifact::ArtifactKey;
use shared::blocking;
use shared::dataset::ClassTable;
use shared::dataset::entry::LabelKind;
use shared::digest;

use super::format::{FileLayout, LabelFacts};
use super::place::Place;
use super::set::{Item, Set};
use super::sums::{Sums, line};
use super::{ExportError, Job, Written};

/// Contents whose pictures are in memory at once.
const AT_ONCE: usize = 8;

/// Writes the pictures of a set, and notes their digests.
pub(super) async fn write(
    job: &Job<'_>,
    set: &Arc<Set>,
    layout: &Arc<dyn FileLayout>,
    place: &Place<'_>,
    sums: &mut Sums,
) -> Result<Written, ExportError> {
    job.watch.begins(set.items.len(), "images");
    let work = Work {
        job,
        set,
        layout,
        place,
    };
    let mut written = Written::default();
    written.facts.resize_with(set.contents.len(), || None);
    let mut reached = 0;
    let contents = set.by_content().into_iter();
    let contents = contents.map(|items| work.write_content(items));
    let mut contents = std::pin::pin!(futures::stream::iter(contents).buffered(AT_ONCE));
    while let Some(done) = contents.next().await {
        let done = done?;
        sums.note_lines(&done.lines)?;
        written.facts[done.content] = Some(done.facts);
        reached += done.num_items;
        job.watch.reached(reached);
    }
    Ok(written)
}

/// Writes the files that speak of all items, and notes their digests.
pub(super) async fn summarise(
    set: &Arc<Set>,
    layout: &Arc<dyn FileLayout>,
    written: &Arc<Written>,
    place: &Place<'_>,
    sums: &mut Sums,
) -> Result<(), ExportError> {
    for path in layout.summaries(set) {
        let (set, layout) = (Arc::clone(set), Arc::clone(layout));
        let (written, own) = (Arc::clone(written), path.clone());
        let write =
            move |to: &mut dyn std::io::Write| layout.summarise(&own, &set, &written.facts, to);
        let sha256 = place.put(&path, write).await?;
        sums.note(&path, &sha256)?;
    }
    Ok(())
}

/// What all contents are written with.
struct Work<'a> {
    job: &'a Job<'a>,
    set: &'a Arc<Set>,
    layout: &'a Arc<dyn FileLayout>,
    place: &'a Place<'a>,
}

/// A content whose items are written.
struct Done {
    content: usize,
    facts: Box<LabelFacts>,
    /// Of the digests of its files.
    lines: String,
    num_items: usize,
}

/// A file that is made of a label.
struct Made {
    bytes: Bytes,
    sha256: String,
}

impl Work<'_> {
    /// Writes the items of a content, of which there is one label.
    async fn write_content(&self, items: Range<usize>) -> Result<Done, ExportError> {
        self.place.go_on()?;
        let items = &self.set.items[items];
        let (made, facts) = self.label(items).await?;
        let mut lines = String::new();
        for item in items {
            self.place.go_on()?;
            let path = self.layout.image(self.set, item);
            self.write_image(item, &path).await?;
            lines.push_str(&line(&path, &item.image_sha256));
            for (path, made) in self.layout.labels(self.set, item).iter().zip(&made) {
                if !self.place.has_whole(path, &made.sha256).await? {
                    self.place.create(path, made.bytes.clone()).await?;
                }
                lines.push_str(&line(path, &made.sha256));
            }
        }
        Ok(Done {
            content: items.first().map_or(0, |item| item.content as usize),
            facts,
            lines,
            num_items: items.len(),
        })
    }

    /// Returns the files that are made of the label of some items, and what it shows.
    async fn label(&self, items: &[Item]) -> Result<(Vec<Made>, Box<LabelFacts>), ExportError> {
        let label = read_label(self.job, self.set, items).await?;
        let layout = Arc::clone(self.layout);
        let path = label.path.clone();
        let made = blocking::run(
            move || -> Result<(Vec<Made>, Box<LabelFacts>), InputError> {
                let shown = label.decoded()?;
                let made = layout.encode(&shown)?.into_iter().map(|file| Made {
                    sha256: digest::sha256(&file),
                    bytes: Bytes::from(file),
                });
                Ok((made.collect(), Box::new(LabelFacts::of(&shown))))
            },
        );
        let made = made.await;
        made.map_err(|why| ExportError::Label { path, why })
    }

    async fn write_image(&self, item: &Item, path: &str) -> Result<(), ExportError> {
        if self.place.has_whole(path, &item.image_sha256).await? {
            return Ok(());
        }
        let key = ArtifactKey::Image(self.set.run.clone(), self.set.id(item));
        let source = &self.job.source;
        let bytes = source.picture(&key, &item.image_sha256).await?;
        match source.file(&key).filter(|_| self.job.options.link) {
            Some(file) => self.place.link(path, &file).await,
            None => self.place.create(path, bytes).await,
        }
    }
}

/// A label as it is stored.
pub(super) struct StoredLabel {
    /// Where it is.
    pub(super) path: String,
    bytes: Bytes,
    stored_as: LabelKind,
    classes: Option<ClassTable>,
}

impl StoredLabel {
    /// Returns what it shows.
    pub(super) fn decoded(&self) -> Result<imaging::LabelIds, InputError> {
        let file = NamedBytes {
            name: &self.path,
            bytes: &self.bytes,
        };
        imaging::label_ids(file, self.stored_as, self.classes.as_ref())
    }
}

/// Returns the label of some items of one content, if it is what the row of each says.
pub(super) async fn read_label(
    job: &Job<'_>,
    set: &Set,
    items: &[Item],
) -> Result<StoredLabel, ExportError> {
    let first = items.first().expect("a content of a set has items");
    let content = set.content(first);
    let key = ArtifactKey::Label(set.run.clone(), content.name.clone());
    let path = job.source.storage.locate(&key);
    let bytes = job.source.picture(&key, &first.label_sha256).await?;
    let other = items
        .iter()
        .find(|item| item.label_sha256 != first.label_sha256);
    if let Some(other) = other {
        return Err(ExportError::Altered {
            path,
            found: first.label_sha256.to_string(),
            stated: other.label_sha256.to_string(),
        });
    }
    let Some(stored_as) = content.stored_as else {
        return Err(ExportError::Refused(format!(
            "content {} of run {} was planned without a label, and is no part of a labelled set",
            content.name, set.run
        )));
    };
    Ok(StoredLabel {
        path,
        bytes,
        stored_as,
        classes: job.source.run.record.frozen.content.classes.clone(),
    })
}

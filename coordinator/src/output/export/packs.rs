//! Writes a set as files of many items: one file after the other, whose pictures are read a few at once.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use shared::artifact::{ArtifactKey, ArtifactPrefix};
use shared::blocking;

use super::files::read_label;
use super::format::{PackLayout, PackWriter};
use super::place::{Place, go_on, making};
use super::set::{Item, Set, Split};
use super::sums::Sums;
use super::{ExportError, Job, Written, notes};

/// Pictures that are read at once.
const AT_ONCE: usize = 16;

/// A file with the pictures of many items.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) path: String,
    pub(super) split: Split,
    /// Positions of its items, in their order.
    pub(super) items: Vec<u32>,
    /// Of the pictures of its items.
    pub(super) bytes: u64,
    /// Its digest; empty before it is written.
    pub(super) sha256: String,
}

impl Pack {
    /// Returns a file without items.
    pub(super) fn new(path: String, split: Split) -> Self {
        Self {
            path,
            split,
            items: Vec::new(),
            bytes: 0,
            sha256: String::new(),
        }
    }

    /// Adds an item whose pictures have so many bytes.
    pub(super) fn add(&mut self, position: u32, bytes: u64) {
        self.items.push(position);
        self.bytes += bytes;
    }
}

/// Bytes of the pictures of a set, by which its files are planned.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// Of images, by the positions of items.
    pub(super) images: Vec<u64>,
    /// Of labels as train ids, by the positions of contents.
    pub(super) labels: Vec<u64>,
}

impl Sizes {
    pub(super) fn image(&self, position: u32) -> u64 {
        self.images[position as usize]
    }

    pub(super) fn label(&self, item: &Item) -> u64 {
        self.labels[item.content as usize]
    }
}

/// Returns the files, each with its items, before anything is written.
pub(super) async fn plan(
    job: &Job<'_>,
    set: &Set,
    layout: &dyn PackLayout,
) -> Result<Vec<Pack>, ExportError> {
    let sizes = Sizes {
        images: image_sizes(job, set).await?,
        labels: label_sizes(job, set).await?,
    };
    layout.packs(set, &sizes)
}

/// Returns the sizes of the images, as storage lists them.
async fn image_sizes(job: &Job<'_>, set: &Set) -> Result<Vec<u64>, ExportError> {
    let position = |names: Vec<&str>| -> HashMap<String, u32> {
        let names = names.into_iter().map(str::to_owned);
        names.zip(0..).collect()
    };
    let styles = position(set.styles.iter().map(|style| style.name.as_str()).collect());
    let contents = position(set.contents.iter().map(|it| it.name.as_str()).collect());
    let mut sizes = vec![0; set.items.len()];
    let prefix = ArtifactPrefix::Images(set.run.clone());
    let mut pages = job.source.storage.list(&prefix);
    while let Some(page) = pages.try_next().await? {
        for object in page {
            let Some(ArtifactKey::Image(_, item)) = ArtifactKey::parse(&object.path) else {
                continue;
            };
            let (style, content) = (styles.get(&item.style), contents.get(&item.content));
            let (Some(&style), Some(&content)) = (style, content) else {
                continue;
            };
            let place = (content, style);
            let found = set
                .items
                .binary_search_by_key(&place, |it| (it.content, it.style));
            if let Ok(position) = found {
                sizes[position] = object.size_bytes;
            }
        }
    }
    Ok(sizes)
}

/// Returns the sizes of the labels as train ids, which are made for that.
async fn label_sizes(job: &Job<'_>, set: &Set) -> Result<Vec<u64>, ExportError> {
    let groups = set.by_content();
    job.watch.begins(groups.len(), "labels");
    let mut sizes = vec![0; set.contents.len()];
    let labels = groups.into_iter();
    let labels = labels.map(|group| label_size(job, set, group));
    let mut labels = std::pin::pin!(futures::stream::iter(labels).buffered(AT_ONCE));
    let mut reached = 0;
    while let Some(label) = labels.next().await {
        let (content, bytes) = label?;
        sizes[content] = bytes;
        reached += 1;
        job.watch.reached(reached);
    }
    Ok(sizes)
}

/// Returns a content, as the position of it, and the size of its label as train ids.
async fn label_size(
    job: &Job<'_>,
    set: &Set,
    items: Range<usize>,
) -> Result<(usize, u64), ExportError> {
    go_on(&job.stop)?;
    let items = &set.items[items];
    let content = items.first().map_or(0, |item| item.content as usize);
    let label = train_ids(job, set, items).await?;
    Ok((content, label.len() as u64))
}

/// Returns the label of some items of one content as train ids.
async fn train_ids(job: &Job<'_>, set: &Set, items: &[Item]) -> Result<Bytes, ExportError> {
    let label = read_label(job, set, items).await?;
    let path = label.path.clone();
    let encoded = blocking::run(move || label.decoded()?.train_id_png());
    let encoded = encoded.await;
    let encoded = encoded.map_err(|why| ExportError::Label { path, why })?;
    Ok(Bytes::from(encoded))
}

/// What all files are written with.
pub(super) struct Work<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) set: &'a Arc<Set>,
    pub(super) layout: &'a Arc<dyn PackLayout>,
    pub(super) place: &'a Place<'a>,
}

impl Work<'_> {
    /// Writes files that were planned, and notes their digests.
    pub(super) async fn write(
        &self,
        mut packs: Vec<Pack>,
        sums: &mut Sums,
    ) -> Result<Written, ExportError> {
        notes::note_division(self.place, &packs, sums).await?;
        self.job.watch.begins(self.set.items.len(), "images");
        let mut reached = 0;
        for pack in &mut packs {
            pack.sha256 = self.write_pack(pack, reached).await?;
            sums.note(&pack.path, &pack.sha256)?;
            notes::note_finished(self.place, pack, sums).await?;
            reached += pack.items.len();
            self.job.watch.reached(reached);
        }
        Ok(Written {
            packs,
            ..Written::default()
        })
    }

    /// Writes a file unless it was finished before; returns its digest. So many images were written before it.
    async fn write_pack(&self, pack: &Pack, before: usize) -> Result<String, ExportError> {
        self.place.go_on()?;
        if let Some(sha256) = notes::finished(self.place, pack).await? {
            return Ok(sha256);
        }
        let made = self.place.temporary_file()?;
        let failed = |source: io::Error| making(made.path(), source);
        let file = made.reopen().map_err(failed)?;
        let mut writer = Writer(self.begin(file).map_err(failed)?);
        let (mut label, mut of_content) = (Bytes::new(), None);
        let images = pack.items.iter().map(|&position| self.image(position));
        let mut images = std::pin::pin!(futures::stream::iter(images).buffered(AT_ONCE));
        let mut reached = before;
        while let Some(image) = images.next().await {
            self.place.go_on()?;
            let (position, image) = image?;
            let item = &self.set.items[position as usize];
            if of_content != Some(item.content) {
                label = train_ids(self.job, self.set, std::slice::from_ref(item)).await?;
                of_content = Some(item.content);
            }
            let set = Arc::clone(self.set);
            let added = writer.add(set, position, image, label.clone()).await;
            writer = added.map_err(failed)?;
            reached += 1;
            self.job.watch.reached(reached);
        }
        let Writer(writer) = writer;
        let finished = blocking::run(move || writer.finish()).await;
        finished.map_err(failed)?;
        self.place.create_from(&pack.path, made).await
    }

    fn begin(&self, file: File) -> io::Result<Box<dyn PackWriter>> {
        self.layout.begin(Arc::clone(self.set), file)
    }

    /// Returns the image of the item at a position.
    async fn image(&self, position: u32) -> Result<(u32, Bytes), ExportError> {
        let item = &self.set.items[position as usize];
        let key = ArtifactKey::Image(self.set.run.clone(), self.set.id(item));
        let source = &self.job.source;
        let image = source.picture(&key, &item.image_sha256).await?;
        Ok((position, image))
    }
}

/// A file that is written on threads for that.
struct Writer(Box<dyn PackWriter>);

impl Writer {
    async fn add(
        self,
        set: Arc<Set>,
        position: u32,
        image: Bytes,
        label: Bytes,
    ) -> io::Result<Self> {
        blocking::run(move || {
            let Self(mut writer) = self;
            let item = &set.items[position as usize];
            writer.add(item, &image, &label)?;
            Ok(Self(writer))
        })
        .await
    }
}

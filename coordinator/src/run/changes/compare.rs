//! How inputs differ from those that a run was planned with, file by file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use shared::dataset::entry::{DatasetEntry, DatasetFile, LabelReading};
use shared::decision::{ChangedInput, ChangedInputs};
use shared::failure::chain;
use shared::json;
use shared::location::Location;
use shared::run_record::RunInputs;
use shared::source::{self, Source};
use shared::storage::StorageError;
use shared::wording::{Thousands, first_names};

use crate::run::freeze::FrozenRun;
use crate::run::inventory::{self, Inventory};
use crate::run::ledger::Ledger;
use crate::run::redo::{Redo, Why};

/// How a run's inputs have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its contents.
    pub contents: Difference,
    /// Its styles.
    pub styles: Difference,
}

/// How one of its datasets has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Inputs with other files, in the order of the plan.
    pub changed: Vec<Change>,
    /// Names of inputs that the plan does not have.
    pub added: Vec<String>,
    /// Positions in the plan of inputs that are not listed any more.
    pub removed: Vec<usize>,
    /// Those of them whose files are all there: settings leave them out.
    pub left_out: Vec<usize>,
}

/// An input with other files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its position in the plan.
    pub position: usize,
    /// What is other, for people.
    pub what: String,
    /// Whether its label file is.
    pub of_label: bool,
    /// What it is now.
    pub now: ChangedInput,
}

impl Changes {
    /// Compares what a run was planned with, as changed by decisions, with what was found now.
    #[must_use]
    pub fn between(run: &FrozenRun, decided: &ChangedInputs, found: &Inventory) -> Self {
        let frozen = &run.record.frozen;
        let content = |planned: &DatasetEntry, now: &DatasetEntry| {
            let before = decided.content(planned);
            let listing = now.as_decided(before);
            let other = change(before, &listing, None)?;
            Some((other, ChangedInput::Content { listing }))
        };
        let style = |planned: &DatasetEntry, now: &DatasetEntry| {
            let before = decided.style_sha256(planned.name(), &frozen.styles);
            // Whatever is listed now has its digest there, and this is.
            let sha256 = found.frozen.styles[now.name()].clone();
            let digests = before.map(|before| (before, sha256.as_str()));
            let planned = decided.style(planned);
            let listing = now.as_decided(planned);
            let other = change(planned, &listing, digests)?;
            Some((other, ChangedInput::Style { listing, sha256 }))
        };
        Self {
            contents: difference(&run.plan.contents, &found.plan.contents, content),
            styles: difference(&run.plan.styles, &found.plan.styles, style),
        }
    }

    /// Finds out which of the inputs that are not listed any more are there.
    ///
    /// # Errors
    ///
    /// If a dataset cannot be listed.
    pub async fn look_for_removed(
        &mut self,
        run: &FrozenRun,
        inputs: &RunInputs,
    ) -> Result<(), StorageError> {
        let plan = &run.plan;
        self.contents
            .look_for_removed(&plan.contents, &inputs.content)
            .await?;
        self.styles
            .look_for_removed(&plan.styles, &inputs.style)
            .await
    }

    /// Returns whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let nothing =
            |of: &Difference| of.changed.is_empty() && of.added.is_empty() && of.removed.is_empty();
        nothing(&self.contents) && nothing(&self.styles)
    }

    /// Returns how many inputs have changed in each way, for people.
    #[must_use]
    pub fn counts(&self) -> Vec<String> {
        let mut lines = self.contents.counts("content");
        lines.extend(self.styles.counts("style"));
        lines
    }

    /// Returns what has changed, for people: counts, and the first of each kind.
    #[must_use]
    pub fn summary(&self, run: &FrozenRun) -> Vec<String> {
        let mut lines = self.contents.summary("content", &run.plan.contents);
        lines.extend(self.styles.summary("style", &run.plan.styles));
        lines
    }
}

impl Difference {
    async fn look_for_removed(
        &mut self,
        planned: &[DatasetEntry],
        at: &Location,
    ) -> Result<(), StorageError> {
        if self.removed.is_empty() {
            return Ok(());
        }
        let removed = self.removed.iter().map(|&position| &planned[position]);
        let there = sizes(source::open(at).await?.as_ref(), removed).await?;
        let is_there = |position: &&usize| {
            let mut files = planned[**position].files();
            files.all(|file| there.contains_key(&file.path))
        };
        self.left_out = self.removed.iter().filter(is_there).copied().collect();
        Ok(())
    }

    fn summary(&self, kind: &str, planned: &[DatasetEntry]) -> Vec<String> {
        let changed: Vec<String> = self.changed.iter().map(|of| of.what.clone()).collect();
        let removed = self
            .removed
            .iter()
            .map(|&place| planned[place].name().to_owned());
        let removed: Vec<String> = removed.collect();
        let parts = [
            (&changed, "changed"),
            (&self.added, "added"),
            (&removed, "not listed any more"),
        ];
        let parts = parts.into_iter().filter(|(names, _)| !names.is_empty());
        parts
            .map(|(names, how)| {
                let counted = inputs(names.len(), kind, how);
                format!("{counted} ({})", first_names(names))
            })
            .collect()
    }

    fn counts(&self, kind: &str) -> Vec<String> {
        let parts = [
            (self.changed.len(), "changed"),
            (self.added.len(), "added"),
            (self.removed.len(), "not listed any more"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        parts.map(|(count, how)| inputs(count, kind, how)).collect()
    }
}

/// Returns how many inputs have changed in a way: `2 contents changed`.
fn inputs(count: usize, kind: &str, how: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {kind}{plural} {how}")
}

/// What is other about an input.
struct Other {
    what: String,
    of_label: bool,
}

fn difference(
    planned: &[DatasetEntry],
    found: &[DatasetEntry],
    change: impl Fn(&DatasetEntry, &DatasetEntry) -> Option<(Other, ChangedInput)>,
) -> Difference {
    let now: HashMap<&str, &DatasetEntry> = found.iter().map(|now| (now.name(), now)).collect();
    let known: BTreeSet<&str> = planned.iter().map(DatasetEntry::name).collect();
    let mut difference = Difference {
        added: found
            .iter()
            .map(DatasetEntry::name)
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect(),
        ..Difference::default()
    };
    for (position, planned) in planned.iter().enumerate() {
        match now.get(planned.name()) {
            None => difference.removed.push(position),
            Some(now) => {
                if let Some((other, now)) = change(planned, now) {
                    difference.changed.push(Change {
                        position,
                        what: other.what,
                        of_label: other.of_label,
                        now,
                    });
                }
            }
        }
    }
    difference
}

/// Returns what is other about an input; nothing if it is the same. Digests of all its bytes are compared where there
/// are any: before, and now.
fn change(
    before: &DatasetEntry,
    now: &DatasetEntry,
    digests: Option<(&str, &str)>,
) -> Option<Other> {
    let label = |of: &DatasetEntry| of.label.as_ref().map(|label| label.file.clone());
    let reading = |of: &DatasetEntry| of.label.as_ref().map(|label| label.reading);
    let of_label = file_change("label", label(before).as_ref(), label(now).as_ref())
        .or_else(|| reading_change(now.name(), reading(before), reading(now)));
    let of_image = file_change("image", Some(&before.image), Some(&now.image));
    let is_label = of_label.is_some();
    let parts: Vec<String> = of_image.into_iter().chain(of_label).collect();
    if !parts.is_empty() {
        return Some(Other {
            what: parts.join(" and "),
            of_label: is_label,
        });
    }
    match digests {
        Some((before, now_sha256)) if before != now_sha256 => Some(Other {
            what: format!(
                "{} or its label has other bytes of the same number",
                now.image.path.display()
            ),
            of_label: true,
        }),
        Some(_) | None => None,
    }
}

fn file_change(
    what: &str,
    before: Option<&DatasetFile>,
    now: Option<&DatasetFile>,
) -> Option<String> {
    match (before, now) {
        (Some(before), Some(now)) if before.path != now.path => Some(format!(
            "{} was {}",
            now.path.display(),
            before.path.display()
        )),
        // What is empty, or a link that leads nowhere, tells nothing of the file: workers find out.
        (Some(_), Some(now)) if now.size_bytes == 0 => None,
        (Some(before), Some(now)) if before.size_bytes != now.size_bytes => Some(format!(
            "{} had {} bytes and has {}",
            now.path.display(),
            Thousands(before.size_bytes as usize),
            Thousands(now.size_bytes as usize)
        )),
        (None, Some(now)) => Some(format!("{what} {} is new", now.path.display())),
        (Some(before), None) => Some(format!("{what} {} is gone", before.path.display())),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn reading_change(
    name: &str,
    before: Option<LabelReading>,
    now: Option<LabelReading>,
) -> Option<String> {
    let named = |reading: Option<LabelReading>| {
        reading.map_or_else(|| "none".to_owned(), |reading| json::name(&reading.kind))
    };
    (before != now).then(|| {
        format!(
            "label of {name} was read as {} and is as {}",
            named(before),
            named(now)
        )
    })
}

/// Returns how the inputs of quarantined items have changed that are to be tried again. Where a dataset cannot be
/// looked at from here, nothing of it has.
pub async fn of_retried(run: &FrozenRun, ledger: &Ledger, redo: &[Redo]) -> Changes {
    let (mut contents, mut styles) = (BTreeSet::new(), BTreeSet::new());
    for redo in redo {
        let Why::Quarantined { items, .. } = &redo.why else {
            continue;
        };
        let shard = &run.plan.shards[redo.shard.0 as usize];
        for (style, content) in shard.items() {
            let item = run.plan.item((style, content));
            if items.has(&item.style, &item.content) {
                styles.insert(style);
                contents.insert(content);
            }
        }
    }
    let decided = &ledger.decisions.changed_inputs;
    let mut changes = Changes::default();
    let inputs = &run.record.inputs;
    match changed_contents(run, decided, &inputs.content, &contents).await {
        Ok(changed) => changes.contents.changed = changed,
        Err(error) => cannot_look(&inputs.content, &error),
    }
    match changed_styles(run, decided, &inputs.style, &styles).await {
        Ok(changed) => changes.styles.changed = changed,
        Err(error) => cannot_look(&inputs.style, &error),
    }
    changes
}

fn cannot_look(at: &Location, error: &StorageError) {
    tracing::warn!(
        root = %at,
        error = chain(error),
        "cannot look from here whether inputs have changed: a file of another size is quarantined again until `run` or \
         `launch` has taken it"
    );
}

async fn changed_contents(
    run: &FrozenRun,
    decided: &ChangedInputs,
    at: &Location,
    positions: &BTreeSet<usize>,
) -> Result<Vec<Change>, StorageError> {
    let source = source::open(at).await?;
    let inputs = positions.iter();
    let inputs = inputs.map(|&position| decided.content(&run.plan.contents[position]));
    let sizes = sizes(source.as_ref(), inputs).await?;
    let changed = positions.iter().filter_map(|&position| {
        let before = decided.content(&run.plan.contents[position]);
        let now = as_it_is(before, &sizes);
        let other = change(before, &now, None)?;
        Some(Change {
            position,
            what: other.what,
            of_label: other.of_label,
            now: ChangedInput::Content { listing: now },
        })
    });
    Ok(changed.collect())
}

async fn changed_styles(
    run: &FrozenRun,
    decided: &ChangedInputs,
    at: &Location,
    positions: &BTreeSet<usize>,
) -> Result<Vec<Change>, StorageError> {
    let source = source::open(at).await?;
    let inputs = positions.iter();
    let inputs = inputs.map(|&position| decided.style(&run.plan.styles[position]));
    let sizes = sizes(source.as_ref(), inputs).await?;
    let mut changed = Vec::new();
    for &position in positions {
        let planned = &run.plan.styles[position];
        let before = decided.style(planned);
        let now = as_it_is(before, &sizes);
        let Ok(sha256) = inventory::sha256_of_files(source.as_ref(), &now).await else {
            // What cannot be read now is for the workers to find out.
            continue;
        };
        let known = decided.style_sha256(planned.name(), &run.record.frozen.styles);
        let digests = known.map(|known| (known, sha256.as_str()));
        if let Some(other) = change(before, &now, digests) {
            changed.push(Change {
                position,
                what: other.what,
                of_label: other.of_label,
                now: ChangedInput::Style {
                    listing: now,
                    sha256,
                },
            });
        }
    }
    Ok(changed)
}

/// Returns the sizes of what lies in the folders of some inputs.
async fn sizes<'a>(
    source: &dyn Source,
    inputs: impl Iterator<Item = &'a DatasetEntry>,
) -> Result<BTreeMap<PathBuf, u64>, StorageError> {
    let folders = inputs.flat_map(DatasetEntry::files);
    let folders: BTreeSet<&Path> = folders.filter_map(|file| file.path.parent()).collect();
    let mut sizes = BTreeMap::new();
    for folder in folders {
        let files = source.list(folder).await?.into_iter();
        sizes.extend(files.map(|file| (file.path, file.size_bytes)));
    }
    Ok(sizes)
}

/// Returns an input with the sizes that its files have now; one that is not there has its old one.
fn as_it_is(before: &DatasetEntry, sizes: &BTreeMap<PathBuf, u64>) -> DatasetEntry {
    let mut now = before.clone();
    let label = now.label.as_mut().map(|label| &mut label.file);
    for file in std::iter::once(&mut now.image).chain(label) {
        if let Some(&size_bytes) = sizes.get(&file.path).filter(|&&size| size > 0) {
            file.size_bytes = size_bytes;
        }
    }
    now
}

#[cfg(test)]
mod tests {
    use shared::dataset::entry::{DatasetLabel, LabelKind};

    use super::*;

    fn listing(name: &str, image_bytes: u64, label_bytes: Option<u64>) -> DatasetEntry {
        let file = |folder: &str, size_bytes| DatasetFile {
            path: format!("{folder}/{name}.png").into(),
            size_bytes,
        };
        DatasetEntry {
            name: name.to_owned(),
            image: file("images", image_bytes),
            label: label_bytes.map(|size_bytes| DatasetLabel {
                file: file("labels", size_bytes),
                reading: LabelReading::promised(LabelKind::PaletteIds),
            }),
        }
    }

    #[test]
    fn what_is_other_about_an_input_is_told_by_its_files() {
        let before = listing("a", 1234, Some(10));
        let told = |now: &DatasetEntry| change(&before, now, None).map(|other| other.what);
        assert_eq!(told(&before), None);
        assert_eq!(
            told(&listing("a", 1240, Some(10))).unwrap(),
            "images/a.png had 1,234 bytes and has 1,240"
        );
        assert_eq!(
            told(&listing("a", 1240, Some(11))).unwrap(),
            "images/a.png had 1,234 bytes and has 1,240 and labels/a.png had 10 bytes and has 11"
        );
        assert_eq!(
            told(&listing("a", 1234, None)).unwrap(),
            "label labels/a.png is gone"
        );
        let mut renamed = before.clone();
        renamed.image.path = "images/a.jpg".into();
        assert_eq!(told(&renamed).unwrap(), "images/a.jpg was images/a.png");
        let mut read_otherwise = before.clone();
        read_otherwise.label.as_mut().unwrap().reading =
            LabelReading::promised(LabelKind::TrainIds);
        let other = told(&read_otherwise).unwrap();
        assert_eq!(
            other,
            "label of a was read as palette-ids and is as train-ids"
        );
        // A link that leads nowhere from here.
        assert_eq!(told(&listing("a", 0, Some(10))), None);
        let same = change(&before, &before, Some(("x", "x")));
        assert!(same.is_none());
        let other = change(&before, &before, Some(("x", "y"))).unwrap();
        assert!(other.what.contains("other bytes"), "{}", other.what);
    }

    #[test]
    fn of_many_changes_the_first_ten_are_told_and_all_are_counted() {
        let planned: Vec<DatasetEntry> = (0..30)
            .map(|n| listing(&format!("{n:02}"), 1, None))
            .collect();
        let mut found: Vec<DatasetEntry> = (0..25)
            .map(|n| listing(&format!("{n:02}"), 2, None))
            .collect();
        found.push(listing("new", 1, None));
        let found = difference(&planned, &found, |before, now| {
            let listing = now.clone();
            change(before, now, None).map(|other| (other, ChangedInput::Content { listing }))
        });
        let told = found.summary("content", &planned);
        assert!(told[0].starts_with("25 contents changed (images/00.png had 1 bytes and has 2,"));
        assert!(told[0].ends_with(", and 15 more)"), "{}", told[0]);
        assert_eq!(told[1], "1 content added (new)");
        assert_eq!(
            told[2],
            "5 contents not listed any more (25, 26, 27, 28, 29)"
        );
    }
}

//! Finds the images of a dataset among its files, each with its label.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dataset::class_table::TableOf;
use crate::dataset::entry::{DatasetEntry, DatasetFile, DatasetLabel, LabelReading};
use crate::dataset::labels::LabelSetting;
use crate::dataset::layout::Layout;
use crate::dataset::selection::Selection;
use crate::source::{SourceFile, Tree};
use unicode_normalization::UnicodeNormalization;

use super::left_out::{LeftOut, LeftOutReason};
use super::list_error::{DatasetError, OfOneName};
use super::naming::{LABEL_EXTENSION, Naming, WantedLabels, has_extension};
use super::selected::{ImageFile, SelectedImages, Weather};

/// What a folder of images is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Contents, all of one layout.
    Content(Layout),
    /// Styles, of Cityscapes or ACDC as the suffix of each file tells, of BDD100K as its folder does, or photographs of
    /// one's own.
    Style,
}

/// What is done with labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// An image without one is left out.
    Needed,
    /// They are looked for, and an image without one is used all the same.
    Wanted,
    /// Nothing: they are not looked for.
    Unused,
}

/// What is asked of a dataset.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is read as.
    pub role: Role,
    /// What is done with labels.
    pub labels: Labels,
    /// What the settings say of them: of several labels of an image, the one of that kind is taken.
    pub labels_are: LabelSetting,
    /// What a table of the settings maps to classes, if there is one: of several labels of an image, one of that is taken.
    pub classes: Option<TableOf>,
    /// Which images are used.
    pub selection: Selection,
}

impl Request {
    /// Returns which label of an image is taken.
    pub(super) fn wanted(&self) -> WantedLabels {
        WantedLabels {
            setting: self.labels_are,
            table: self.classes,
        }
    }
}

/// The images of a dataset that are used, and what is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDataset {
    /// The images that are used, sorted by name; each with its label, if labels are needed or wanted and there is one.
    pub entries: Vec<DatasetEntry>,
    /// What is not used.
    pub left_out: Vec<LeftOut>,
}

/// Returns every image in the folders of a dataset that is asked for, and says what is left out.
///
/// Folders are searched with everything below them. Names are compared in Unicode's composed form. `root_shown` is where
/// the dataset lies, for errors.
///
/// # Errors
///
/// [`DatasetError`] if nothing is left, or two files have one name.
pub fn list(
    tree: &Tree,
    root_shown: &str,
    request: &Request,
) -> Result<FoundDataset, DatasetError> {
    let namings = Naming::of(request.role);
    let files = tree.files.as_slice();
    let clear = SelectedImages::of(tree, namings, request, Weather::Original)?;
    let selected = if clear.images.is_empty() {
        let synthetic = SelectedImages::of(tree, namings, request, Weather::Synthetic)?;
        if synthetic.images.is_empty() {
            clear
        } else {
            synthetic
        }
    } else {
        clear
    };
    let SelectedImages {
        named,
        mut images,
        mut left_out,
    } = selected;
    if named.is_empty() {
        return Err(DatasetError::nothing_found(
            files, root_shown, namings, &left_out,
        ));
    }
    if images.is_empty() {
        return Err(DatasetError::nothing_chosen(
            root_shown,
            &request.selection,
            named.len(),
            &left_out,
        ));
    }
    let labels = match request.labels {
        Labels::Needed | Labels::Wanted => labels(files, namings, &request.selection)?,
        Labels::Unused => Stems::new(),
    };
    leave_out_unlabelled(&mut images, &labels, namings, &mut left_out);
    let chosen = by_name(&images)?;
    let num_chosen = chosen.len();
    note_labels_without_images(&labels, namings, &named, &mut left_out);
    let mut entries = Vec::with_capacity(chosen.len());
    for (name, image) in chosen {
        let label = label_of(image, &labels, request.wanted())?;
        match (label, request.labels) {
            (None, Labels::Needed) => match label_of(image, &labels, WantedLabels::ANY)? {
                Some(other) => {
                    let reason = LeftOutReason::OtherLabel(request.wanted());
                    LeftOut::note(&mut left_out, reason, &other.file.path);
                }
                None => LeftOut::note(&mut left_out, LeftOutReason::NoLabel, &image.file.path),
            },
            (label, Labels::Needed | Labels::Wanted | Labels::Unused) => {
                let entry = DatasetEntry {
                    name: name.to_owned(),
                    image: dataset_file(image.file),
                    label,
                };
                entry.check().map_err(|reason| DatasetError::Unusable {
                    path: image.file.path.clone(),
                    reason,
                })?;
                entries.push(entry);
            }
        }
    }
    if entries.is_empty() {
        return Err(DatasetError::nothing_labelled(
            root_shown, request, num_chosen, &left_out,
        ));
    }
    Ok(FoundDataset { entries, left_out })
}

/// Returns the folders of a dataset that hold what is asked for, each once and none that lies in another, in the order in
/// which they are looked at.
pub(super) fn folders(request: &Request) -> Vec<&'static str> {
    let namings = Naming::of(request.role);
    let images = namings.iter().flat_map(|naming| naming.image_folders);
    let weather = namings.iter().flat_map(|naming| naming.weather_folders);
    let labels = namings.iter().flat_map(|naming| naming.label_folders);
    let labels = labels.filter(|_| request.labels != Labels::Unused);
    let all: Vec<&str> = images.chain(weather).chain(labels).copied().collect();
    let lies_in =
        |folder: &str, other: &str| other != folder && Path::new(folder).starts_with(other);
    let mut known = BTreeSet::new();
    let outermost = all
        .iter()
        .copied()
        .filter(|folder| !all.iter().any(|other| lies_in(folder, other)));
    outermost.filter(|folder| known.insert(*folder)).collect()
}

/// Returns images by name, of which each has one.
fn by_name<'a>(
    images: &'a [ImageFile<'a>],
) -> Result<BTreeMap<&'a str, &'a ImageFile<'a>>, DatasetError> {
    let mut found: BTreeMap<&str, &ImageFile> = BTreeMap::new();
    for image in images {
        if let Some(other) = found.insert(&image.name.name, image) {
            let mut paths = [&other.file.path, &image.file.path];
            paths.sort();
            return Err(of_one_name(&image.name.name, paths[0], paths[1]));
        }
    }
    Ok(found)
}

fn of_one_name(name: &str, first: &Path, second: &Path) -> DatasetError {
    let forms_differ = first.file_stem() != second.file_stem()
        && stem(first).is_ok_and(|first| stem(second).is_ok_and(|second| first == second));
    DatasetError::DuplicateName(OfOneName {
        name: name.to_owned(),
        first: first.to_owned(),
        second: second.to_owned(),
        forms_differ,
    })
}

/// Files by stem in its composed form, each stem with at least one.
type Stems<'a> = BTreeMap<String, Vec<&'a SourceFile>>;

/// Returns the files in the folders of labels, but for those that are excluded.
fn labels<'a>(
    files: &'a [SourceFile],
    namings: &[Naming],
    selection: &Selection,
) -> Result<Stems<'a>, DatasetError> {
    let mut stems = Stems::new();
    for file in files {
        let below = namings
            .iter()
            .any(|naming| is_below(file, naming.label_folders));
        if below
            && has_extension(&file.path, &[LABEL_EXTENSION])
            && !selection.exclude.matches(None, &file.path)
        {
            stems.entry(stem(&file.path)?).or_default().push(file);
        }
    }
    Ok(stems)
}

/// Leaves out images in folders of which a layout has no labels, where there are labels in folders of its own: another image
/// may have the same name.
fn leave_out_unlabelled(
    images: &mut Vec<ImageFile<'_>>,
    labels: &Stems,
    namings: &[Naming],
    left_out: &mut Vec<LeftOut>,
) {
    let has_labels = |naming: &Naming| {
        let mut files = labels.values().flatten();
        files.any(|file| is_below(file, naming.label_folders))
    };
    let namings = namings
        .iter()
        .filter(|naming| !naming.unlabelled_folders.is_empty() && has_labels(naming));
    let folders = namings.flat_map(|naming| naming.unlabelled_folders);
    let folders: Vec<&str> = folders.copied().collect();
    images.retain(|image| {
        let is_unlabelled = is_below(image.file, &folders);
        if is_unlabelled {
            LeftOut::note(left_out, LeftOutReason::NoLabel, &image.file.path);
        }
        !is_unlabelled
    });
}

/// Returns the label of an image: where the settings say what labels are, the one that is named so.
fn label_of(
    image: &ImageFile,
    labels: &Stems,
    wanted: WantedLabels,
) -> Result<Option<DatasetLabel>, DatasetError> {
    let own = label_named(image.naming, image, labels, wanted)?;
    match image.naming.labels_otherwise {
        // Of several that fit none is sure to be its label.
        Some(otherwise) if own.is_none() => {
            Ok(label_named(otherwise, image, labels, wanted).unwrap_or_default())
        }
        Some(_) | None => Ok(own),
    }
}

/// Returns the label of an image by one naming.
fn label_named(
    naming: &Naming,
    image: &ImageFile,
    labels: &Stems,
    wanted: WantedLabels,
) -> Result<Option<DatasetLabel>, DatasetError> {
    for (suffix, kind) in naming.labels_under(wanted) {
        let stem = format!("{}{suffix}", image.name.of_label);
        let files = labels.get(&stem).map(Vec::as_slice).unwrap_or_default();
        let files: Vec<&&SourceFile> = files
            .iter()
            .filter(|file| is_below(file, naming.label_folders))
            .collect();
        match files[..] {
            [] => {}
            [file] => {
                return Ok(Some(DatasetLabel {
                    file: dataset_file(file),
                    reading: LabelReading::promised(kind)
                        .under(wanted.setting)
                        .by_table(wanted.table),
                }));
            }
            [first, second, ..] => {
                return Err(of_one_name(&image.name.of_label, &first.path, &second.path));
            }
        }
    }
    Ok(None)
}

/// Counts labels that belong to no image, each image once.
fn note_labels_without_images(
    labels: &Stems,
    namings: &[Naming],
    images: &BTreeSet<String>,
    left_out: &mut Vec<LeftOut>,
) {
    let mut known = BTreeSet::new();
    for (stem, files) in labels {
        let of = |naming: &Naming| naming.image_of_label(stem);
        let mut named = namings.iter().filter_map(of).peekable();
        let Some(&name) = named.peek() else {
            continue;
        };
        if named.all(|name| !images.contains(name)) && known.insert(name) {
            LeftOut::note(left_out, LeftOutReason::NoImage, &files[0].path);
        }
    }
}

fn dataset_file(file: &SourceFile) -> DatasetFile {
    DatasetFile {
        path: file.path.clone(),
        size_bytes: file.size_bytes,
    }
}

pub(super) fn is_below(file: &SourceFile, folders: &[&str]) -> bool {
    folders.iter().any(|folder| file.path.starts_with(folder))
}

/// Returns the stem of a file in its composed form; all of the path must be Unicode, because plans and keys are.
pub(super) fn stem(path: &Path) -> Result<String, DatasetError> {
    let stem = path.to_str().and_then(|_| path.file_stem()?.to_str());
    let not_unicode = || DatasetError::NotUnicode {
        path: PathBuf::from(path),
    };
    Ok(stem.ok_or_else(not_unicode)?.nfc().collect())
}

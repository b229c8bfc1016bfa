//! Which images a dataset has, and which label belongs to each.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::layout::Layout;
use thiserror::Error;

use super::naming::{IMAGE_EXTENSIONS, LABEL_EXTENSION, LabelKind, Naming};

/// What a folder of images is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Contents, all of one layout.
    Content(Layout),
    /// Styles, of Cityscapes or ACDC as the suffix of each file tells.
    Style,
}

/// An image and its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The stem of the image without the suffix of its layout.
    pub name: String,
    /// The image, relative to the root of the dataset.
    pub image: PathBuf,
    /// The label, relative to the root of the dataset.
    pub label: PathBuf,
    /// What the pixels of the label are.
    pub label_kind: LabelKind,
}

/// An image of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// An image with its label.
    Pair(Listed),
    /// An image that has none.
    MissingLabel {
        /// The stem of the image without the suffix of its layout.
        name: String,
        /// The image, relative to the root of the dataset.
        image: PathBuf,
        /// What was looked for and where, for a person to read.
        expected: String,
    },
}

impl Listing {
    /// Returns the name of the image.
    pub fn name(&self) -> &str {
        match self {
            Listing::Pair(listed) => &listed.name,
            Listing::MissingLabel { name, .. } => name,
        }
    }
}

/// A folder that is no dataset of the layout it is said to have.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// There is no folder of images.
    #[error("{root} has no folder {looked_for}: is it the root of the dataset?", root = root.display())]
    NoFolder {
        /// The root that was given.
        root: PathBuf,
        /// The folders that would do.
        looked_for: String,
    },
    /// The folder has no image of the layout.
    #[error("{folder} holds no image named {looked_for}", folder = folder.display())]
    NoImages {
        /// The first folder that was searched.
        folder: PathBuf,
        /// The names that would do.
        looked_for: String,
    },
    /// Two files claim one name, so that outputs would overwrite each other.
    #[error("{first} and {second} are both named {name:?}: rename or remove one", first = first.display(), second = second.display())]
    DuplicateName {
        /// The name.
        name: String,
        /// A file.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A name that cannot be part of a storage key.
    #[error("{path} has a name that is not Unicode: rename it", path = path.display())]
    NotUnicode {
        /// The file.
        path: PathBuf,
    },
    /// A folder that cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Returns every image below `root`, sorted by name, each with its label or with what it lacks.
///
/// Folders are searched with everything below them. Files that do not have the suffix of the layout
/// are no images of it; hidden files are skipped.
///
/// # Errors
///
/// [`DatasetError`] if there are no images, two files have one name, or a folder cannot be read.
pub fn list(root: &Path, role: Role) -> Result<Vec<Listing>, DatasetError> {
    let mut listings: BTreeMap<String, Listing> = BTreeMap::new();
    let mut searched = None;
    for naming in Naming::of(role) {
        let folders = existing(root, naming.image_folders);
        let labels = stems(root, naming.label_folders, &[LABEL_EXTENSION])?;
        searched = searched.or_else(|| folders.first().cloned());
        for (stem, images) in stems(root, naming.image_folders, &IMAGE_EXTENSIONS)? {
            let Some(name) = stem.strip_suffix(naming.image_suffix) else {
                continue;
            };
            if name.is_empty() {
                continue;
            }
            let image = only(name, &images)?;
            let listing = listing(name, image, naming, &labels)?;
            if let Some(other) = listings.insert(name.to_owned(), listing) {
                return Err(DatasetError::DuplicateName {
                    name: name.to_owned(),
                    first: other.image().to_owned(),
                    second: image.to_owned(),
                });
            }
        }
    }
    if listings.is_empty() {
        return Err(nothing(root, role, searched));
    }
    Ok(listings.into_values().collect())
}

impl Listing {
    fn image(&self) -> &Path {
        match self {
            Listing::Pair(listed) => &listed.image,
            Listing::MissingLabel { image, .. } => image,
        }
    }
}

fn listing(
    name: &str,
    image: &Path,
    naming: &Naming,
    labels: &BTreeMap<String, Vec<PathBuf>>,
) -> Result<Listing, DatasetError> {
    for &(suffix, label_kind) in naming.labels {
        if let Some(found) = labels.get(&format!("{name}{suffix}")) {
            return Ok(Listing::Pair(Listed {
                name: name.to_owned(),
                image: image.to_owned(),
                label: only(name, found)?.to_owned(),
                label_kind,
            }));
        }
    }
    let files = naming.labels.iter();
    let files = files.map(|(suffix, _)| format!("{name}{suffix}.{LABEL_EXTENSION}"));
    Ok(Listing::MissingLabel {
        name: name.to_owned(),
        image: image.to_owned(),
        expected: format!(
            "{} below {}",
            either(files),
            either(
                naming
                    .label_folders
                    .iter()
                    .map(|folder| format!("{folder}/"))
            )
        ),
    })
}

/// Returns the one file of a name.
fn only<'a>(name: &str, files: &'a [PathBuf]) -> Result<&'a Path, DatasetError> {
    match files {
        [first, second, ..] => Err(DatasetError::DuplicateName {
            name: name.to_owned(),
            first: first.clone(),
            second: second.clone(),
        }),
        [file] => Ok(file),
        [] => Ok(Path::new("")),
    }
}

/// Says why there is no image.
fn nothing(root: &Path, role: Role, searched: Option<PathBuf>) -> DatasetError {
    let namings = Naming::of(role);
    match searched {
        Some(folder) => DatasetError::NoImages {
            folder,
            looked_for: either(namings.iter().flat_map(|naming| {
                let endings = IMAGE_EXTENSIONS.iter();
                endings.map(|ending| format!("*{}.{ending}", naming.image_suffix))
            })),
        },
        None => {
            let mut folders: Vec<_> = namings.iter().flat_map(|n| n.image_folders).collect();
            folders.dedup();
            DatasetError::NoFolder {
                root: root.to_owned(),
                looked_for: either(folders.iter().map(|folder| format!("{folder}/"))),
            }
        }
    }
}

/// Returns `a, b or c`.
fn either(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn existing(root: &Path, folders: &[&str]) -> Vec<PathBuf> {
    let folders = folders.iter().map(|folder| root.join(folder));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// Returns the files below some folders of `root`, by stem, as paths relative to `root`.
fn stems(
    root: &Path,
    folders: &[&str],
    extensions: &[&str],
) -> Result<BTreeMap<String, Vec<PathBuf>>, DatasetError> {
    let mut stems: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut pending = existing(root, folders);
    while let Some(folder) = pending.pop() {
        for path in children(&folder)? {
            if path.is_dir() {
                pending.push(path);
            } else if has_extension(&path, extensions) {
                let Some(stem) = path.file_stem().and_then(OsStr::to_str) else {
                    return Err(DatasetError::NotUnicode { path });
                };
                let stem = stem.to_owned();
                let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
                stems.entry(stem).or_default().push(relative);
            }
        }
    }
    stems.values_mut().for_each(|paths| paths.sort());
    Ok(stems)
}

/// Returns what lies in a folder and is not hidden.
fn children(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let fail = |source| DatasetError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut children = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            children.push(entry.path());
        }
    }
    Ok(children)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| {
        let mut extensions = extensions.iter();
        extensions.any(|extension| found.eq_ignore_ascii_case(extension))
    })
}

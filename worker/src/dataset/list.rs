//! Which images a dataset has, and which label belongs to each.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use shared::layout::Layout;
use shared::listing::{LabelReading, ListedFile, ListedLabel, Listing};
use shared::source::SourceFile;
use thiserror::Error;

use super::naming::{IMAGE_EXTENSIONS, LABEL_EXTENSION, Naming};

/// What a folder of images is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Contents, all of one layout.
    Content(Layout),
    /// Styles, of Cityscapes or ACDC as the suffix of each file tells.
    Style,
}

/// A tree of files that is no dataset of the layout it is said to have.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// There is no file below any of the folders of images.
    #[error("{root} has no folder {looked_for}: is it the root of the dataset?")]
    NoFolder {
        /// The root that was given.
        root: String,
        /// The folders that would do.
        looked_for: String,
    },
    /// The folder has no image of the layout.
    #[error("{folder} holds no image named {looked_for}")]
    NoImages {
        /// The first folder that was searched.
        folder: String,
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
}

/// Returns every image among the files of a dataset, sorted by name, each with its label or with what it lacks.
///
/// Folders are searched with everything below them. Files that do not have the suffix of the layout
/// are no images of it. `root_shown` is where the dataset lies, for errors.
///
/// # Errors
///
/// [`DatasetError`] if there are no images, or two files have one name.
pub fn list(
    files: &[SourceFile],
    root_shown: &str,
    role: Role,
) -> Result<Vec<Listing>, DatasetError> {
    let mut listings: BTreeMap<String, Listing> = BTreeMap::new();
    let mut searched = None;
    for naming in Naming::of(role) {
        let labels = stems(files, naming.label_folders, &[LABEL_EXTENSION])?;
        searched = searched.or_else(|| first_with_files(files, naming.image_folders));
        for (stem, images) in stems(files, naming.image_folders, &IMAGE_EXTENSIONS)? {
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
                    first: other.image.path,
                    second: image.path.clone(),
                });
            }
        }
    }
    if listings.is_empty() {
        return Err(nothing(root_shown, role, searched));
    }
    Ok(listings.into_values().collect())
}

fn listing(
    name: &str,
    image: &ListedFile,
    naming: &Naming,
    labels: &Stems,
) -> Result<Listing, DatasetError> {
    let found = naming
        .labels
        .iter()
        .find_map(|(suffix, kind)| Some((labels.get(&format!("{name}{suffix}"))?, *kind)));
    let label = match found {
        Some((files, kind)) => Some(ListedLabel {
            file: only(name, files)?.clone(),
            reading: LabelReading::promised(kind),
        }),
        None => None,
    };
    Ok(Listing {
        name: name.to_owned(),
        image: image.clone(),
        label,
    })
}

/// Returns the one file of a name.
fn only<'a>(name: &str, files: &'a [ListedFile]) -> Result<&'a ListedFile, DatasetError> {
    match files {
        [first, second, ..] => Err(DatasetError::DuplicateName {
            name: name.to_owned(),
            first: first.path.clone(),
            second: second.path.clone(),
        }),
        [file] => Ok(file),
        [] => unreachable!("a stem has a file"),
    }
}

/// Says why there is no image.
fn nothing(root_shown: &str, role: Role, searched: Option<&str>) -> DatasetError {
    let namings = Naming::of(role);
    match searched {
        Some(folder) => DatasetError::NoImages {
            folder: format!("{root_shown}/{folder}"),
            looked_for: either(namings.iter().flat_map(|naming| {
                let endings = IMAGE_EXTENSIONS.iter();
                endings.map(|ending| format!("*{}.{ending}", naming.image_suffix))
            })),
        },
        None => {
            let mut folders: Vec<_> = namings.iter().flat_map(|n| n.image_folders).collect();
            folders.dedup();
            DatasetError::NoFolder {
                root: root_shown.to_owned(),
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

/// Returns the first of some folders that has files below it.
fn first_with_files(files: &[SourceFile], folders: &[&'static str]) -> Option<&'static str> {
    let mut folders = folders.iter().copied();
    folders.find(|folder| files.iter().any(|file| file.path.starts_with(folder)))
}

/// Files by stem, each stem with at least one.
type Stems = BTreeMap<String, Vec<ListedFile>>;

/// Returns the files below some folders, by stem.
fn stems(
    files: &[SourceFile],
    folders: &[&str],
    extensions: &[&str],
) -> Result<Stems, DatasetError> {
    let mut stems = Stems::new();
    for SourceFile { path, size_bytes } in files {
        let below = folders.iter().any(|folder| path.starts_with(folder));
        if !below || !has_extension(path, extensions) {
            continue;
        }
        let Some(stem) = path.file_stem().and_then(OsStr::to_str) else {
            return Err(DatasetError::NotUnicode { path: path.clone() });
        };
        stems.entry(stem.to_owned()).or_default().push(ListedFile {
            path: path.clone(),
            size_bytes: *size_bytes,
        });
    }
    let files = stems.values_mut();
    files.for_each(|files| files.sort_by(|a, b| a.path.cmp(&b.path)));
    Ok(stems)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| {
        let mut extensions = extensions.iter();
        extensions.any(|extension| found.eq_ignore_ascii_case(extension))
    })
}

//! Why files are no dataset of the layout that the settings name.

use std::path::PathBuf;

use crate::dataset::entry::DatasetEntryError;
use crate::dataset::selection::Selection;
use crate::source::SourceFile;
use crate::wording::{counted, first_of};
use thiserror::Error;

use super::extensions::IMAGE_EXTENSIONS;
use super::left_out::{LeftOut, LeftOutReason};
use super::list::{Request, Role};
use super::naming::{LABEL_EXTENSION, Naming};

/// A tree of files that is no dataset of the layout it is said to have.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// There is no file below any of the folders of images.
    #[error("{root} has no folder {looked_for} with files: is it the root of the dataset?")]
    NoFolder {
        /// The root that was given.
        root: String,
        /// The folders that would do.
        looked_for: String,
    },
    /// The folder has no image of the layout.
    #[error("{folder} holds no image named {looked_for}{left_out}")]
    NoImages {
        /// The first folder that was searched.
        folder: String,
        /// The names that would do.
        looked_for: String,
        /// What is there in their place.
        left_out: String,
    },
    /// The settings choose none of the images.
    #[error("{selection} of {images} below {root}{left_out}")]
    NothingChosen {
        /// What is chosen, and that it leaves nothing.
        selection: String,
        /// How many images there are.
        images: String,
        /// The root that was given.
        root: String,
        /// What is left out.
        left_out: String,
    },
    /// None of the images has a label.
    #[error("none of {images} below {root} has a label: expected {looked_for}{left_out}")]
    NothingLabelled {
        /// How many images there are.
        images: String,
        /// The root that was given.
        root: String,
        /// The labels that would do.
        looked_for: String,
        /// What is left out.
        left_out: String,
    },
    /// None of the labels is of the kind that the settings state.
    #[error(
        "{stated} takes none of the labels below {root}: expected {looked_for}{left_out}; name the kind that is there, or \
         leave {setting} out"
    )]
    NoneOfKind {
        /// The setting.
        setting: &'static str,
        /// What it says.
        stated: String,
        /// The root that was given.
        root: String,
        /// The labels that would do; that there are none if no name stands for the kind.
        looked_for: String,
        /// What is left out.
        left_out: String,
    },
    /// Two files claim one name, so that outputs would overwrite each other.
    #[error("{0}")]
    DuplicateName(OfOneName),
    /// A name that cannot be part of a storage key.
    #[error("{path:?} has a name that is not Unicode (UTF-8): rename it")]
    NotUnicode {
        /// The file.
        path: PathBuf,
    },
    /// A name that cannot be one part of a path, or a file outside the dataset.
    #[error("{path:?} cannot be used: {reason}: rename it")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: DatasetEntryError,
    },
}

/// Two files of one name.
#[derive(Debug, Error)]
#[error(
    "{first} and {second} are both named {name:?}{}: rename or remove one",
    if *.forms_differ { ", once composed (NFC) and once decomposed (NFD), which look alike" } else { "" },
    first = first.display(), second = second.display()
)]
pub struct OfOneName {
    /// The name.
    pub name: String,
    /// A file.
    pub first: PathBuf,
    /// Another.
    pub second: PathBuf,
    /// Whether the names differ in their Unicode normal form alone.
    pub forms_differ: bool,
}

impl DatasetError {
    /// Returns whether there is no folder, or nothing in it that can be used: also what is seen of one that is away.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        match self {
            Self::NoFolder { .. } | Self::NoImages { .. } | Self::NothingLabelled { .. } => true,
            Self::NothingChosen { .. }
            | Self::NoneOfKind { .. }
            | Self::DuplicateName(_)
            | Self::NotUnicode { .. }
            | Self::Unusable { .. } => false,
        }
    }

    /// Returns what is wrong with files of which none is an image.
    pub(super) fn nothing_found(
        files: &[SourceFile],
        root_shown: &str,
        namings: &[Naming],
        left_out: &[LeftOut],
    ) -> Self {
        let folders = namings.iter().flat_map(|naming| {
            let folders = naming.image_folders.iter();
            folders.chain(naming.weather_folders)
        });
        let mut folders = folders.copied();
        let with_files =
            folders.find(|folder| files.iter().any(|file| file.path.starts_with(folder)));
        match with_files {
            Some(folder) => Self::NoImages {
                folder: format!("{root_shown}/{folder}"),
                looked_for: either(namings.iter().flat_map(|naming| {
                    let endings = IMAGE_EXTENSIONS.iter();
                    endings.map(|ending| format!("*{}.{ending}", naming.image_suffix))
                })),
                left_out: tail(left_out),
            },
            None => {
                let usual = namings.iter().flat_map(|naming| naming.image_folders);
                let folders = each_once(usual.copied());
                Self::NoFolder {
                    root: root_shown.to_owned(),
                    looked_for: either(folders.iter().map(|folder| format!("{folder}/"))),
                }
            }
        }
    }

    /// Returns what is wrong with a selection that takes none of the images.
    pub(super) fn nothing_chosen(
        root_shown: &str,
        selection: &Selection,
        num_images: usize,
        left_out: &[LeftOut],
    ) -> Self {
        let selection = match selection.to_string() {
            text if text.is_empty() => "nothing is left".to_owned(),
            text => format!("{text} leaves none"),
        };
        Self::NothingChosen {
            selection,
            images: counted(num_images, "picture", "pictures"),
            root: root_shown.to_owned(),
            left_out: tail(left_out),
        }
    }

    /// Returns what is wrong with images none of which has a label, or one of the kind that the settings state.
    pub(super) fn nothing_labelled(
        root_shown: &str,
        request: &Request,
        num_images: usize,
        left_out: &[LeftOut],
    ) -> Self {
        let wanted = request.wanted();
        let labels = Naming::of(request.role).iter().flat_map(|naming| {
            let folder = naming.label_folders.join("|");
            let suffixes = naming.labels_under(wanted);
            suffixes.map(move |(suffix, _)| format!("{folder}/**/NAME{suffix}.{LABEL_EXTENSION}"))
        });
        let looked_for = either(labels);
        let other = LeftOutReason::OtherLabel(wanted);
        if left_out.iter().any(|left_out| left_out.reason == other) {
            let (labels, classes) = match request.role {
                Role::Content(_) => ("content.labels", "content.classes"),
                Role::Style => ("style.labels", "style.classes"),
            };
            let (setting, stated) = match (wanted.setting.kind(), wanted.table) {
                (None, Some(of)) => (classes, format!("{classes}, a table of {of},")),
                (Some(_), _) | (None, None) => {
                    (labels, format!("{labels} = \"{}\"", wanted.setting))
                }
            };
            return Self::NoneOfKind {
                setting,
                stated,
                root: root_shown.to_owned(),
                looked_for: match looked_for.is_empty() {
                    true => {
                        "another kind, since none of this layout's names stands for it".to_owned()
                    }
                    false => looked_for,
                },
                left_out: tail(left_out),
            };
        }
        Self::NothingLabelled {
            images: counted(num_images, "picture", "pictures"),
            root: root_shown.to_owned(),
            looked_for,
            left_out: tail(left_out),
        }
    }
}

/// Returns what is left out as the end of a message.
fn tail(left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return String::new();
    }
    format!("; {}", first_of(left_out, "; "))
}

/// Returns `a, b or c`.
fn either(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn each_once(words: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut known: Vec<&str> = Vec::new();
    for word in words {
        if !known.contains(&word) {
            known.push(word);
        }
    }
    known
}

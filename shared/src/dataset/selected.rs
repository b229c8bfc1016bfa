//! The images of a dataset that the settings select.

use std::collections::BTreeSet;
use std::path::Path;

use crate::dataset::selection::{Selection, Split};
use crate::source::{SourceFile, Tree};

use super::extensions::{IMAGE_EXTENSIONS, UNREAD_EXTENSIONS};
use super::left_out::{LeftOut, LeftOutReason};
use super::list::{Labels, Request, is_below, stem};
use super::list_error::DatasetError;
use super::naming::{ImageName, Naming, has_extension};
use super::picture_kind::PictureKind;

/// A file of a dataset that is an image, with what its name says.
pub(super) struct ImageFile<'a> {
    pub(super) naming: &'static Naming,
    pub(super) name: ImageName,
    pub(super) file: &'a SourceFile,
}

/// Whether images as they were taken are looked for, or those with fog or rain rendered into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// The folders of the images as they were taken.
    Original,
    /// The folders of the same images with fog or rain, which are looked at if nothing is selected of the others.
    Synthetic,
}

impl Weather {
    fn folders(self, naming: &Naming) -> &'static [&'static str] {
        match self {
            Self::Original => naming.image_folders,
            Self::Synthetic => naming.weather_folders,
        }
    }
}

/// The selected images, and what is left out.
pub(super) struct SelectedImages<'a> {
    /// The names of all images, as their labels have them.
    pub(super) named: BTreeSet<String>,
    pub(super) images: Vec<ImageFile<'a>>,
    pub(super) left_out: Vec<LeftOut>,
}

impl<'a> SelectedImages<'a> {
    pub(super) fn of(
        tree: &'a Tree,
        namings: &'static [Naming],
        request: &Request,
        weather: Weather,
    ) -> Result<Self, DatasetError> {
        let mut left_out = Vec::new();
        let mut images = images(&tree.files, namings, weather, &mut left_out)?;
        let named = images
            .iter()
            .map(|image| image.name.of_label.clone())
            .collect();
        let mut matched = MatchedPatterns::new(&request.selection);
        for folder in &tree.unread {
            let takers = request.selection.exclude.taking_folder(folder);
            matched.exclude.extend(takers);
        }
        if !request.selection.exclude.is_empty() {
            // A pattern may be about labels alone.
            for file in &tree.files {
                let takers = request.selection.exclude.matching(None, &file.path);
                matched.exclude.extend(takers);
            }
        }
        images.retain(|image| matched.takes(image, request.labels, &mut left_out));
        matched.note_unmatched(&mut left_out);
        Ok(Self {
            named,
            images,
            left_out,
        })
    }
}

/// Returns the images of the layouts.
fn images<'a>(
    files: &'a [SourceFile],
    namings: &'static [Naming],
    weather: Weather,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<ImageFile<'a>>, DatasetError> {
    let mut found = Vec::new();
    for file in files {
        let path = &file.path;
        let of_folder = |naming: &&Naming| is_below(file, weather.folders(naming));
        let fitting: Vec<&Naming> = namings.iter().filter(of_folder).collect();
        if fitting.is_empty() {
            if weather == Weather::Original && is_synthetic_weather(file, namings) {
                LeftOut::note(left_out, LeftOutReason::SyntheticWeather, path);
            }
        } else if has_extension(path, &IMAGE_EXTENSIONS) {
            let stem = stem(path)?;
            let image = fitting.into_iter().find_map(|naming| {
                let name = naming.name_of(&stem, path)?;
                Some(ImageFile { naming, name, file })
            });
            match image {
                Some(image) => found.push(image),
                None => LeftOut::note(left_out, why_no_image(path, namings), path),
            }
        } else if has_extension(path, &UNREAD_EXTENSIONS) {
            LeftOut::note(left_out, LeftOutReason::Format, path);
        }
    }
    Ok(found)
}

fn is_synthetic_weather(file: &SourceFile, namings: &[Naming]) -> bool {
    has_extension(&file.path, &IMAGE_EXTENSIONS)
        && namings
            .iter()
            .any(|naming| is_below(file, naming.weather_folders))
}

/// Says why a picture in a folder of images is none of them.
fn why_no_image(path: &Path, namings: &[Naming]) -> LeftOutReason {
    match PictureKind::of(Path::new(path.file_name().unwrap_or_default())) {
        PictureKind::Photograph => {
            let suffixes = namings.iter().map(|naming| naming.image_suffix);
            let suffixes = suffixes.filter(|suffix| !suffix.is_empty());
            let names: Vec<String> = suffixes.map(|suffix| format!("*{suffix}")).collect();
            LeftOutReason::OtherName(names.join(" or "))
        }
        kind @ (PictureKind::Reference
        | PictureKind::RightCamera
        | PictureKind::Label
        | PictureKind::Measurement
        | PictureKind::ContactSheet) => LeftOutReason::Kind(kind),
    }
}

/// A selection, and which of its patterns have matched a file.
struct MatchedPatterns<'a> {
    selection: &'a Selection,
    include: BTreeSet<usize>,
    exclude: BTreeSet<usize>,
}

impl<'a> MatchedPatterns<'a> {
    fn new(selection: &'a Selection) -> Self {
        Self {
            selection,
            include: BTreeSet::new(),
            exclude: BTreeSet::new(),
        }
    }

    /// Returns whether an image is used. The test split is left out without being asked for where labels are looked for:
    /// those of Cityscapes show no class, and ACDC has none.
    fn takes(&mut self, image: &ImageFile, labels: Labels, left_out: &mut Vec<LeftOut>) -> bool {
        let (selection, path) = (self.selection, image.file.path.as_path());
        let name = Some(image.name.name.as_str());
        let included = selection.include.matching(name, path);
        let excluded = selection.exclude.matching(name, path);
        let by_globs =
            excluded.is_empty() && (selection.include.is_empty() || !included.is_empty());
        self.include.extend(included);
        self.exclude.extend(excluded);
        let in_folder = |name: &str| is_in_folder(path, name);
        let of_condition = selection.conditions.is_empty()
            || selection.conditions.iter().any(|it| in_folder(it.as_str()));
        let of_split = selection
            .splits
            .iter()
            .any(|split| in_folder(split.as_str()));
        if !by_globs || !of_condition || !(of_split || selection.splits.is_empty()) {
            return false;
        }
        let unasked_test = selection.splits.is_empty()
            && labels != Labels::Unused
            && !image.naming.image_suffix.is_empty()
            && in_folder(Split::Test.as_str());
        if unasked_test {
            let reason = LeftOutReason::TestSplit(selection.fields.split);
            LeftOut::note(left_out, reason, path);
        }
        !unasked_test
    }

    fn note_unmatched(&self, left_out: &mut Vec<LeftOut>) {
        let Selection {
            fields,
            include,
            exclude,
            ..
        } = self.selection;
        LeftOut::note_unmatched(left_out, fields.include, include, &self.include);
        LeftOut::note_unmatched(left_out, fields.exclude, exclude, &self.exclude);
    }
}

/// Returns whether one of the folders that a file lies in, below that of all images, has this name.
fn is_in_folder(path: &Path, name: &str) -> bool {
    let folders = path.parent().into_iter().flat_map(Path::components);
    folders.skip(1).any(|folder| folder.as_os_str() == name)
}

//! What it means that a listed file cannot be read: the file is gone, or its dataset is away.

use std::path::Path;

use shared::dataset::entry::DatasetEntry;
use shared::failure::{FailureClass, StorageUse, chain};
use shared::source::Source;
use shared::storage::StorageError;

use super::{PUT_BACK, quarantine};
use crate::attempt::ports::Unusable;

/// Files beside one that is gone that are tried until one can be read.
const MOST_NEIGHBOURS: usize = 5;

/// Returns what it means that a listed file cannot be read. It is missing only if it is gone while another file of its
/// folder can be read before and after, and no input at all if no file can have its name; all else is the dataset being
/// away, or closed to this process.
pub(super) async fn absent(
    source: &dyn Source,
    listing: &DatasetEntry,
    error: &StorageError,
) -> Unusable {
    match FailureClass::of_storage(error.kind, StorageUse::Input) {
        FailureClass::Missing => {}
        class @ (FailureClass::BadInput | FailureClass::Changed | FailureClass::BadOutput) => {
            return quarantine(class, chain(error));
        }
        FailureClass::Transient
        | FailureClass::Resources
        | FailureClass::Unworkable
        | FailureClass::Fatal => return Unusable::Away(chain(error)),
    }
    for file in listing.files() {
        let name = source.locate(&file.path);
        let alone = || {
            let folder = source.locate(folder_of(&file.path));
            Unusable::Away(format!(
                "{name} is not there, and no other such file can be read in {folder}: is the dataset mounted?"
            ))
        };
        if !has_neighbour(source, &file.path).await {
            return alone();
        }
        match source.read(&file.path).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => {
                if !has_neighbour(source, &file.path).await {
                    return alone();
                }
                let reason = format!(
                    "{name} was listed and is gone, while other files of its folder are there: {PUT_BACK}"
                );
                return quarantine(FailureClass::Missing, reason);
            }
            Err(error) => return Unusable::Away(chain(&error)),
        }
    }
    Unusable::Away(format!("{}; it is there again", chain(error)))
}

fn is_missing(error: &StorageError) -> bool {
    FailureClass::of_storage(error.kind, StorageUse::Input) == FailureClass::Missing
}

/// Returns the folder of a file of a dataset; the dataset's root is its own.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Returns whether another file of the same folder and format can be read.
async fn has_neighbour(source: &dyn Source, path: &Path) -> bool {
    let folder = folder_of(path);
    let Ok(files) = source.list(folder).await else {
        return false;
    };
    let is_neighbour = |other: &&Path| {
        *other != path && other.parent() == Some(folder) && other.extension() == path.extension()
    };
    let others = files.iter().map(|file| file.path.as_path());
    for other in others.filter(is_neighbour).take(MOST_NEIGHBOURS) {
        if source.read(other).await.is_ok() {
            return true;
        }
    }
    false
}

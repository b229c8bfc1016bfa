//! Finds the images of a dataset in a folder or a bucket.

use std::path::Path;

use crate::source::{Source, Tree};
use crate::storage::StorageError;

use super::list::{self, FoundDataset, Request};
use super::list_error::DatasetError;

/// Why a dataset cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A folder that is needed cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The files are no such dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// Returns what is asked of a dataset. Of its folders only those are opened that the layout puts images or labels in.
///
/// # Errors
///
/// [`FindError`] naming the folder that cannot be read, or what is wrong with the files.
pub async fn find(
    source: &dyn Source,
    root_shown: &str,
    request: &Request,
) -> Result<FoundDataset, FindError> {
    let mut tree = Tree::default();
    for folder in list::folders(request) {
        let excluded = &request.selection.exclude;
        let found = source.list_except(Path::new(folder), excluded).await?;
        tree.files.extend(found.files);
        tree.unread.extend(found.unread);
    }
    Ok(list::list(&tree, root_shown, request)?)
}

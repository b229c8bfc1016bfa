//! Features of real photographs.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use engine::EngineError;
use engine::feature_extractor::FeatureExtractor;
use futures::future::try_join_all;
use imaging::{NamedBytes, decode_image};
use rayon::prelude::*;
use shared::dataset::selection::Selection;
use shared::failure::chain;
use shared::source::Source;
use shared::storage::StorageError;

use super::sample::Sample;
use super::statistics::Accumulator;
use crate::run::gone::{self, Vanished};

/// Photographs that are read and decoded at once.
pub const AT_ONCE: usize = 16;

/// Why photographs cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum PhotographsError {
    /// A file cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file was listed and is not there any more.
    #[error("{}; put it back, or start again without it", .0)]
    Gone(Vanished),
    /// The network failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<Vanished> for PhotographsError {
    fn from(vanished: Vanished) -> Self {
        Self::Gone(vanished)
    }
}

/// Returns the photographs of a source at any depth, in the order of their paths, and what beside them is none.
///
/// # Errors
///
/// If the source cannot be listed.
pub async fn list(
    source: &dyn Source,
    selection: &Selection,
) -> Result<shared::dataset::FoundPhotographs, StorageError> {
    let tree = source
        .list_except(Path::new(""), &selection.exclude)
        .await?;
    Ok(shared::dataset::photographs(&tree, selection))
}

/// What is known of photographs so far.
pub struct Photographs {
    extractor: Option<FeatureExtractor>,
    /// Sums of their features.
    pub sums: Accumulator,
    /// Features of some of them.
    pub sample: Sample,
    /// Those that are no images, each with the reason.
    pub unusable: Vec<String>,
}

impl Photographs {
    /// Returns what is known of none.
    #[must_use]
    pub fn new(extractor: FeatureExtractor) -> Self {
        Self {
            sums: Accumulator::new(extractor.num_features()),
            extractor: Some(extractor),
            sample: Sample::default(),
            unusable: Vec::new(),
        }
    }

    /// Returns how many photographs were looked at.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.sums.count() + self.unusable.len()
    }

    /// Looks at some photographs. One that is damaged is left out and noted.
    ///
    /// # Errors
    ///
    /// [`PhotographsError`] if a file cannot be read or the network fails.
    pub async fn add(
        &mut self,
        source: &dyn Source,
        paths: &[PathBuf],
    ) -> Result<(), PhotographsError> {
        let reads = paths
            .iter()
            .map(|path| gone::read_listed_input::<PhotographsError>(source, path));
        let read = try_join_all(reads).await?;
        let named = paths
            .iter()
            .zip(read)
            .map(|(path, bytes)| (source.locate(path), bytes));
        let named: Vec<(String, Bytes)> = named.collect();
        let Some(mut extractor) = self.extractor.take() else {
            return Ok(());
        };
        let work = move || {
            let features = features(&mut extractor, &named);
            (extractor, features)
        };
        let (extractor, features) = shared::blocking::run(work).await;
        self.extractor = Some(extractor);
        for (path, features) in paths.iter().zip(features?) {
            match features {
                Ok(features) => {
                    self.sums.add(&features);
                    self.sample.offer(&path.to_string_lossy(), &features);
                }
                Err(reason) => self.unusable.push(reason),
            }
        }
        Ok(())
    }
}

/// Returns the features of each image, or why it is none.
fn features(
    extractor: &mut FeatureExtractor,
    files: &[(String, Bytes)],
) -> Result<Vec<Result<Vec<f32>, String>>, EngineError> {
    let images: Vec<_> = files
        .par_iter()
        .map(|(name, bytes)| decode_image(NamedBytes { name, bytes }))
        .collect();
    let features = images.into_iter().map(|image| match image {
        Ok(image) => extractor.features(image.view()).map(Ok),
        Err(error) => Ok(Err(chain(&error))),
    });
    let named = features
        .zip(files)
        .map(|(features, (name, _))| match features {
            Err(error @ EngineError::NotJudged { .. }) => {
                Ok(Err(format!("{name}: {}", chain(&error))))
            }
            features => features,
        });
    named.collect()
}

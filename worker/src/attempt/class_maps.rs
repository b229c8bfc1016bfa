//! The class maps of styles without labels: each is made once for all items of its style, and stored before them.
//!
//! What is stored is what holds, whoever made it: outputs of one style never come from two maps, unless it is lost and made
//! again on another kind of device: an audit tells.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use engine::EngineError;
use imaging::resize::Size;
use imaging::{ClassShares, decode_train_ids, encode_train_ids};
use ndarray::Array2;
use shared::artifact::ArtifactKey;
use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::failure::FailureClass;
use shared::storage::{StorageError, StorageErrorKind};
use shared::warning::ItemWarning;

use super::rows::RowMaker;
use super::{
    Attempt, AttemptError, ClassMapper, InputKind, LoadedInput, Quarantine, Stage, repair,
};

/// What rows say of the class map of a style.
#[derive(Debug, Clone)]
pub(super) struct ClassMap {
    /// SHA-256 of the map as it is stored.
    pub(super) sha256: String,
    /// What a person should know about it.
    pub(super) warning: Option<ItemWarning>,
}

/// A class map as it is stored.
struct StoredMap {
    train_ids: Array2<u8>,
    sha256: String,
}

impl Attempt<'_> {
    /// Returns those styles that have a label or a class map, which is made if it is not stored. Items in the others are
    /// quarantined.
    pub(super) async fn with_class_maps<'s>(
        &self,
        content: &str,
        styles: Vec<&'s DatasetEntry>,
        rows: &mut RowMaker<'_>,
    ) -> Result<Vec<&'s DatasetEntry>, AttemptError> {
        let mut usable = Vec::with_capacity(styles.len());
        for style in styles {
            // A map takes as long as many images, and there may be one for each style.
            if self.stop.load(Ordering::Relaxed) {
                return Err(AttemptError::ToldToStop);
            }
            match self.class_map(style, rows).await? {
                Ok(()) => usable.push(style),
                Err(why) => rows.quarantined(content, style.name(), &why),
            }
        }
        Ok(usable)
    }

    /// Loads a style, with its class map if it has no label.
    pub(super) async fn load_style(
        &self,
        style: &DatasetEntry,
    ) -> Result<Result<LoadedInput, Quarantine>, AttemptError> {
        let mut loaded = match self.load(InputKind::Style, style).await? {
            Ok(loaded) => loaded,
            Err(why) => return Ok(Err(why)),
        };
        if self.mapper_of(style).is_some() {
            let key = self.prior_key(style);
            let map = self.read_class_map(&key).await?;
            let map = map.ok_or_else(|| StorageError {
                kind: StorageErrorKind::Conflict,
                operation: "read",
                path: self.storage.locate(&key),
                source: None,
            })?;
            loaded.prepared.take_class_map(map.train_ids);
        }
        Ok(Ok(loaded))
    }

    /// Returns what makes the class map of a style; nothing if it has a label, or none is used.
    fn mapper_of(&self, style: &DatasetEntry) -> Option<&dyn ClassMapper> {
        let mapper = self.context.class_maps.as_deref();
        mapper.filter(|_| style.label.is_none())
    }

    /// Proves once in an attempt that the class map of a style is there, if it needs one.
    async fn class_map(
        &self,
        style: &DatasetEntry,
        rows: &mut RowMaker<'_>,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let Some(mapper) = self.mapper_of(style) else {
            return Ok(Ok(()));
        };
        if let Some(known) = rows.class_maps.get(style.name()) {
            return Ok(known.clone().map(drop));
        }
        let expected = rows.expected_prior(style.name());
        let found = self.stored_or_made(style, mapper, expected).await?;
        let found = found.map(|map| ClassMap {
            sha256: map.sha256,
            warning: ClassShares::of(map.train_ids.view())
                .warning(&style.image.path.display().to_string()),
        });
        let known = found.clone().map(drop);
        rows.class_maps.insert(style.name().to_owned(), found);
        Ok(known)
    }

    async fn stored_or_made(
        &self,
        style: &DatasetEntry,
        mapper: &dyn ClassMapper,
        expected: Option<&str>,
    ) -> Result<Result<StoredMap, Quarantine>, AttemptError> {
        let key = self.prior_key(style);
        self.progress.begin(Stage::Store);
        if let Some(stored) = self.stored_class_map(&key).await? {
            repair::check(expected, &key, &stored.sha256)?;
            return Ok(Ok(stored));
        }
        let train_ids = match self.make_class_map(style, mapper).await? {
            Ok(train_ids) => train_ids,
            Err(why) => return Ok(Err(why)),
        };
        let png = encode_train_ids(train_ids.view()).map_err(AttemptError::Encode)?;
        let sha256 = digest::sha256(&png);
        repair::check(expected, &key, &sha256)?;
        self.progress.begin(Stage::Store);
        match self.storage.create(&key, Bytes::from(png)).await {
            Ok(_) => Ok(Ok(StoredMap { train_ids, sha256 })),
            // Another worker was first, and on another device may have made another one. What is damaged stays an error.
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                let stored = self.stored_class_map(&key).await?.ok_or(error)?;
                repair::check(expected, &key, &stored.sha256)?;
                Ok(Ok(stored))
            }
            Err(error) => AttemptError::from(error).of_item().map(Err),
        }
    }

    /// Returns the class map that is stored; nothing if there is none, or no such picture.
    async fn stored_class_map(&self, key: &ArtifactKey) -> Result<Option<StoredMap>, StorageError> {
        match self.read_class_map(key).await {
            Ok(Some(stored)) => {
                // Who stored it may have been killed before it survived a crash of the machine, and rows will speak of it.
                self.storage.settle(key).await?;
                Ok(Some(stored))
            }
            Ok(None) => Ok(None),
            Err(error) if error.kind == StorageErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_class_map(&self, key: &ArtifactKey) -> Result<Option<StoredMap>, StorageError> {
        let png = self.storage.read(key).await?;
        let size = Size {
            width: self.context.size.width,
            height: self.context.size.height,
        };
        let decode = move || {
            Some(StoredMap {
                train_ids: decode_train_ids(&png, size)?,
                sha256: digest::sha256(&png),
            })
        };
        Ok(shared::blocking::run(decode).await)
    }

    /// Makes the class map of a style, after what makes it has learnt from all prototypes what classes look like.
    async fn make_class_map(
        &self,
        style: &DatasetEntry,
        mapper: &dyn ClassMapper,
    ) -> Result<Result<Array2<u8>, Quarantine>, AttemptError> {
        let learnt = mapper.num_learnt();
        for prototype in self.planned.prototypes.iter().skip(learnt) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(AttemptError::ToldToStop);
            }
            if let Err(why) = self.learn(prototype, mapper).await? {
                let reason = format!(
                    "content {}, which is to show what classes look like: {}",
                    prototype.name(),
                    why.reason
                );
                return Ok(Err(Quarantine { reason, ..why }));
            }
        }
        let size = mapper.image_size();
        let photograph = match self.load_at(InputKind::Style, style, size).await? {
            Ok(photograph) => photograph,
            Err(why) => return Ok(Err(why)),
        };
        self.progress.begin(Stage::ClassMap);
        match mapper.map(photograph.prepared.image).await {
            Ok(train_ids) => Ok(Ok(train_ids)),
            Err(error) => not_judged(error).map(Err),
        }
    }

    /// Learns from a prototype what classes look like.
    async fn learn(
        &self,
        prototype: &DatasetEntry,
        mapper: &dyn ClassMapper,
    ) -> Result<Result<(), Quarantine>, AttemptError> {
        let labelled = match self.load(InputKind::Content, prototype).await? {
            Ok(labelled) => labelled.prepared,
            Err(why) => return Ok(Err(why)),
        };
        let size = mapper.image_size();
        let image = match self.load_at(InputKind::Content, prototype, size).await? {
            Ok(loaded) => loaded.prepared.image,
            Err(why) => return Ok(Err(why)),
        };
        self.progress.begin(Stage::ClassMap);
        match mapper.learn(image, labelled.label).await {
            Ok(()) => Ok(Ok(())),
            Err(error) => not_judged(error).map(Err),
        }
    }

    fn prior_key(&self, style: &DatasetEntry) -> ArtifactKey {
        ArtifactKey::Prior(self.run().clone(), style.name().to_owned())
    }
}

/// Returns a quarantine if a network gave what is not finite for one image; the error itself otherwise.
fn not_judged(error: AttemptError) -> Result<Quarantine, AttemptError> {
    match error {
        AttemptError::Engine(error @ EngineError::NotJudged { .. }) => {
            Ok(Quarantine::of(&error, FailureClass::BadOutput))
        }
        other => Err(other),
    }
}

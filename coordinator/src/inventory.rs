//! What there is: contents, styles and model, listed and digested.

use std::collections::BTreeMap;
use std::path::Path;

use globset::{Glob, GlobSetBuilder};
use shared::digest;
use shared::run_record::{Frozen, FrozenContent, FrozenModel};
use shared::settings::{PairingMode, RunConfig};
use worker::dataset::{DatasetError, Listing, Role, list};
use worker::engine::EngineError;
use worker::engine::contract::ModelContract;

use crate::plan::{self, ClassPixels, Plan};

mod classes;

/// A run's inputs and its plan.
#[derive(Debug)]
pub struct Inventory {
    /// The contents, sorted by name.
    pub contents: Vec<Listing>,
    /// The styles, sorted by name.
    pub styles: Vec<Listing>,
    /// The model's contract.
    pub contract: ModelContract,
    /// Which contents meet which styles.
    pub plan: Plan,
    /// What is frozen of all this.
    pub frozen: Frozen,
}

/// Inputs that no run can be planned with.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A dataset's folder is not what its layout says.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A glob is no glob.
    #[error("style.include ({pattern}) is no glob")]
    Glob {
        /// The glob.
        pattern: String,
        /// Why.
        #[source]
        source: globset::Error,
    },
    /// Globs or a range leave nothing.
    #[error("{0}")]
    Nothing(String),
    /// A file vanished between listing and reading.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] EngineError),
}

impl InventoryError {
    /// Returns whether the settings are at fault, and not what is around the program.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Dataset(_) | Self::Glob { .. } | Self::Nothing(_) => true,
            Self::Read { .. } | Self::Model(_) => false,
        }
    }
}

impl Inventory {
    /// Lists what the settings name and plans the run.
    ///
    /// # Errors
    ///
    /// [`InventoryError`] naming the folder, file or setting.
    pub fn take(config: &RunConfig) -> Result<Self, InventoryError> {
        let contents = contents(config)?;
        let styles = styles(config)?;
        let contract = ModelContract::load(&config.model)?;
        let class_pixels: Vec<ClassPixels> = match config.pairing.mode {
            PairingMode::RareClass => classes::count(&config.content.root, &contents)?,
            PairingMode::EveryStyle | PairingMode::Ordered | PairingMode::Uniform => Vec::new(),
        };
        let pairs = plan::pair(
            &config.pairing,
            contents.len(),
            styles.len(),
            config.method.seed,
            &class_pixels,
        );
        let plan = plan::group(&pairs, config.shards);
        let frozen = freeze(config, &contents, &styles, &contract, &plan)?;
        Ok(Self {
            contents,
            styles,
            contract,
            plan,
            frozen,
        })
    }
}

fn contents(config: &RunConfig) -> Result<Vec<Listing>, InventoryError> {
    let all = list(&config.content.root, Role::Content(config.content.layout))?;
    let Some(range) = &config.content.range else {
        return Ok(all);
    };
    let found = all.len();
    let chosen: Vec<_> = all
        .into_iter()
        .skip(range.start() - 1)
        .take(range.end() - range.start() + 1)
        .collect();
    if chosen.is_empty() {
        let range = format!("{}..={}", range.start(), range.end());
        return Err(InventoryError::Nothing(format!(
            "content.range ({range}) leaves no content: {} has {found}",
            config.content.root.display()
        )));
    }
    Ok(chosen)
}

fn styles(config: &RunConfig) -> Result<Vec<Listing>, InventoryError> {
    let all = list(&config.style.root, Role::Style)?;
    if config.style.include.is_empty() {
        return Ok(all);
    }
    let mut globs = GlobSetBuilder::new();
    for pattern in &config.style.include {
        let refuse = |source| InventoryError::Glob {
            pattern: pattern.clone(),
            source,
        };
        globs.add(Glob::new(pattern).map_err(refuse)?);
    }
    let refuse = |source| InventoryError::Glob {
        pattern: config.style.include.join(", "),
        source,
    };
    let globs = globs.build().map_err(refuse)?;
    let names: Vec<String> = all.iter().map(|style| style.name().to_owned()).collect();
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|style| globs.is_match(style.name()))
        .collect();
    if chosen.is_empty() {
        return Err(InventoryError::Nothing(format!(
            "style.include ({}) matches no style: {} has {}",
            config.style.include.join(", "),
            config.style.root.display(),
            names.join(", ")
        )));
    }
    Ok(chosen)
}

fn freeze(
    config: &RunConfig,
    contents: &[Listing],
    styles: &[Listing],
    contract: &ModelContract,
    plan: &Plan,
) -> Result<Frozen, InventoryError> {
    let content_names: Vec<&str> = contents.iter().map(Listing::name).collect();
    let style_names: Vec<&str> = styles.iter().map(Listing::name).collect();
    let styles = styles
        .iter()
        .map(|style| {
            Ok((
                style.name().to_owned(),
                style_sha256(&config.style.root, style)?,
            ))
        })
        .collect::<Result<BTreeMap<_, _>, InventoryError>>()?;
    Ok(Frozen {
        method: config.method.clone(),
        pairing: config.pairing.clone(),
        shards: config.shards,
        content: FrozenContent {
            layout: config.content.layout,
            count: contents.len(),
            listing_sha256: listing_sha256(&config.content.root, contents)?,
        },
        styles,
        model: FrozenModel {
            sha256: contract.sha256.clone(),
            width: contract.model.width,
            height: contract.model.height,
        },
        num_items: plan.num_items(),
        num_shards: plan.shards.len(),
        shards_sha256: plan.sha256(&content_names, &style_names),
    })
}

/// Over names and sizes: reading a whole dataset to start a run would take hours.
fn listing_sha256(root: &Path, contents: &[Listing]) -> Result<String, InventoryError> {
    let size = |file: &Path| -> Result<u64, InventoryError> {
        let path = root.join(file);
        let metadata = std::fs::metadata(&path);
        metadata
            .map(|m| m.len())
            .map_err(|source| InventoryError::Read {
                path: path.display().to_string(),
                source,
            })
    };
    let sizes = contents
        .iter()
        .map(|content| match content {
            Listing::Pair(pair) => Ok((
                pair.name.as_str(),
                size(&pair.image)?,
                Some(size(&pair.label)?),
            )),
            Listing::MissingLabel { name, image, .. } => Ok((name.as_str(), size(image)?, None)),
        })
        .collect::<Result<Vec<_>, InventoryError>>()?;
    Ok(digest::sha256_of_json(&sizes))
}

fn style_sha256(root: &Path, style: &Listing) -> Result<String, InventoryError> {
    let sha256 = |file: &Path| -> Result<String, InventoryError> {
        let path = root.join(file);
        let read = digest::sha256_of_file(&path);
        read.map_err(|source| InventoryError::Read {
            path: path.display().to_string(),
            source,
        })
    };
    let (image, label) = match style {
        Listing::Pair(pair) => (sha256(&pair.image)?, Some(sha256(&pair.label)?)),
        Listing::MissingLabel { image, .. } => (sha256(image)?, None),
    };
    Ok(digest::sha256_of_json(&(image, label)))
}

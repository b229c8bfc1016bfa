//! Contents, styles, model and networks of a run, listed and digested.
//!
//! - `converter`: the model or translator, if there is one
//! - `listing`: the datasets as they were found, whole or some of them
//! - `labels`: what is decided of labels when a run is planned
//! - `classes`: pixels of each class, for rare-class pairing
//! - `class_maps`: what maps the classes of styles without labels, and the contents that it learns from

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use shared::dataset::entry::DatasetEntry;
use shared::dataset::{ClassTable, DatasetError, FindError, Labels, Request, Role, find};
use shared::digest;
use shared::item_metric::{ItemMetric, PerMetric};
use shared::json;
use shared::location::Location;
use shared::model::OpenError;
use shared::network::{FEATURES_FILE, NetworkContract, SEGMENTER_FILE};
use shared::run_record::{Frozen, FrozenContent, FrozenEvaluators, FrozenModel};
use shared::settings::{MethodConfig, Products, QualityConfig, RunConfig, SettingsError};
use shared::source::{self, Source};
use shared::storage::StorageError;
use shared::wording::counted;

use crate::run::gone::{self, Vanished};
use crate::run::plan::{self, Plan};

mod class_maps;
mod classes;
mod converter;
mod labels;
mod listing;

use self::class_maps::ClassMaps;
pub use self::converter::ConverterContract;
pub use self::listing::{ChosenNames, Listing, Listings};

/// A run's inputs and its plan.
#[derive(Debug)]
pub struct Inventory {
    /// What is to be made.
    pub plan: Plan,
    /// The plan as it is stored.
    pub plan_json: Vec<u8>,
    /// The contract of what converts, where that is no pixels alone.
    pub contract: Option<ConverterContract>,
    /// What is frozen of all this.
    pub frozen: Frozen,
    /// What of the datasets is not used, not used as it is, or not there, a line for each reason.
    pub left_out: Vec<String>,
}

/// A dataset as it was found.
#[derive(Debug, Clone)]
struct Dataset {
    source: Arc<dyn Source>,
    shown: String,
    entries: Vec<DatasetEntry>,
    left_out: Vec<String>,
}

/// Inputs that no run can be planned with.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A dataset's folder is not what its layout says.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A range leaves nothing, or the settings name no model.
    #[error("{0}")]
    Nothing(String),
    /// A file cannot be listed or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file was listed and is not there any more.
    #[error("{}; put it back, or start again without it", .0)]
    Gone(Vanished),
    /// Contents that are to show what classes look like show none.
    #[error(
        "{0} shows none of the 19 classes, or cannot be read, and is to show a network of priors what they look like: mend \
         it, leave it out (content.exclude), or choose others (style.prototype_contents)"
    )]
    Prototype(String),
    /// A setting does not fit what is there.
    #[error(transparent)]
    Setting(#[from] SettingsError),
    /// The model, or a network that is to judge outputs or to map classes, cannot be used.
    #[error(transparent)]
    Model(#[from] OpenError),
}

impl From<FindError> for InventoryError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Storage(error) => Self::Storage(error),
            FindError::Dataset(error) => Self::Dataset(error),
        }
    }
}

impl From<Vanished> for InventoryError {
    fn from(vanished: Vanished) -> Self {
        Self::Gone(vanished)
    }
}

impl InventoryError {
    /// Returns whether a dataset's folder is not there, or holds nothing that can be used.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        match self {
            Self::Dataset(error) => error.is_of_nothing(),
            Self::Nothing(_)
            | Self::Prototype(_)
            | Self::Setting(_)
            | Self::Storage(_)
            | Self::Gone(_)
            | Self::Model(_) => false,
        }
    }

    /// Returns whether the settings are at fault, and not what is around the program.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Dataset(_) | Self::Nothing(_) | Self::Prototype(_) | Self::Setting(_) => true,
            Self::Storage(_) | Self::Gone(_) | Self::Model(_) => false,
        }
    }
}

impl Inventory {
    /// Lists what the settings name and plans the run.
    ///
    /// # Errors
    ///
    /// [`InventoryError`] naming the folder, file or setting.
    pub async fn take(config: &RunConfig) -> Result<Self, InventoryError> {
        let mut listing = Listing::find(config).await?;
        let model = converter::open(config).await?;
        listing.decide_labels(config).await?;
        Self::plan(config, listing, model).await
    }

    /// Plans a run of datasets that were listed before, whose labels are decided.
    ///
    /// # Errors
    ///
    /// [`InventoryError`] naming the file or setting.
    pub async fn of(config: &RunConfig, listing: Listing) -> Result<Self, InventoryError> {
        let model = converter::open(config).await?;
        Self::plan(config, listing, model).await
    }

    async fn plan(
        config: &RunConfig,
        listing: Listing,
        (contract, model): (Option<ConverterContract>, FrozenModel),
    ) -> Result<Self, InventoryError> {
        let class_maps = ClassMaps::plan(config, &model, &listing).await?;
        let pairs = listing.pairs(config).await?;
        let Listing {
            contents, styles, ..
        } = listing;
        let mut left_out = [contents.left_out.as_slice(), &styles.left_out].concat();
        left_out.extend(class_maps.notes);
        left_out.extend(plan::shortage(
            &config.pairing,
            contents.entries.len(),
            &pairs,
        ));
        let listing_sha256 = contents.sha256_of_sizes();
        let styles_sha256 = styles.sha256_of_files().await?;
        let plan = Plan {
            shards: plan::group(&pairs, config.shards),
            contents: contents.entries,
            styles: styles.entries,
            prototypes: class_maps.prototypes,
        };
        let plan_json = json::line(&plan).into_bytes();
        let frozen = Frozen {
            method: config.method.clone(),
            products: products(config),
            pairing: config.pairing.clone(),
            shards: config.shards,
            content: FrozenContent {
                layout: config.content.layout,
                labels: config.content.labels,
                classes: config.content.classes.clone(),
                count: plan.contents.len(),
                listing_sha256,
            },
            styles: styles_sha256,
            style_labels: config.style.labels,
            style_classes: config.style.classes.clone(),
            class_maps: class_maps.frozen,
            model,
            evaluators: evaluators(&config.quality).await?,
            num_items: plan.num_items(),
            num_shards: plan.shards.len(),
            plan_sha256: digest::sha256(&plan_json),
        };
        Ok(Self {
            plan,
            plan_json,
            contract,
            frozen,
            left_out,
        })
    }
}

/// Returns what products are made of, where the method makes any by the noise predictor of a model.
fn products(config: &RunConfig) -> Products {
    match config.method {
        MethodConfig::Diffusion(_) => config.engine.products,
        MethodConfig::Baseline(_) | MethodConfig::Translator(_) => Products::F32,
    }
}

async fn contents(config: &RunConfig) -> Result<Dataset, InventoryError> {
    let content = &config.content;
    // Labels are stored beside the outputs, whatever the method.
    let request = Request {
        role: Role::Content(content.layout),
        labels: Labels::Needed,
        labels_are: content.labels,
        classes: content.classes.as_ref().map(ClassTable::of),
        selection: content.selection.clone(),
    };
    let mut found = Dataset::find(&content.root, &request).await?;
    let Some(range) = &content.range else {
        return Ok(found);
    };
    let count = found.entries.len();
    found.left_out.extend(beyond(*range.end(), count));
    let chosen = found.entries.into_iter();
    let chosen = chosen
        .skip(range.start() - 1)
        .take(range.end() - range.start() + 1);
    found.entries = chosen.collect();
    if found.entries.is_empty() {
        let range = format!("{}..={}", range.start(), range.end());
        return Err(InventoryError::Nothing(format!(
            "content.range ({range}) leaves no content: {} has {count}",
            content.root
        )));
    }
    Ok(found)
}

/// Returns that a range ends where no contents are any more, if it does.
fn beyond(end: usize, count: usize) -> Option<String> {
    let are = if count == 1 { "is" } else { "are" };
    let contents = counted(count, "content", "contents");
    (end > count).then(|| format!("content.range ends at {end}, and there {are} {contents}"))
}

async fn styles(config: &RunConfig) -> Result<Dataset, InventoryError> {
    let style = &config.style;
    let request = Request {
        role: Role::Style,
        labels: style_labels(config),
        labels_are: style.labels,
        classes: style.classes.as_ref().map(ClassTable::of),
        selection: style.selection.clone(),
    };
    Dataset::find(&style.root, &request).await
}

/// Returns what becomes of styles without labels.
fn style_labels(config: &RunConfig) -> Labels {
    match config.style.class_maps.named() {
        _ if !config.style.use_labels || !config.method.uses_labels() => Labels::Unused,
        Some(_) => Labels::Wanted,
        None => Labels::Needed,
    }
}

async fn evaluators(quality: &QualityConfig) -> Result<FrozenEvaluators, OpenError> {
    let features = network_sha256(quality.features.as_ref(), FEATURES_FILE).await?;
    let mut of_metrics = PerMetric::default();
    for metric in ItemMetric::ALL {
        if let Some(network) = metric.network() {
            let at = quality.network_of(metric);
            of_metrics[metric] = network_sha256(at, network.contract).await?;
        }
    }
    let segmenter = network_sha256(quality.segmenter.as_ref(), SEGMENTER_FILE).await?;
    Ok(FrozenEvaluators {
        segmenter,
        min_label_agreement: quality.min_label_agreement,
        ..FrozenEvaluators::new(features, of_metrics)
    })
}

async fn network_sha256(at: Option<&Location>, file: &str) -> Result<Option<String>, OpenError> {
    match at {
        Some(at) => Ok(Some(NetworkContract::open(at, file).await?.sha256)),
        None => Ok(None),
    }
}

impl Dataset {
    async fn find(root: &Location, request: &Request) -> Result<Self, InventoryError> {
        let source = source::open(root).await?;
        let shown = root.to_string();
        let found = find(source.as_ref(), &shown, request).await?;
        let whose = match request.role {
            Role::Content(_) => "content",
            Role::Style => "style",
        };
        let left_out = found.left_out.iter();
        Ok(Self {
            left_out: left_out.map(|line| format!("{whose}: {line}")).collect(),
            entries: found.entries,
            source,
            shown,
        })
    }

    async fn decide_labels(&mut self) -> Result<(), StorageError> {
        labels::tell_look_alikes(self.source.as_ref(), &mut self.entries).await
    }

    /// Over names and sizes: reading a whole dataset to start a run would take hours.
    fn sha256_of_sizes(&self) -> String {
        digest::sha256_of_json(&self.entries)
    }

    /// Over the bytes of each image and its label.
    async fn sha256_of_files(&self) -> Result<BTreeMap<String, String>, InventoryError> {
        let mut found = BTreeMap::new();
        for listing in &self.entries {
            tracing::debug!(style = listing.name(), root = self.shown, "reading a style");
            let sha256 = sha256_of_files(self.source.as_ref(), listing).await?;
            found.insert(listing.name().to_owned(), sha256);
        }
        Ok(found)
    }
}

/// Returns the digest over the bytes of an image and its label.
///
/// # Errors
///
/// [`InventoryError`] if one of them cannot be read, or is gone since it was listed.
pub async fn sha256_of_files(
    source: &dyn Source,
    listing: &DatasetEntry,
) -> Result<String, InventoryError> {
    let sha256 = async |path: &Path| {
        let bytes = gone::read_listed_input::<InventoryError>(source, path).await?;
        Ok::<_, InventoryError>(digest::sha256(&bytes))
    };
    let label = match &listing.label {
        Some(label) => Some(sha256(&label.file.path).await?),
        None => None,
    };
    let files = (sha256(&listing.image.path).await?, label);
    Ok(digest::sha256_of_json(&files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_ends_beyond_the_last_content_is_told() {
        let told = beyond(10, 2);
        let expected = "content.range ends at 10, and there are 2 contents";
        assert_eq!(told.as_deref(), Some(expected));
        let told = beyond(2, 1);
        let expected = "content.range ends at 2, and there is 1 content";
        assert_eq!(told.as_deref(), Some(expected));
        assert_eq!(beyond(2, 2), None);
    }
}

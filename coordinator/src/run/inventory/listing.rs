//! The datasets of a run as they were found: all that its settings use, or some of that for a small run of their kind.

use std::collections::BTreeSet;

use shared::dataset::Labels;
use shared::dataset::entry::DatasetEntry;
use shared::settings::{ClassMapSource, PairingMode, RunConfig};

use super::{Dataset, InventoryError, classes, contents, labels, style_labels, styles};
use crate::run::cost::Workload;
use crate::run::plan::{self, ClassPixels, Plan};

/// The datasets of a run as they were found.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(super) contents: Dataset,
    pub(super) styles: Dataset,
    /// What of the contents is for what, where they are some of a dataset.
    pub(super) chosen: Option<Chosen>,
}

/// What some contents of a dataset are for, as their positions in the listing.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// Those that every style meets.
    pub(super) contents: Vec<usize>,
    /// Those that show a network of priors what classes look like, as in a run of the whole dataset.
    pub(super) prototypes: Vec<usize>,
}

/// Names of contents and styles that all meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenNames {
    /// The contents.
    pub contents: Vec<String>,
    /// The styles.
    pub styles: Vec<String>,
}

impl Listing {
    /// Lists what settings name. Labels are still to be decided on.
    pub(super) async fn find(config: &RunConfig) -> Result<Self, InventoryError> {
        Ok(Self {
            contents: contents(config).await?,
            styles: styles(config).await?,
            chosen: None,
        })
    }

    /// Decides what labels are, and what they are stored as.
    pub(super) async fn decide_labels(&mut self, config: &RunConfig) -> Result<(), InventoryError> {
        self.contents.decide_labels().await?;
        self.styles.decide_labels().await?;
        let entries = &mut self.contents.entries;
        let stored = labels::store_as_one_kind(config.content.layout, entries);
        self.contents.left_out.extend(stored);
        Ok(())
    }

    /// Returns the same contents with the styles of other settings.
    async fn with_styles_of(&self, config: &RunConfig) -> Result<Self, InventoryError> {
        let mut styles = styles(config).await?;
        styles.decide_labels().await?;
        Ok(Self {
            contents: self.contents.clone(),
            styles,
            chosen: None,
        })
    }

    /// Returns the contents, in the order of their names.
    #[must_use]
    pub fn contents(&self) -> &[DatasetEntry] {
        &self.contents.entries
    }

    /// Returns the styles, in the order of their names.
    #[must_use]
    pub fn styles(&self) -> &[DatasetEntry] {
        &self.styles.entries
    }

    /// Returns what of the datasets is not used, not used as it is, or not there, a line for each reason.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        let lines = self.contents.left_out.iter().chain(&self.styles.left_out);
        lines.map(String::as_str)
    }

    /// Returns the listing of a small run of these settings: some contents, each of which meets some styles, and the
    /// prototypes of the whole dataset where styles without labels need them.
    ///
    /// # Errors
    ///
    /// [`InventoryError::Setting`] if more prototypes are asked for than there are contents.
    pub fn some(&self, config: &RunConfig, names: &ChosenNames) -> Result<Self, InventoryError> {
        let contents = &self.contents.entries;
        let chosen = positions(contents, &names.contents);
        let styles = positions(&self.styles.entries, &names.styles);
        let styles: Vec<DatasetEntry> = taken(&self.styles.entries, &styles);
        let is_unlabelled = styles.iter().any(|style| style.label.is_none());
        let prototypes: BTreeSet<usize> = match config.style.class_maps.named() {
            Some((ClassMapSource::Prior, _)) if is_unlabelled && config.method.uses_labels() => {
                let spread = config.style.class_maps.prototypes(contents.len())?;
                spread.into_iter().collect()
            }
            Some((ClassMapSource::Prior | ClassMapSource::Segmenter, _)) | None => BTreeSet::new(),
        };
        let all: BTreeSet<usize> = chosen.union(&prototypes).copied().collect();
        let places = |some: &BTreeSet<usize>| -> Vec<usize> {
            let places = all.iter().enumerate();
            let places = places.filter(|(_, position)| some.contains(*position));
            places.map(|(place, _)| place).collect()
        };
        Ok(Self {
            chosen: Some(Chosen {
                contents: places(&chosen),
                prototypes: places(&prototypes),
            }),
            contents: self.contents.with(taken(contents, &all)),
            styles: self.styles.with(styles),
        })
    }

    /// Returns how much a run of the whole listing is. Contents with rare classes, which only all of the labels tell, are
    /// counted as if they were drawn.
    #[must_use]
    pub fn workload(&self, config: &RunConfig) -> Workload {
        let mut pairing = config.pairing.clone();
        if pairing.mode == PairingMode::RareClass {
            pairing.mode = PairingMode::Uniform;
        }
        let (num_contents, num_styles) = (self.contents().len(), self.styles().len());
        let seed = config.method.seed();
        let pairs = plan::pair(&pairing, num_contents, num_styles, seed, &[]);
        Workload::of_plan(&Plan {
            contents: Vec::new(),
            styles: self.styles.entries.clone(),
            shards: plan::group(&pairs, config.shards),
            prototypes: Vec::new(),
        })
    }

    /// Returns, for each style, the positions of its contents.
    pub(super) async fn pairs(
        &self,
        config: &RunConfig,
    ) -> Result<Vec<Vec<usize>>, InventoryError> {
        let num_styles = self.styles.entries.len();
        if let Some(chosen) = &self.chosen {
            return Ok(vec![chosen.contents.clone(); num_styles]);
        }
        let contents = &self.contents;
        let class_pixels: Vec<ClassPixels> = match config.pairing.mode {
            PairingMode::RareClass => {
                let classes = config.content.classes.as_ref();
                classes::count(contents.source.as_ref(), &contents.entries, classes).await?
            }
            PairingMode::EveryStyle | PairingMode::Ordered | PairingMode::Uniform => Vec::new(),
        };
        Ok(plan::pair(
            &config.pairing,
            contents.entries.len(),
            num_styles,
            config.method.seed(),
            &class_pixels,
        ))
    }
}

impl Dataset {
    /// Returns the same dataset with some of its images, of which nothing is left out.
    fn with(&self, entries: Vec<DatasetEntry>) -> Self {
        Self {
            source: self.source.clone(),
            shown: self.shown.clone(),
            entries,
            left_out: Vec::new(),
        }
    }
}

fn positions(entries: &[DatasetEntry], names: &[String]) -> BTreeSet<usize> {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let entries = entries.iter().enumerate();
    let named = entries.filter(|(_, entry)| names.contains(entry.name()));
    named.map(|(position, _)| position).collect()
}

fn taken(entries: &[DatasetEntry], positions: &BTreeSet<usize>) -> Vec<DatasetEntry> {
    let taken = positions.iter().map(|&position| entries[position].clone());
    taken.collect()
}

/// The listings of several settings that name the same datasets: each dataset is listed once for what labels are wanted.
#[derive(Debug, Default)]
pub struct Listings {
    known: Vec<(Labels, Listing)>,
}

impl Listings {
    /// Returns the listing of settings, whose labels are decided.
    ///
    /// # Errors
    ///
    /// [`InventoryError`] naming the folder, file or setting.
    pub async fn of(&mut self, config: &RunConfig) -> Result<&Listing, InventoryError> {
        let wanted = style_labels(config);
        let known = self.known.iter().position(|(labels, _)| *labels == wanted);
        let place = match known {
            Some(place) => place,
            None => {
                let listing = match self.known.first() {
                    Some((_, other)) => other.with_styles_of(config).await?,
                    None => {
                        let mut listing = Listing::find(config).await?;
                        listing.decide_labels(config).await?;
                        listing
                    }
                };
                self.known.push((wanted, listing));
                self.known.len() - 1
            }
        };
        Ok(&self.known[place].1)
    }
}

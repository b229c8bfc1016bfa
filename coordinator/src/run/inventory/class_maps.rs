//! What maps the classes of styles without labels, and the contents that show it what classes look like.

use shared::dataset::classes::{CLASSES, NUM_CLASSES};
use shared::dataset::entry::DatasetEntry;
use shared::model::OpenError;
use shared::network::{NetworkContract, PatchShapes};
use shared::run_record::{FrozenClassMaps, FrozenModel};
use shared::settings::{ClassMapSource, RunConfig};

use super::{Dataset, InventoryError, Listing, classes};

/// What is planned of class maps; nothing of a run whose styles need none.
#[derive(Debug, Default)]
pub(super) struct ClassMaps {
    pub(super) frozen: Option<FrozenClassMaps>,
    /// Positions of the contents that show what classes look like.
    pub(super) prototypes: Vec<usize>,
    /// What people should know.
    pub(super) notes: Vec<String>,
}

impl ClassMaps {
    /// Plans the class maps of those styles that have no label, for a method that needs some.
    ///
    /// # Errors
    ///
    /// [`InventoryError`] if the network cannot be used, or there are not the contents that it is to learn from.
    pub(super) async fn plan(
        config: &RunConfig,
        model: &FrozenModel,
        listing: &Listing,
    ) -> Result<Self, InventoryError> {
        let (contents, styles) = (&listing.contents, &listing.styles.entries);
        let class_maps = &config.style.class_maps;
        let Some((by, at)) = class_maps.named() else {
            return Ok(Self::default());
        };
        let num_unlabelled = styles.iter().filter(|style| style.label.is_none()).count();
        if num_unlabelled == 0 || !config.method.uses_labels() {
            return Ok(Self::default());
        }
        let contract = NetworkContract::open(at, by.contract()).await?;
        let frozen = Some(FrozenClassMaps {
            by,
            sha256: contract.sha256.clone(),
        });
        match by {
            ClassMapSource::Segmenter => Ok(Self {
                frozen,
                ..Self::default()
            }),
            ClassMapSource::Prior => {
                let shapes = PatchShapes::of(&contract).map_err(OpenError::from)?;
                let of_model = (model.width, model.height);
                let checked = shapes.check(&contract, of_model);
                checked.map_err(OpenError::from)?;
                let prototypes = match &listing.chosen {
                    Some(chosen) => chosen.prototypes.clone(),
                    None => class_maps.prototypes(contents.entries.len())?,
                };
                Ok(Self {
                    notes: look(config, contents, &prototypes).await?,
                    prototypes,
                    frozen,
                })
            }
        }
    }
}

/// Looks at the labels of prototypes: each must show a class. Returns which classes none of them shows.
async fn look(
    config: &RunConfig,
    contents: &Dataset,
    prototypes: &[usize],
) -> Result<Vec<String>, InventoryError> {
    let entries = prototypes.iter().map(|&at| contents.entries[at].clone());
    let entries: Vec<DatasetEntry> = entries.collect();
    let table = config.content.classes.as_ref();
    let counts = classes::count(contents.source.as_ref(), &entries, table).await?;
    let mut shown = [false; NUM_CLASSES];
    for (entry, pixels) in entries.iter().zip(&counts) {
        if pixels.iter().all(|&pixels| pixels == 0) {
            let label = entry.label.as_ref().map(|label| &label.file.path);
            let path = label.unwrap_or(&entry.image.path);
            return Err(InventoryError::Prototype(contents.source.locate(path)));
        }
        for (shown, &pixels) in shown.iter_mut().zip(pixels) {
            *shown |= pixels > 0;
        }
    }
    Ok(unshown(&shown).into_iter().collect())
}

/// Returns which classes no prototype shows, if there are some.
fn unshown(shown: &[bool; NUM_CLASSES]) -> Option<String> {
    let names = CLASSES.iter().zip(shown).filter(|(_, shown)| !**shown);
    let names: Vec<&str> = names.map(|(class, _)| class.name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "style: no prototype content shows {}: a class map of a style without a label never tells them",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_no_prototype_shows_are_told() {
        let mut shown = [true; NUM_CLASSES];
        assert_eq!(unshown(&shown), None);
        (shown[12], shown[16]) = (false, false);
        let told = unshown(&shown).unwrap();
        assert!(told.contains("shows rider, train: "), "{told}");
    }
}

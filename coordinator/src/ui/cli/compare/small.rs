//! The small runs of a comparison: each of their settings is checked, and all are planned before any is made.

use std::collections::BTreeSet;

use shared::dataset::entry::DatasetEntry;
use shared::digest;
use shared::failure::chain;
use shared::ids::RunId;
use shared::location::{BucketPrefix, Location};
use shared::model::ModelContract;
use shared::network::{NetworkContract, TRANSLATOR_FILE, TranslatorShapes};
use shared::settings::{
    Limits, Machine, Method, MethodKind, Pairing, PairingMode, RunConfig, Setting, SettingsError,
    SettingsText, ShardSize, Variation, VariedKey,
};
use shared::spread;
use shared::storage::Storage;
use shared::wording::counted;

use super::CompareArgs;
use crate::output::comparison::{Combination, Comparison};
use crate::run::freeze::{self, FreezeError};
use crate::run::inventory::{ChosenNames, Inventory, Listings};
use crate::run::stored_items::StoredItems;
use crate::ui::cli::compute::Images;
use crate::ui::cli::{CliError, setup};

/// The folder of comparisons below a storage root: small runs are not among those that are made to be kept.
const FOLDER: &str = "compare";
/// Contents of a small run, unless another number is given.
pub(super) const CONTENTS: usize = 4;
/// Its styles.
pub(super) const STYLES: usize = 2;
/// Digits of a plan's digest in the name of a small run.
const DIGITS: usize = 12;

/// Returns the storage root of comparisons.
pub(super) fn root_of(root: &Location) -> Location {
    match root {
        Location::Folder(folder) => Location::Folder(folder.join(FOLDER)),
        Location::Bucket(at) => Location::Bucket(BucketPrefix {
            bucket: at.bucket.clone(),
            prefix: format!("{}{FOLDER}/", at.prefix),
        }),
    }
}

/// A small run that is to be compared.
pub(super) struct SmallRun {
    pub(super) config: RunConfig,
    pub(super) inventory: Inventory,
}

impl SmallRun {
    /// Returns the images that are not stored yet.
    pub(super) async fn missing(&self, storage: &dyn Storage) -> Result<Images, CliError> {
        let all = Images::of(&self.inventory);
        let run = match freeze::open(storage, &self.config.run).await {
            Ok(run) => run,
            Err(FreezeError::Missing { .. }) => return Ok(all),
            Err(error) => return Err(setup::freeze_error(error)),
        };
        let stored = StoredItems::read(storage, &run).await;
        let stored = stored.map_err(CliError::environment)?;
        Ok(Images {
            num: all.num.saturating_sub(stored.num_images),
            ..all
        })
    }
}

/// The settings of a combination, checked.
struct Checked {
    settings: Vec<Setting>,
    /// What it needs beside them.
    variation: Variation,
    config: RunConfig,
}

/// All small runs, and the comparison that is made of them.
pub(super) struct Planned {
    pub(super) comparison: Comparison,
    /// In the order of the comparison.
    pub(super) runs: Vec<SmallRun>,
    /// What a person is told before anything is made.
    pub(super) notes: Vec<String>,
}

impl Planned {
    /// Checks and plans a small run for each combination. Those that are the same, as a key makes no difference to their
    /// method, are one.
    ///
    /// # Errors
    ///
    /// What is wrong with the first that cannot be.
    pub(super) async fn of(
        settings: &SettingsText,
        combinations: Vec<Vec<Setting>>,
        args: &CompareArgs,
        listings: &mut Listings,
    ) -> Result<Self, CliError> {
        let num_asked = combinations.len();
        let checked = check(settings, combinations).await?;
        if let Some(first) = checked.first() {
            let fits = first.config.engine.fits(&Machine::this());
            fits.map_err(CliError::usage)?;
        }
        let (run, _) = settings.run().map_err(CliError::usage)?;
        let (names, mut notes) = choose(listings, &checked, args).await?;
        let mut comparison = Comparison::new(run, settings.sha256());
        comparison.contents.clone_from(&names.contents);
        comparison.styles.clone_from(&names.styles);
        let mut planned = Self {
            comparison,
            runs: Vec::new(),
            notes: Vec::new(),
        };
        for checked in checked {
            planned.add(listings, checked, &names).await?;
        }
        let num_runs = planned.runs.len();
        if num_runs < num_asked {
            let made = counted(num_runs, "is made", "are made");
            notes.push(format!(
                "of {num_asked} combinations {made}: what a method does not read makes no difference to it"
            ));
        }
        // What is left out of a small run, such as classes that no prototype shows, is of its own settings.
        add_new(&mut notes, planned.notes.iter().map(String::as_str));
        planned.notes = notes;
        Ok(planned)
    }

    async fn add(
        &mut self,
        listings: &mut Listings,
        checked: Checked,
        names: &ChosenNames,
    ) -> Result<(), CliError> {
        let Checked {
            settings,
            variation,
            config,
        } = checked;
        let label = label(&settings);
        let refused = |error| about(&label, setup::inventory_error(error));
        let listing = listings.of(&config).await.map_err(refused)?;
        let whole = listing.workload(&config);
        let small = small(config);
        let some = listing.some(&small, names).map_err(refused)?;
        let inventory = Inventory::of(&small, some).await.map_err(refused)?;
        add_new(
            &mut self.notes,
            inventory.left_out.iter().map(String::as_str),
        );
        let run = run_of(&small, &inventory);
        let runs = &mut self.comparison.combinations;
        if runs.iter().any(|known| known.run == run) {
            return Ok(());
        }
        let needs = variation.settings.into_iter();
        runs.push(Combination {
            run: run.clone(),
            needs: needs.filter(|need| !settings.contains(need)).collect(),
            settings,
            without_model: variation.without_model,
            whole,
        });
        self.runs.push(SmallRun {
            config: RunConfig { run, ..small },
            inventory,
        });
        Ok(())
    }
}

/// Returns the name of a small run: of its method, and of all that decides what it makes. So the same run is found again,
/// whichever comparison asks for it.
fn run_of(config: &RunConfig, inventory: &Inventory) -> RunId {
    let sha256 = digest::sha256_of_json(&inventory.frozen);
    let name = format!("{}-{}", config.method.method(), &sha256[..DIGITS]);
    name.parse()
        .expect("a method and some digits can name a run")
}

/// Returns the settings of a run of some items, each content in a shard of its own, so that it is shown once it is made.
/// However many of its items fail, the others are made.
fn small(config: RunConfig) -> RunConfig {
    RunConfig {
        root: root_of(&config.root),
        pairing: Pairing {
            mode: PairingMode::EveryStyle,
            contents_per_style: None,
        },
        shards: ShardSize {
            contents: 1,
            ..config.shards
        },
        limits: Limits {
            max_failed: 1.0,
            ..config.limits
        },
        broker: None,
        ..config
    }
}

/// Checks the settings of every combination, each once.
async fn check(
    settings: &SettingsText,
    combinations: Vec<Vec<Setting>>,
) -> Result<Vec<Checked>, CliError> {
    let mut checked: Vec<Checked> = Vec::new();
    let mut size = None;
    for combination in combinations {
        let label = label(&combination);
        let refused = |error: SettingsError| CliError::Usage(format!("{label}: {}", chain(&error)));
        let method = settings.method(&combination).map_err(refused)?;
        let read = combination.into_iter();
        let read: Vec<Setting> = read.filter(|it| it.key.is_read_by(method)).collect();
        let variation = match method.kind() {
            MethodKind::Diffusion(_) | MethodKind::Translator(_) => Variation {
                settings: read.clone(),
                without_model: false,
            },
            MethodKind::Baseline(_) => {
                let size = match size {
                    Some(size) => size,
                    None => *size.insert(size_of_model(settings).await?),
                };
                as_large(settings, &read, size)
            }
        };
        if checked.iter().any(|known| known.settings == read) {
            continue;
        }
        let config = settings.config(&variation).map_err(refused)?;
        checked.push(Checked {
            settings: read,
            variation,
            config,
        });
    }
    Ok(checked)
}

/// Returns the variation of a method without a model: it does without that of the settings, and its outputs are as large as
/// those of the model, unless something else is said.
fn as_large(settings: &SettingsText, read: &[Setting], size: Option<(usize, usize)>) -> Variation {
    let mut variation = Variation {
        settings: read.to_vec(),
        without_model: settings.has(VariedKey::ModelPath),
    };
    let Some((width, height)) = size else {
        return variation;
    };
    for (key, pixels) in [(VariedKey::Width, width), (VariedKey::Height, height)] {
        let is_said = settings.has(key) || read.iter().any(|setting| setting.key == key);
        if !is_said {
            variation.settings.push(Setting::of_pixels(key, pixels));
        }
    }
    variation
}

/// Returns the size of the images of the model that settings name; none if they name none.
async fn size_of_model(settings: &SettingsText) -> Result<Option<(usize, usize)>, CliError> {
    let Some(at) = settings.model().map_err(CliError::usage)? else {
        return Ok(None);
    };
    let is_translator = settings.method(&[]).map_err(CliError::usage)? == Method::Translator;
    let size = if is_translator {
        let contract = NetworkContract::open(&at, TRANSLATOR_FILE).await;
        let shapes = contract.and_then(|contract| Ok(TranslatorShapes::of(&contract)?));
        shapes.map_err(CliError::environment)?.size()
    } else {
        let contract = ModelContract::open(&at).await;
        contract.map_err(CliError::environment)?.image_size()
    };
    Ok(Some((size.width, size.height)))
}

/// Chooses contents and styles that every combination can be made of, spread evenly.
/// Returns them with what a person should know.
async fn choose(
    listings: &mut Listings,
    checked: &[Checked],
    args: &CompareArgs,
) -> Result<(ChosenNames, Vec<String>), CliError> {
    let mut notes = Vec::new();
    let mut contents: Vec<String> = Vec::new();
    let mut styles: Option<BTreeSet<String>> = None;
    for checked in checked {
        let listing = listings.of(&checked.config).await;
        let refused = |error| about(&label(&checked.settings), setup::inventory_error(error));
        let listing = listing.map_err(refused)?;
        let found: BTreeSet<String> = names(listing.styles()).collect();
        styles = Some(match styles {
            Some(styles) => styles.intersection(&found).cloned().collect(),
            None => {
                contents = names(listing.contents()).collect();
                found
            }
        });
        // Methods leave out different styles: each line is told once, whichever combination it is of.
        add_new(&mut notes, listing.left_out());
    }
    let styles: Vec<String> = styles.unwrap_or_default().into_iter().collect();
    if styles.is_empty() {
        return Err(CliError::Usage(
            "no style can be used by every combination: some need its label, style.prior or style.segmenter".to_owned(),
        ));
    }
    notes.extend(shortage(
        args.contents,
        contents.len(),
        ["content", "contents"],
    ));
    notes.extend(shortage(args.styles, styles.len(), ["style", "styles"]));
    let names = ChosenNames {
        contents: chosen(&contents, args.contents.unwrap_or(CONTENTS)),
        styles: chosen(&styles, args.styles.unwrap_or(STYLES)),
    };
    Ok((names, notes))
}

/// Returns what to say where fewer are there than were asked for; nothing if no number was given.
fn shortage(asked: Option<usize>, there: usize, what: [&str; 2]) -> Option<String> {
    let asked = asked.filter(|&asked| there < asked)?;
    let there = counted(there, what[0], what[1]);
    Some(format!(
        "--{} {asked}: there are no more than {there}",
        what[1]
    ))
}

/// Adds the lines that are not there yet.
fn add_new<'a>(notes: &mut Vec<String>, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        if !notes.iter().any(|known| known == line) {
            notes.push(line.to_owned());
        }
    }
}

fn names(entries: &[DatasetEntry]) -> impl Iterator<Item = String> {
    entries.iter().map(|entry| entry.name().to_owned())
}

fn chosen(all: &[String], wanted: usize) -> Vec<String> {
    let places = spread::positions(all.len(), wanted);
    places.map(|at| all[at].clone()).collect()
}

/// Returns a combination as the arguments that make it.
fn label(settings: &[Setting]) -> String {
    let settings: Vec<String> = settings.iter().map(Setting::to_string).collect();
    match settings.is_empty() {
        true => "--vary".to_owned(),
        false => format!("--vary {}", settings.join(" ")),
    }
}

/// Returns an error of a combination.
fn about(label: &str, error: CliError) -> CliError {
    match error {
        CliError::Usage(reason) => CliError::Usage(format!("{label}: {reason}")),
        CliError::Environment(reason) => CliError::Environment(format!("{label}: {reason}")),
        error @ CliError::Printing(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_inputs_than_are_asked_for_are_told_and_fewer_than_the_default_are_not() {
        let words = ["style", "styles"];
        assert_eq!(shortage(None, STYLES - 1, words), None);
        assert_eq!(shortage(Some(3), 3, words), None);
        let told = shortage(Some(2), 1, words);
        let expected = "--styles 2: there are no more than 1 style";
        assert_eq!(told.as_deref(), Some(expected));
    }

    #[test]
    fn comparisons_have_a_storage_root_of_their_own() {
        let folder = root_of(&Location::Folder("/runs".into()));
        assert_eq!(folder, Location::Folder("/runs/compare".into()));
        let bucket: Location = "s3://bucket/prefix".parse().unwrap();
        assert_eq!(root_of(&bucket).to_string(), "s3://bucket/prefix/compare");
        let whole: Location = "s3://bucket".parse().unwrap();
        assert_eq!(root_of(&whole).to_string(), "s3://bucket/compare");
    }
}

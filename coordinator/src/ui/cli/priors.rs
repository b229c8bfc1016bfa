//! `synth2real priors`: the class maps of styles without labels, to be looked at and corrected before a run begins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use clap::Args;
use engine::EngineError;
use imaging::resize::Size;
use imaging::{
    ClassShares, NamedBytes, as_labelled, class_map_of_whole, encode_png, encode_train_ids, overlay,
};
use ndarray::Array2;
use shared::clock::{Clock, SystemClock};
use shared::console;
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::failure::chain;
use shared::location::Location;
use shared::model::ImageSize;
use shared::read_file::{self, max_bytes};
use shared::run_record::RunRecord;
use shared::settings::{RunConfig, defaults};
use shared::wording::counted;
use worker::attempt::{AttemptError, ClassMapper, Datasets, InputKind, Inputs, Unusable};
use worker::run_context::{class_maps, datasets};

use super::{CliError, ConfigArgs, Outcome, attempt_error, files, path, setup};
use crate::output::contact_sheet::size_of;
use crate::run::inventory::Inventory;
use crate::run::plan::Plan;
use crate::ui::progress::CountProgress;

#[derive(Debug, Args)]
pub(super) struct PriorsArgs {
    #[command(flatten)]
    settings: ConfigArgs,
    /// The folder to write; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "priors", value_parser = path())]
    out: PathBuf,
}

pub(super) async fn main(args: PriorsArgs) -> Result<Outcome, CliError> {
    let config = RunConfig::load_to_compute(&args.settings.config).map_err(CliError::usage)?;
    check_folder(&config, &args.out)?;
    let inventory = setup::inventory(&config).await?;
    setup::warn(&config, &inventory)?;
    let Some(maker) = Maker::open(&config, &inventory).await? else {
        console::tell(
            "no class map is made: every style that is used has a label, or the method uses none",
        );
        return Ok(Outcome::Done);
    };
    let folders = Folders::make(&args.out)?;
    maker.learn(&inventory.plan).await?;
    let styles = inventory.plan.styles.iter();
    let mut unlabelled: Vec<&DatasetEntry> = styles.filter(|style| style.label.is_none()).collect();
    // A map that may not be written over is found before others are written.
    unlabelled.sort_by_cached_key(|style| !folders.map_of(style).exists());
    let mut num_unusable = 0;
    for style in &unlabelled {
        match maker.show(style, &folders).await? {
            Ok(()) => {}
            Err(reason) => {
                num_unusable += 1;
                tracing::warn!("{}: {reason}", style.name());
            }
        }
    }
    console::tell(format_args!(
        "{} in {}: what is wrong in maps/ can be corrected and put beside its photograph as a label",
        counted(unlabelled.len() - num_unusable, "class map", "class maps"),
        args.out.display()
    ));
    Ok(if num_unusable == 0 {
        Outcome::Done
    } else {
        Outcome::WithFailures
    })
}

/// Proves that nothing is written among what is read.
fn check_folder(config: &RunConfig, out: &Path) -> Result<(), CliError> {
    let out = shared::paths::real(out);
    for (setting, root) in [
        ("content.root", &config.content.root),
        ("style.root", &config.style.root),
    ] {
        if let Location::Folder(folder) = root
            && out.starts_with(shared::paths::real(folder))
        {
            return Err(CliError::Usage(format!(
                "--out {}: it is among what {setting} reads; name another folder",
                out.display()
            )));
        }
    }
    Ok(())
}

/// Where maps and overlays are written.
struct Folders {
    maps: PathBuf,
    overlays: PathBuf,
}

impl Folders {
    fn make(out: &Path) -> Result<Self, CliError> {
        let folder = |name: &str| {
            let folder = out.join(name);
            let made = fs::create_dir_all(&folder);
            made.map_err(|error| {
                CliError::Environment(format!("cannot make {}: {error}", folder.display()))
            })?;
            Ok::<PathBuf, CliError>(folder)
        };
        Ok(Self {
            maps: folder("maps")?,
            overlays: folder("overlays")?,
        })
    }

    /// Returns where the map of a style is written.
    fn map_of(&self, style: &DatasetEntry) -> PathBuf {
        self.maps.join(format!("{}.png", style.name()))
    }
}

/// What class maps are made with.
struct Maker {
    record: RunRecord,
    datasets: Datasets,
    mapper: Arc<dyn ClassMapper>,
}

impl Maker {
    /// Loads what a worker of the run would map classes with; nothing if no style needs that.
    async fn open(config: &RunConfig, inventory: &Inventory) -> Result<Option<Self>, CliError> {
        let record = RunRecord::new(config, inventory.frozen.clone(), SystemClock.now());
        let size = size_of(&record.frozen.model);
        let mapper = class_maps::load(&record, size, &config.engine).await;
        let Some(mapper) = mapper.map_err(CliError::environment)? else {
            return Ok(None);
        };
        let cache = (config.engine.cache_dir.as_path(), defaults::CACHE_MAX_BYTES);
        let datasets = datasets(&record, &ChangedInputs::default(), cache).await;
        Ok(Some(Self {
            datasets: datasets.map_err(CliError::environment)?,
            record,
            mapper,
        }))
    }

    /// Learns from all prototypes what classes look like.
    async fn learn(&self, plan: &Plan) -> Result<(), CliError> {
        let progress = CountProgress::new(plan.prototypes.len(), "prototypes");
        let size = size_of(&self.record.frozen.model);
        for (place, &prototype) in plan.prototypes.iter().enumerate() {
            let content = &plan.contents[prototype];
            let load = async |size: ImageSize| {
                let loaded = self.datasets.load(InputKind::Content, content, size).await;
                loaded.map_err(|why| match why {
                    Unusable::Quarantine(why) => CliError::Usage(format!(
                        "content {}, which is to show what classes look like: {}",
                        content.name(),
                        why.reason
                    )),
                    Unusable::Away(reason) => CliError::Environment(reason),
                })
            };
            let labels = load(size).await?.prepared.label;
            let image = load(self.mapper.image_size()).await?.prepared.image;
            let learnt = self.mapper.learn(image, labels).await;
            learnt.map_err(attempt_error)?;
            progress.reached(place + 1);
        }
        progress.finish();
        Ok(())
    }

    /// Makes the map of a style, tells its shares and writes what is to be looked at; returns why it has none.
    async fn show(
        &self,
        style: &DatasetEntry,
        folders: &Folders,
    ) -> Result<Result<(), String>, CliError> {
        let mut loaded = Vec::new();
        let of_model = size_of(&self.record.frozen.model);
        for size in [self.mapper.image_size(), of_model] {
            match self.datasets.load(InputKind::Style, style, size).await {
                Ok(input) => loaded.push(input.prepared.image),
                Err(Unusable::Quarantine(why)) => return Ok(Err(why.reason)),
                Err(Unusable::Away(reason)) => return Err(CliError::Environment(reason)),
            }
        }
        let [given, shown] = <[_; 2]>::try_from(loaded).expect("an image of each size");
        let map = match judged(self.mapper.map(given).await)? {
            Ok(map) => map,
            Err(reason) => return Ok(Err(reason)),
        };
        let whole = self.of_whole(style, &map).await?;
        let whole = encode_train_ids(whole.view()).map_err(CliError::environment)?;
        let place_of_map = folders.map_of(style);
        check_map(&place_of_map, &whole)?;
        let shares = ClassShares::of(map.view());
        console::print(format_args!("{}: {shares}", style.name()))?;
        let place = self.datasets.style.locate(&style.image.path);
        if let Some(warning) = shares.warning(&place) {
            tracing::warn!("{warning}");
        }
        let over = overlay(shown.view(), map.view());
        let over = encode_png(over.view()).map_err(CliError::environment)?;
        let name = format!("{}.png", style.name());
        files::write(&folders.overlays.join(&name), &over)?;
        files::write(&place_of_map, &whole)?;
        Ok(Ok(()))
    }

    /// Returns a map at the size of its whole photograph, as labels have it.
    async fn of_whole(
        &self,
        style: &DatasetEntry,
        map: &Array2<u8>,
    ) -> Result<Array2<u8>, CliError> {
        let source = &self.datasets.style;
        let bytes = source.read(&style.image.path).await;
        let bytes = bytes.map_err(CliError::environment)?;
        let name = source.locate(&style.image.path);
        let file = NamedBytes {
            name: &name,
            bytes: &bytes,
        };
        let pixels = as_labelled(file, None).map_err(CliError::environment)?;
        let (height, width, _) = pixels.dim();
        Ok(class_map_of_whole(map.view(), Size { width, height }))
    }
}

/// Returns the map of a photograph; why it has none if the network gives no numbers for it, as a run quarantines its style.
fn judged(map: Result<Array2<u8>, AttemptError>) -> Result<Result<Array2<u8>, String>, CliError> {
    match map {
        Ok(map) => Ok(Ok(map)),
        Err(AttemptError::Engine(error @ EngineError::NotJudged { .. })) => Ok(Err(chain(&error))),
        Err(error) => Err(attempt_error(error)),
    }
}

/// Refuses to write over another map: a person may have corrected it.
fn check_map(path: &Path, map: &[u8]) -> Result<(), CliError> {
    match read_file::read(path, max_bytes::DATA) {
        Ok(there) if there == map => Ok(()),
        Ok(_) => Err(CliError::Usage(format!(
            "{} is there and is another map: move it beside its photograph as a label, or name another --out",
            path.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CliError::Environment(format!(
            "cannot read {}, over which a map would be written: {error}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_that_a_network_gives_no_numbers_for_has_no_map_and_ends_nothing() {
        let map = Array2::from_elem((2, 3), 7);
        let made = judged(Ok(map.clone())).unwrap();
        assert_eq!(made, Ok(map));
        let not_judged = EngineError::NotJudged {
            network: "patches".to_owned(),
            path: "networks/prior.json".into(),
        };
        let told = judged(Err(not_judged.into())).unwrap().unwrap_err();
        assert!(told.contains("networks/prior.json"), "{told}");
        let failed = judged(Err(AttemptError::ToldToStop)).unwrap_err();
        assert!(matches!(failed, CliError::Environment(_)), "{failed}");
    }
}

//! `synth2real reference-stats`: statistics of real photographs, for FID and KID to compare with.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::feature_extractor::FeatureExtractor;
use shared::console;
use shared::dataset::LeftOut;
use shared::dataset::selection::{Selection, SelectionFields};
use shared::location::{Location, LocationError};
use shared::network::FEATURES_FILE;
use shared::settings::EngineConfig;
use shared::source;
use shared::storage::scratch;
use shared::wording::{MOST_NAMES, Thousands, counted, first_of};

use super::files::Named;
use super::{CliError, Outcome, files, path};
use crate::output::quality::photographs::{self, Photographs};
use crate::output::quality::reference;
use crate::ui::progress::CountProgress;

#[derive(Debug, Args)]
pub(super) struct ReferenceStatsArgs {
    /// The photographs: a folder or s3://bucket/prefix, searched at any depth; labels, depths and ACDC's reference
    /// pictures are left out, as far as published datasets name them
    #[arg(long, value_name = "DIR", value_parser = location)]
    images: Location,
    /// Only pictures that this matches, with a / the path below DIR (`rgb_anon/night/**`), without the name; may be
    /// given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No pictures that this matches; may be given several times
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// The feature network, exported by `python -m onnx_export.features`
    #[arg(long, value_name = "DIR", value_parser = location)]
    model: Location,
    /// The file to write; pytorch-fid reads it too
    #[arg(long, value_name = "FILE.npz", value_parser = path())]
    out: PathBuf,
}

/// Reads a folder or bucket of the command line, in which `~` and `${NAME}` are expanded as in settings files.
fn location(text: &str) -> Result<Location, LocationError> {
    Location::given(text, Path::new(""))
}

pub(super) async fn main(args: ReferenceStatsArgs) -> Result<Outcome, CliError> {
    check_files(&args)?;
    let selection = Selection::of_globs(SelectionFields::OPTIONS, &args.include, &args.exclude);
    let selection = selection.map_err(CliError::usage)?;
    let config = EngineConfig::default();
    let model = source::open(&args.model)
        .await
        .map_err(CliError::environment)?;
    let cache = &config.cache_dir;
    scratch::check(cache).map_err(CliError::environment)?;
    let model = source::local_folder(&args.model, model.as_ref(), FEATURES_FILE, cache).await;
    let model = model.map_err(CliError::environment)?;
    let extractor = FeatureExtractor::load(&model, &config, None).map_err(CliError::environment)?;
    let sha256 = extractor.contract.sha256.clone();
    let name = extractor.contract.network.name.clone();

    let images = source::open(&args.images)
        .await
        .map_err(CliError::environment)?;
    let listed = photographs::list(images.as_ref(), &selection)
        .await
        .map_err(CliError::environment)?;
    let files = listed.paths;
    if files.len() < 2 {
        return Err(CliError::Usage(too_few(
            &args.images,
            files.len(),
            &selection,
            &listed.left_out,
        )));
    }
    for line in &listed.left_out {
        console::tell(line);
    }
    let progress = CountProgress::new(files.len(), "images");
    let mut found = Photographs::new(extractor);
    for part in files.chunks(photographs::AT_ONCE) {
        found
            .add(images.as_ref(), part)
            .await
            .map_err(CliError::environment)?;
        progress.reached(found.seen());
    }
    progress.finish();
    for unusable in found.unusable.iter().take(MOST_NAMES) {
        console::tell(format_args!("left out: {unusable}"));
    }
    if let Some(more @ 1..) = found.unusable.len().checked_sub(MOST_NAMES) {
        console::tell(format_args!("left out: {} more", Thousands(more)));
    }
    let Some(statistics) = found.sums.statistics() else {
        return Err(CliError::Environment(format!(
            "fewer than two images of {} can be used",
            args.images
        )));
    };
    let file = reference::write(
        &statistics,
        found.sums.count(),
        Some(&found.sample),
        &sha256,
    );
    let file = file.map_err(CliError::environment)?;
    files::write(&args.out, &file)?;
    console::tell(format_args!(
        "{}: {} features of {name} from {} images",
        args.out.display(),
        statistics.num_features(),
        found.sums.count()
    ));
    Ok(if found.unusable.is_empty() {
        Outcome::Done
    } else {
        Outcome::WithFailures
    })
}

/// Proves that the statistics can be written, and over nothing that is read. Statistics among the photographs are no
/// photograph.
fn check_files(args: &ReferenceStatsArgs) -> Result<(), CliError> {
    let is_statistics = files::has_ending(&args.out, "npz");
    let folders = [
        ("--model", Some(&args.model)),
        ("--images", Some(&args.images).filter(|_| !is_statistics)),
    ];
    let inputs = folders.into_iter();
    let inputs: Vec<Named<'_>> = inputs
        .filter_map(|(option, location)| match location? {
            Location::Folder(folder) => Some((option, folder.as_path())),
            Location::Bucket(_) => None,
        })
        .collect();
    files::check(&[("--out", &args.out)], &inputs)?;
    files::check_ending(("--out", &args.out), "an NPZ file", &["npz"])
}

/// Says what a folder of too few photographs holds in their place.
fn too_few(images: &Location, count: usize, selection: &Selection, left_out: &[LeftOut]) -> String {
    let photographs = counted(count, "photograph", "photographs");
    let selection = match selection.to_string() {
        text if text.is_empty() => text,
        text => format!(" with {text}"),
    };
    let left_out = match left_out {
        [] => String::new(),
        left_out => format!("; {}", first_of(left_out, "; ")),
    };
    format!(
        "--images {images} holds {photographs}{selection}, and statistics need at least two{left_out}"
    )
}

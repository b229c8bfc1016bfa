//! `synth2real reference-stats`: statistics of real photographs, for FID and KID to compare with.

use std::path::PathBuf;

use clap::Args;
use shared::location::Location;
use shared::settings::EngineConfig;
use shared::source;
use shared::storage::scratch;
use worker::engine::extractor::Extractor;
use worker::engine::network::FEATURES_FILE;

use super::{Ending, Problem, files, location, path};
use crate::progress::CountProgress;
use crate::quality::photographs::{self, Photographs};
use crate::quality::reference;

#[derive(Debug, Args)]
pub(super) struct ReferenceStatsArgs {
    /// The photographs: a folder or s3://bucket/prefix, searched at any depth for PNG and JPEG files; label maps, by
    /// their names or in a folder `labels`, `gtFine` or `gt`, are left out
    #[arg(long, value_name = "DIR", value_parser = location)]
    images: Location,
    /// The feature network, exported by `python -m onnx_export.features`
    #[arg(long, value_name = "DIR", value_parser = location)]
    model: Location,
    /// The file to write; pytorch-fid reads it too
    #[arg(long, value_name = "FILE.npz", value_parser = path())]
    out: PathBuf,
}

#[expect(clippy::print_stdout, reason = "this is the command line")]
pub(super) async fn main(args: ReferenceStatsArgs) -> Result<Ending, Problem> {
    files::check("--out", &args.out)?;
    let config = EngineConfig::default();
    let model = source::open(&args.model)
        .await
        .map_err(Problem::environment)?;
    let cache = &config.cache_dir;
    scratch::check(cache).map_err(Problem::environment)?;
    let model = source::local_folder(&args.model, model.as_ref(), FEATURES_FILE, cache).await;
    let model = model.map_err(Problem::environment)?;
    let extractor = Extractor::load(&model, &config, None).map_err(Problem::environment)?;
    let sha256 = extractor.contract.sha256.clone();
    let name = extractor.contract.network.name.clone();

    let images = source::open(&args.images)
        .await
        .map_err(Problem::environment)?;
    let files = photographs::list(images.as_ref())
        .await
        .map_err(Problem::environment)?;
    if files.len() < 2 {
        return Err(Problem::Usage(format!(
            "--images {} holds {} PNG or JPEG files, and statistics need at least two",
            args.images,
            files.len()
        )));
    }
    let progress = CountProgress::new(files.len(), "images");
    let mut found = Photographs::new(extractor);
    for part in files.chunks(photographs::AT_ONCE) {
        found
            .add(images.as_ref(), part)
            .await
            .map_err(Problem::environment)?;
        progress.reached(found.seen());
    }
    progress.finish();
    for unusable in &found.unusable {
        println!("left out: {unusable}");
    }
    let Some(statistics) = found.sums.statistics() else {
        return Err(Problem::Environment(format!(
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
    let file = file.map_err(Problem::environment)?;
    files::write(&args.out, &file)?;
    println!(
        "{}: {} features of {name} from {} images",
        args.out.display(),
        statistics.num_features(),
        found.sums.count()
    );
    Ok(if found.unusable.is_empty() {
        Ending::Done
    } else {
        Ending::WithFailures
    })
}

//! `synth2real serve`: the look-out over all runs of a storage root.

use std::time::Duration;

use clap::Args;
use shared::metrics::Exporter;
use shared::shutdown;

use super::exit::INTERRUPTED;
use super::{Ending, Problem, RootArgs, opening};
use crate::collector::Collector;
use crate::metrics;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    root: RootArgs,
    /// Seconds between two looks at storage
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = seconds)]
    every: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        Ok(_) | Err(_) => Err("must be 0.1 to 3600".to_owned()),
    }
}

#[expect(clippy::print_stdout, reason = "this is the command line")]
pub(super) async fn main(args: ServeArgs) -> Result<Ending, Problem> {
    let storage = opening::storage(&args.root).await?;
    storage
        .check_writable()
        .await
        .map_err(Problem::environment)?;
    let queue = match opening::broker_of_environment()? {
        Some(broker) => Some(opening::queue(Some(&broker)).await?),
        None => None,
    };
    let broker = queue.as_ref().map_or_else(
        || "no broker: dead letters are not noted".to_owned(),
        |queue| format!("broker {}", queue.locate()),
    );
    println!(
        "watching the runs of {}, {broker}; Ctrl-C stops",
        args.root.root
    );
    let every = Duration::from_secs_f64(args.every);
    Exporter::install(Some(metrics::forget_after(every)));
    let stop = shutdown::on_signal("stopping", INTERRUPTED);
    let collector = Collector {
        storage,
        queue,
        every,
        stop,
    };
    collector.run().await;
    Ok(Ending::Done)
}

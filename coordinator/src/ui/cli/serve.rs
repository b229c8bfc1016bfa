//! `synth2real serve`: the collector of all runs of a storage root, and the dashboard.

use std::time::Duration;

use clap::Args;
use shared::console;
use shared::shutdown;

use super::dashboard::{self, AccessArgs, CollectorOptions};
use super::{CliError, Outcome, RootArgs, setup};
use crate::work::collector::Mode;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    root: RootArgs,
    /// Where the dashboard listens; port 0 takes a free one
    #[arg(
        long,
        env = "SYNTH2REAL_LISTEN",
        default_value = dashboard::ADDRESS,
        value_name = "ADDRESS:PORT"
    )]
    listen: String,
    #[command(flatten)]
    access: AccessArgs,
    /// Seconds between two looks at storage; down to a fifth of it while workers tell of something new
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = seconds)]
    every: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        Ok(_) | Err(_) => Err("must be 0.1 to 3600".to_owned()),
    }
}

pub(super) async fn main(args: ServeArgs) -> Result<Outcome, CliError> {
    let root = setup::location(&args.root)?;
    let storage = setup::writable_storage(&root).await?;
    let broker = match setup::broker_of_environment()? {
        Some(config) => Some(setup::broker(Some(&config)).await?),
        None => None,
    };
    let place = broker.as_ref().map_or_else(
        || "no broker: dead letters are not noted, workers are not heard".to_owned(),
        |broker| format!("broker {}", broker.work.locate()),
    );
    let listening = dashboard::listen(&args.listen, &args.access).await?;
    console::tell(format_args!(
        "watching the runs of {root}, {place}; Ctrl-C stops"
    ));
    console::tell(format_args!("dashboard: {}", listening.address));
    let options = CollectorOptions {
        storage,
        broker,
        root: root.to_string(),
        mode: Mode::Manage,
        every: Duration::from_secs_f64(args.every),
        stop: shutdown::on_signal("stopping"),
    };
    dashboard::serve(options, listening).await?;
    Ok(Outcome::Done)
}

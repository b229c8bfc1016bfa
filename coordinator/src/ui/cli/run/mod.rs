//! `synth2real run`: plan and convert in this process.
//!
//! - `here`: what is left of a run is made; `outcome`: how it ended
//! - `part`: one of several processes that each make some shards; `background`: its dashboard

pub(super) mod background;
pub(super) mod here;
mod outcome;
mod part;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use shared::console;
use shared::settings::RunConfig;
use tokio_util::sync::CancellationToken;

use self::background::BackgroundDashboard;
use self::here::{Hands, RunHere};
use super::dashboard::{self, AccessArgs, CollectorOptions};
use super::setup::{self, Preparation};
use super::{CliError, ConfigArgs, Outcome, compute};
use crate::run::plan::Part;
use crate::work::collector::Mode;

/// Between two polls of the run in this process for the dashboard.
pub(super) const POLL_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    settings: ConfigArgs,
    /// Make only the shards of part K of N, for a task of many that share the storage root and need no broker, such as
    /// Slurm's; the last one makes manifest and report
    #[arg(long, value_name = "K/N")]
    part: Option<Part>,
    /// Show the run in a browser while it lasts; `synth2real serve` shows it afterwards
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = dashboard::ADDRESS
    )]
    dashboard: Option<String>,
    #[command(flatten)]
    access: AccessArgs,
}

impl RunArgs {
    /// Returns what makes the whole run of a settings file.
    pub(super) fn of(config: PathBuf) -> Self {
        Self {
            settings: ConfigArgs { config },
            part: None,
            dashboard: None,
            access: AccessArgs::default(),
        }
    }
}

pub(super) async fn main(args: RunArgs) -> Result<Outcome, CliError> {
    until(None, args).await
}

/// Makes a run until it has ended or a token is cancelled; signals are heeded if there is none.
pub(super) async fn until(
    stop: Option<CancellationToken>,
    args: RunArgs,
) -> Result<Outcome, CliError> {
    let config = RunConfig::load_to_compute(&args.settings.config).map_err(CliError::usage)?;
    let listening = match &args.dashboard {
        Some(address) => Some(dashboard::listen(address, &args.access).await?),
        None => None,
    };
    let preparation = setup::prepare(&config, setup::warn).await?;
    compute::check(&config, &preparation.inventory)?;
    let existing = match args.part {
        Some(_) => part::existing(&preparation, &config).await?,
        None => preparation.existing(&config).await?,
    };
    if let (Some(part), Some(existing)) = (args.part, &existing)
        && let Some(reason) = part::why_halted(existing)
    {
        return Ok(part::tell_halted(&config, part, Some(reason)));
    }
    let Preparation { inventory, storage } = preparation;
    let hands = Hands::new(&config, storage, stop);
    let here = RunHere {
        config: &config,
        inventory: &inventory,
        existing,
        part: args.part,
    };
    let show = |hands: &Hands| {
        listening.map(|listening| {
            console::tell(format_args!("dashboard: {}", listening.address));
            let options = CollectorOptions {
                storage: Arc::clone(&hands.storage),
                broker: Some(hands.broker.ports()),
                root: config.root.to_string(),
                mode: Mode::Observe,
                every: POLL_EVERY,
                stop: CancellationToken::new(),
            };
            BackgroundDashboard::start(options, listening)
        })
    };
    here.make(hands, show).await
}

//! `synth2real doctor`: what is there of all that a run may need, and what to do about what is not.
//!
//! It needs no run, and leaves nothing behind. Each check returns a [`Finding`], which people read in a table and programs
//! as JSON.
//!
//! - `finding`: what a check found, and how it is shown
//! - `runtime`: ONNX Runtime and the device; `machine`: memory, threads, open files, disks
//! - `stores`: storage roots, credentials, the clock; `broker`; `inputs`: what a settings file names

mod broker;
mod finding;
mod inputs;
mod machine;
mod runtime;
mod stores;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use shared::console;
use shared::json;
use shared::location::Location;
use shared::settings::{
    BROKER_PASSWORD, BROKER_USER, BrokerConfig, EngineConfig, RunConfig, SettingsError,
    resolve_root,
};
use tokio::time::timeout;

use self::finding::{Examination, Finding, State};
use super::{CliError, Outcome, path};

/// Longest wait for what others have to answer.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// A run's settings file: what it names is looked at, too
    #[arg(value_name = "CONFIG", value_parser = path())]
    config: Option<PathBuf>,
    /// A storage root to look at: a folder or s3://bucket/prefix
    #[arg(long, env = "SYNTH2REAL_ROOT", value_name = "ROOT")]
    root: Option<String>,
    /// A broker to look at, else the one of SYNTH2REAL_BROKER_URL, which is the better place for a password
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is to be looked at.
struct Asked {
    config: Option<RunConfig>,
    engine: EngineConfig,
    roots: Vec<Location>,
    broker: Option<BrokerConfig>,
}

impl Asked {
    fn of(args: &DoctorArgs) -> Result<Self, SettingsError> {
        let config = args.config.as_deref().map(RunConfig::load).transpose()?;
        let mut roots: Vec<Location> = Vec::new();
        roots.extend(config.as_ref().map(|config| config.root.clone()));
        if let Some(root) = args.root.as_deref().map(resolve_root).transpose()?
            && !roots.contains(&root)
        {
            roots.push(root);
        }
        let broker = match (&args.broker, &config) {
            (Some(url), _) => Some(broker_at(url)?),
            (None, Some(config)) => config.broker.clone(),
            (None, None) => BrokerConfig::find(None)?,
        };
        let engine = config.as_ref().map(|config| config.engine.clone());
        Ok(Self {
            engine: engine.unwrap_or_default(),
            config,
            roots,
            broker,
        })
    }

    /// Returns the buckets among all that is named.
    fn buckets(&self) -> impl Iterator<Item = &Location> {
        let inputs = self
            .config
            .iter()
            .flat_map(|config| [&config.content.root, &config.style.root, &config.model]);
        let all = self.roots.iter().chain(inputs);
        all.filter(|location| matches!(location, Location::Bucket(_)))
    }
}

/// Returns the broker of `--broker`.
fn broker_at(url: &str) -> Result<BrokerConfig, SettingsError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (user, password) = (variable(BROKER_USER), variable(BROKER_PASSWORD));
    BrokerConfig::new(url, None)?.with_credentials(user.as_deref(), password.as_deref())
}

pub(super) async fn main(args: DoctorArgs) -> Result<Outcome, CliError> {
    let asked = Asked::of(&args).map_err(CliError::usage)?;
    let examination = examine(&asked).await;
    if args.json {
        console::print_json(&json::lines(&examination))?;
    } else {
        console::print_lines(examination.table())?;
    }
    match examination.state {
        State::Ok | State::Warning => Ok(Outcome::Done),
        State::Missing => Err(CliError::Environment(format!(
            "something that is needed is missing or cannot be used: {}; what helps stands beside it",
            examination.missing()
        ))),
    }
}

async fn examine(asked: &Asked) -> Examination {
    let mut findings = runtime::check(&asked.engine).await;
    findings.extend(machine::check(asked).await);
    let (stores, broker, inputs) = tokio::join!(
        stores::check(asked),
        broker::check(asked.broker.as_ref()),
        inputs::check(asked.config.as_ref())
    );
    findings.extend(stores);
    findings.push(broker);
    findings.extend(inputs);
    Examination::of(findings)
}

/// Returns what comes of asking others; none if they do not answer.
async fn answer<T>(asking: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, asking).await.ok()
}

/// Returns what is said of others that do not answer.
fn no_answer(check: &'static str, who: &str, helps: &str) -> Finding {
    let seconds = PATIENCE.as_secs();
    Finding::missing(
        check,
        format!("{who} does not answer in {seconds} s"),
        helps,
    )
}

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

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use shared::console;
use shared::json;
use shared::location::Location;
use shared::settings::{
    BROKER_PASSWORD, BROKER_URL, BROKER_USER, BrokerConfig, EngineConfig, Method, MethodConfig,
    RunConfig, SettingsError, resolve_root,
};
use tokio::time::timeout;

use self::finding::{Examination, Finding, State};
use super::{CliError, Outcome, path};

/// The option that names a broker.
const BROKER_OPTION: &str = "--broker";

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
    /// Where that is named, or would be.
    broker_key: &'static str,
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
        let broker_key = match (&args.broker, &config) {
            (Some(_), _) => BROKER_OPTION,
            (None, Some(_)) if variable(BROKER_URL).is_none() => "broker.url",
            (None, _) => BROKER_URL,
        };
        let engine = config.as_ref().map(|config| config.engine.clone());
        Ok(Self {
            engine: engine.unwrap_or_default(),
            config,
            roots,
            broker,
            broker_key,
        })
    }

    /// Returns the method of the settings, if a run of theirs needs no ONNX Runtime: no model, and no network that judges.
    fn without_runtime(&self) -> Option<Method> {
        let config = self.config.as_ref()?;
        match &config.method {
            MethodConfig::Baseline(_) if !config.quality.has_networks() => {
                Some(config.method.method())
            }
            MethodConfig::Baseline(_)
            | MethodConfig::Diffusion(_)
            | MethodConfig::Translator(_) => None,
        }
    }

    /// Returns the buckets among all that is named.
    fn buckets(&self) -> impl Iterator<Item = &Location> {
        let inputs = self.config.iter().flat_map(|config| {
            [&config.content.root, &config.style.root]
                .into_iter()
                .chain(&config.model)
        });
        let all = self.roots.iter().chain(inputs);
        all.filter(|location| matches!(location, Location::Bucket(_)))
    }
}

/// Returns the value of a variable of the environment; none if it is empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the broker of `--broker`.
fn broker_at(url: &str) -> Result<BrokerConfig, SettingsError> {
    let (user, password) = (variable(BROKER_USER), variable(BROKER_PASSWORD));
    let broker = BrokerConfig::new(url, None);
    let broker = broker.map_err(|error| error.renamed(|_| BROKER_OPTION.to_owned()))?;
    broker.with_credentials(user.as_deref(), password.as_deref())
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
    let mut findings = match asked.without_runtime() {
        Some(method) => vec![runtime::not_needed(method)],
        None => runtime::check(&asked.engine).await,
    };
    findings.extend(machine::check(asked).await);
    let (stores, broker, inputs) = tokio::join!(
        stores::check(asked),
        broker::check(asked.broker.as_ref(), asked.broker_key),
        inputs::check(asked.config.as_ref())
    );
    findings.extend(stores);
    findings.push(broker);
    findings.extend(inputs);
    Examination::of(findings)
}

/// Returns what is found of a path in the way of a folder. Where a link leads may only be not mounted.
fn no_folder(path: &Path) -> String {
    let what = match path.is_symlink() {
        true => "is a link that leads to no folder",
        false => "is no folder",
    };
    format!("{} {what}", path.display())
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

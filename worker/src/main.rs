//! The program `worker`: takes shards from the broker until it is told to stop.

// They panic when what they print cannot be written: `shared::console` does not.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use engine::EngineError;
use engine::runtime::Runtime;
use shared::clock::SystemClock;
use shared::console;
use shared::failure::chain;
use shared::paths;
use shared::queue;
use shared::settings::{SettingsError, WorkerConfig};
use shared::shutdown;
use shared::storage::{self, StorageError, scratch};
use shared::telemetry;
use worker::consumer::{Consumer, ConsumerError};
use worker::metrics::{EndpointError, Identity, Meters, MetricsEndpoint};
use worker::run_context::EngineContextProvider;

/// Converts shards of runs that `synth2real launch` published, one at a time.
///
/// SIGTERM, Ctrl-C or a request to drain finishes the image in hand, gives the shard back and exits 0; a second signal
/// leaves at once. Whatever happens to a worker, nothing that is stored is lost and its shard is done by another.
///
/// Exit codes: 0 told or asked to stop; 2 wrong usage or settings; 3 device, ONNX Runtime, storage or broker cannot be used,
/// or the engine hangs: start it anew; 130 or 143 told twice, or before there was anything to finish. A run that cannot be
/// worked on fails, and its worker lives.
#[derive(Debug, Parser)]
#[command(name = "worker", version, max_term_width = 100)]
struct Args {
    /// The worker's settings file, such as infra/demo/worker.toml
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(paths::given))]
    config: PathBuf,
}

/// Why a worker ends without being asked to.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match console::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let signals = shutdown::end_on_signals();
    telemetry::init("synth2real-worker", "info,ort=error,lapin=error");
    if let Err(error) = signals {
        tracing::warn!(%error, "signals end the program as the system has it");
    }
    let code = match work(&args).await {
        Ok(()) => 0,
        Err(problem) => {
            complain(&problem);
            match problem {
                Problem::Settings(_) | Problem::Endpoint(_) => 2,
                Problem::Storage(_) | Problem::Consumer(_) | Problem::Engine(_) => 3,
            }
        }
    };
    telemetry::finish().await;
    console::finish();
    // Not by returning: an engine that hangs would keep the process for ever.
    std::process::exit(code)
}

async fn work(args: &Args) -> Result<(), Problem> {
    let config = WorkerConfig::load(&args.config)?;
    let endpoint = match config.metrics {
        Some(address) => Some(MetricsEndpoint::bind(address).await?),
        None => None,
    };
    // What cannot work at all is told before a shard is taken.
    Runtime::load(&config.engine)?;
    let storage = storage::open(&config.root).await?;
    storage.check_writable().await?;
    scratch::check(&config.engine.cache_dir)?;
    let broker = queue::open(&config.broker)
        .await
        .map_err(ConsumerError::Queue)?;
    let name = config.name.clone().unwrap_or_else(own_name);
    let happens = "finishing the image in hand and giving the shard back";
    let drain = shutdown::on_signal(happens);
    tracing::info!(worker = name, root = %config.root, broker = broker.work.locate(), "worker starts");
    let meters = Arc::new(Meters::new(Identity {
        name: &name,
        device: &config.engine.device.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    }));
    if let Some(endpoint) = endpoint {
        endpoint.serve(Arc::clone(&meters));
    }
    let consumer = Consumer {
        name,
        storage,
        broker,
        run_contexts: Arc::new(EngineContextProvider::new(
            config.engine,
            config.cache_max_bytes,
        )),
        watchdog: config.watchdog,
        pauses: ExponentialBuilder::default()
            .with_min_delay(Duration::from_secs(1))
            .with_max_delay(Duration::from_secs(60))
            .with_max_times(8)
            .with_jitter(),
        drain,
        progress: meters,
        clock: Arc::new(SystemClock),
        given: None,
    };
    Ok(consumer.run().await?)
}

fn own_name() -> String {
    let host = gethostname::gethostname();
    format!("{}-{}", host.to_string_lossy(), std::process::id())
}

fn complain(problem: &Problem) {
    console::note(format_args!("worker: {}", chain(problem)));
}

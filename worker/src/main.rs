//! The program `worker`: takes shards from the broker until it is told to stop.

// They panic when what they print cannot be written: `shared::console` does not.
#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use engine::EngineError;
use engine::runtime::Runtime;
use shared::clock::SystemClock;
use shared::console;
use shared::failure::chain;
use shared::queue;
use shared::readiness::Readiness;
use shared::settings::{SettingsError, WorkerConfig};
use shared::shutdown;
use shared::storage::{self, StorageError, scratch};
use shared::telemetry;
use worker::arguments::Arguments;
use worker::consumer::{Consumer, ConsumerError};
use worker::metrics::{EndpointError, Identity, Meters, MetricsEndpoint};
use worker::run_context::EngineContextProvider;

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
    let args: Arguments = match console::arguments() {
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

async fn work(args: &Arguments) -> Result<(), Problem> {
    let config = WorkerConfig::load(&args.config)?;
    let endpoint = match config.metrics {
        Some(address) => Some(MetricsEndpoint::bind(address).await?),
        None => None,
    };
    if !args.without_runtime {
        // What cannot work at all is told before a shard is taken.
        Runtime::load(&config.engine)?;
    }
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
        let readiness = Readiness::new(Arc::clone(&storage), Some(Arc::clone(&broker.work)));
        endpoint.serve(Arc::clone(&meters), Arc::new(readiness));
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
        idle: config.idle,
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

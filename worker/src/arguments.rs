//! What the program `worker` is told on its command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};
use shared::paths;

/// Converts shards of runs that `synth2real launch` published, one at a time.
///
/// SIGTERM, Ctrl-C or a request to drain finishes the image in hand, gives the shard back and exits 0; a second signal
/// leaves at once. Whatever happens to a worker, nothing that is stored is lost and its shard is done by another.
///
/// Exit codes: 0 told or asked to stop, or no shard came for idle_seconds; 2 wrong usage or settings; 3 device, ONNX Runtime,
/// storage or broker cannot be used, or the engine hangs: start it anew; 130 or 143 told twice, or before there was anything
/// to finish. A run that cannot be worked on fails, and its worker lives.
#[derive(Debug, Parser)]
#[command(name = "worker", version, max_term_width = 100)]
pub struct Arguments {
    /// The worker's settings file, such as infra/demo/worker.toml
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(paths::given))]
    pub config: PathBuf,
    /// Start although ONNX Runtime cannot be loaded, which runs of methods without a model do not need (reinhard,
    /// histogram, fda, identity); a run that needs it then ends the worker with exit code 3
    #[arg(long)]
    pub without_runtime: bool,
}

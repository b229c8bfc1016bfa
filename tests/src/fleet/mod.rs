//! A coordinator and workers as real processes, with a broker and a bucket of their own that can be disturbed.

mod ending;
mod inputs;
mod undisturbed;
mod workers;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::manifest::ManifestRow;
use shared::queue;
use shared::settings::BrokerConfig;
use tempfile::TempDir;

pub use self::ending::Ending;
use self::workers::Worker;

use crate::broker::{Broker, Options};
use crate::program::{Outcome, Running, synth2real};
use crate::project::set_key;
use crate::proxy::Proxy;
use crate::s3_server::{BUCKET, S3Server};
use crate::{repository, service, stored};

/// The name of the run.
pub const RUN: &str = "demo";
/// Below this prefix of the bucket are the results.
const RESULTS: &str = "results";
/// Longest wait for a run to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A coordinator and workers, with a broker and a bucket of their own.
pub struct Fleet {
    folder: TempDir,
    settings: toml::Table,
    /// The broker.
    pub broker: Broker,
    /// What lies between it and every program.
    pub broker_wire: Proxy,
    /// The bucket's server.
    pub s3: S3Server,
    /// What lies between it and every program.
    pub s3_wire: Proxy,
    workers: Vec<Worker>,
    services: Vec<Running>,
    joined: usize,
    /// What workers and collector log.
    pub log_filter: &'static str,
    /// More lines of the settings of workers that join.
    pub worker_settings: &'static str,
    /// More arguments of workers that join.
    pub worker_arguments: &'static [&'static str],
    /// More of the environment of every program.
    pub environment: Vec<(&'static str, String)>,
}

impl Fleet {
    /// Starts broker and bucket. The run converts the demo's dataset with the demo's model, with few steps.
    ///
    /// # Panics
    ///
    /// If something cannot be started.
    pub async fn new(options: Options) -> Self {
        let broker = Broker::start(options).await;
        let s3 = S3Server::start();
        let endpoint = s3.settings().endpoint.expect("an endpoint");
        let address = endpoint.trim_start_matches("http://").to_owned();
        let demo = repository("infra/demo");
        let settings = format!(
            r#"
            run = {{ name = "{RUN}", root = "s3://{BUCKET}/{RESULTS}" }}
            content = {{ root = "{demo}/data/gta5", layout = "gta5" }}
            style = {{ root = "{demo}/data/style" }}
            method = {{ steps = 4, skip = 2, class_adain_steps = "1.." }}
            model = {{ path = "{demo}/model" }}
            shards = {{ contents = 1, styles = 3 }}
            engine = {{ threads = 1 }}
            "#,
            demo = demo.display()
        );
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            settings: settings.parse().expect("valid settings"),
            broker_wire: Proxy::to(&broker.address()).await,
            broker,
            s3_wire: Proxy::to(&address).await,
            s3,
            workers: Vec::new(),
            services: Vec::new(),
            joined: 0,
            log_filter: "info",
            worker_settings: "",
            worker_arguments: &[],
            environment: Vec::new(),
        }
    }

    /// Changes a setting of the run, such as `method.steps`.
    ///
    /// # Panics
    ///
    /// If the key is no `table.key`.
    pub fn set(&mut self, key: &str, value: impl Into<toml::Value>) {
        set_key(&mut self.settings, key, value);
    }

    /// Has the run made by a method without a model, at the size of the demo's.
    pub fn make_without_model(&mut self, method: &str) {
        self.settings.remove("model");
        self.set("method.method", method);
        self.set("method.width", 512);
        self.set("method.height", 256);
    }

    /// Returns what the same settings make in one undisturbed process on a local disk.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    pub fn undisturbed(&self) -> Ending {
        undisturbed::ending(&self.settings, &self.s3.environment())
    }

    /// Returns what the run has made in the bucket.
    ///
    /// # Panics
    ///
    /// If it has no manifest.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending::of(&self.stored())
    }

    /// Returns the rows of the run's manifest.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn rows(&self) -> Vec<ManifestRow> {
        stored::rows(&self.stored().join("manifest.parquet"))
    }

    /// Returns the run's folder in the bucket.
    #[must_use]
    pub fn stored(&self) -> PathBuf {
        self.s3.folder().join(RESULTS).join("runs").join(RUN)
    }

    /// Returns how many images are stored.
    #[must_use]
    pub fn num_images(&self) -> usize {
        let paths = stored::paths(&self.stored().join("images"));
        paths.iter().filter(|path| path.ends_with(".png")).count()
    }

    fn write(&self, name: &str, settings: &toml::Table) -> PathBuf {
        let path = self.folder.path().join(name);
        let text = toml::to_string(settings).expect("settings are TOML");
        std::fs::write(&path, text).expect("a writable file");
        path
    }

    /// Gives a command the addresses of broker and bucket, through the wires.
    fn connected(&self, mut command: Command) -> Command {
        command
            .envs(self.s3.environment())
            .env(
                "AWS_ENDPOINT_URL_S3",
                format!("http://{}", self.s3_wire.address()),
            )
            .env(
                "SYNTH2REAL_BROKER_URL",
                format!("amqp://guest:guest@{}/%2f", self.broker_wire.address()),
            )
            .env("SYNTH2REAL_ROOT", format!("s3://{BUCKET}/{RESULTS}"))
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs `synth2real` with some words.
    #[must_use]
    pub fn synth2real(&self, words: &[&str]) -> Outcome {
        let mut command = self.connected(synth2real());
        Outcome::of(command.args(words))
    }

    /// Launches the run.
    #[must_use]
    pub fn launch(&self) -> Outcome {
        let settings = self.write("run.toml", &self.settings);
        let mut command = self.connected(synth2real());
        Outcome::of(command.arg("launch").arg(settings))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn logging(&self, command: Command) -> Command {
        let mut command = self.connected(command);
        command.env("RUST_LOG", self.log_filter);
        command
    }

    /// Returns the ports of the broker, without a wire between.
    ///
    /// # Panics
    ///
    /// If the broker is away.
    pub async fn ports(&self) -> queue::Broker {
        let config = BrokerConfig::new(&self.broker.url(), None);
        let broker = queue::open(&config.expect("an address")).await;
        broker.expect("a broker")
    }

    /// A collector begins to watch, beside those that do.
    pub fn serve(&mut self) {
        let mut command = synth2real();
        command.args(["serve", "--every", "0.5", "--listen", "127.0.0.1:0"]);
        let log = self.log(&service_name(self.services.len()));
        let service = Running::start_into(&mut self.logging(command), &log);
        self.services.push(service);
    }

    /// Returns where the first collector's dashboard is.
    ///
    /// # Panics
    ///
    /// If it never listens.
    #[must_use]
    pub fn dashboard(&self) -> String {
        self.dashboard_of(0)
    }

    /// Returns where a collector's dashboard is.
    ///
    /// # Panics
    ///
    /// If it never listens.
    #[must_use]
    pub fn dashboard_of(&self, place: usize) -> String {
        let said = |fleet: &Self| {
            let log = std::fs::read_to_string(fleet.log(&service_name(place)));
            log.ok().and_then(|log| service::address_in(&log))
        };
        self.wait_until("the dashboard listens", |fleet| said(fleet).is_some());
        said(self).expect("an address")
    }

    /// The collectors are killed by `kill -9`.
    pub fn kill_service(&mut self) {
        self.services.clear();
    }

    /// Tells all collectors to stop; returns how they ended.
    #[must_use]
    pub fn stop_services(&mut self) -> Vec<Outcome> {
        let services = std::mem::take(&mut self.services);
        services.iter().for_each(|service| service.signal("TERM"));
        services.into_iter().map(Running::end).collect()
    }

    /// Waits until `condition` holds.
    ///
    /// # Panics
    ///
    /// If it does not for a very long time.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < PATIENCE, "still waiting: {what}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until there are this many images more, and not yet all.
    ///
    /// # Panics
    ///
    /// If the run is done before: what comes next would disturb nothing.
    pub fn wait_for_images(&self, more: usize) {
        let wanted = self.num_images() + more;
        self.wait_until("more images", |fleet| fleet.num_images() >= wanted);
        let images = self.num_images();
        assert!(images < 36, "the run has ended before it was disturbed");
    }

    /// Waits until the run is complete and its manifest is written, and proves that it is whole.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn wait_until_complete(&self) {
        self.wait_until("the run is complete", |fleet| {
            let status = fleet.synth2real(&["status", RUN, "--json"]);
            let status: Option<Value> = serde_json::from_str(&status.stdout).ok();
            status.is_some_and(|status| status["complete"] == true)
        });
        let manifest = self.stored().join("manifest.parquet");
        self.wait_until("its manifest is written", |_| manifest.exists());
        let audit = self.synth2real(&["audit", RUN]).exits(0);
        let sum = " done + 0 quarantined + 0 failed; 0 findings";
        assert!(audit.stdout.contains(sum), "{audit}");
    }

    /// Drains every worker and stops the collector; returns everything that any of them has logged.
    #[must_use]
    pub fn end(mut self) -> Vec<String> {
        while self.num_workers() > 0 {
            let _ = self.drain(0).exits(0);
        }
        for service in self.stop_services() {
            let _ = service.exits(0);
        }
        let logs = stored::paths(self.folder.path()).into_iter();
        logs.filter(|path| path.ends_with(".log"))
            .map(|path| std::fs::read(self.folder.path().join(path)).expect("a log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .collect()
    }
}

/// Returns the name under which a collector logs.
fn service_name(place: usize) -> String {
    match place {
        0 => "serve".to_owned(),
        others => format!("serve-{others}"),
    }
}

//! RabbitMQ: the one that all tests share, or one of a test's own that can be stopped, killed and robbed.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const STARTS_WITHIN: Duration = Duration::from_secs(90);
const PROTOCOL: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Returns the address of the broker that all tests share. Each uses a [`namespace`] of its own there.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn shared_broker_url() -> String {
    std::env::var("RABBITMQ_URL").expect(
        "RABBITMQ_URL is not set: run this test as infra/with-servers.sh cargo test ..., which starts a broker",
    )
}

/// Returns a namespace that no other test uses.
///
/// # Panics
///
/// If the system has no random bytes.
#[must_use]
pub fn namespace() -> String {
    let mut bytes = [0; 8];
    let random = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    random.expect("random bytes");
    format!("test-{:016x}", u64::from_ne_bytes(bytes))
}

/// What is unusual about a broker.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How long a message may be held before the broker closes the channel; 30 minutes otherwise.
    pub consumer_timeout: Option<Duration>,
    /// Whether there is a TLS port as well, with a certificate for 127.0.0.1.
    pub tls: bool,
}

/// A broker of a test's own: its node, ports and folder. It ends when it is dropped.
#[derive(Debug)]
pub struct Broker {
    folder: TempDir,
    ports: Ports,
    process: Option<Child>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: u16,
    tls: u16,
    distribution: u16,
    names: u16,
}

impl Ports {
    fn free() -> Self {
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [plain, tls, distribution, names] =
            listeners.map(|listener| listener.local_addr().expect("a bound port").port());
        Self {
            plain,
            tls,
            distribution,
            names,
        }
    }
}

impl Broker {
    /// Starts a broker and waits for it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub async fn start(options: Options) -> Self {
        assert!(
            Path::new(SERVER).exists(),
            "{SERVER} is not there: infra/setup/rabbitmq.sh install"
        );
        let broker = Self {
            folder: tempfile::tempdir().expect("a folder"),
            ports: Ports::free(),
            process: None,
        };
        broker.configure(options);
        let mut broker = broker;
        broker.start_again().await;
        broker
    }

    /// Returns its address, with user and password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.address())
    }

    /// Returns its address for TLS.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@127.0.0.1:{}/%2f", self.ports.tls)
    }

    /// Returns host and port.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// Returns the certificate of the authority that signed its certificate.
    #[must_use]
    pub fn certificate_authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Returns whether something is in its log.
    #[must_use]
    pub fn has_said(&self, what: &str) -> bool {
        let log = format!("log/test{}@localhost.log", self.ports.plain);
        let log = fs::read(self.path(&log)).unwrap_or_default();
        String::from_utf8_lossy(&log).contains(what)
    }

    /// Stops it as an administrator does.
    ///
    /// # Panics
    ///
    /// If it cannot be stopped.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = process.id().to_string();
            let told = Command::new("kill").args(["-TERM", &pid]).status();
            assert!(told.expect("kill").success(), "cannot stop the broker");
            process.wait().expect("the broker ends");
        }
    }

    /// Kills it.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("kills the broker");
            process.wait().expect("the broker ends");
        }
    }

    /// Makes it low on memory, as it says: it takes no messages until [`Self::end_alarm`].
    ///
    /// # Panics
    ///
    /// If it cannot be told.
    pub fn raise_alarm(&self) {
        // Nothing is less than 0.
        self.control(&["set_vm_memory_high_watermark", "0"]);
    }

    /// Gives it enough memory again.
    ///
    /// # Panics
    ///
    /// If it cannot be told.
    pub fn end_alarm(&self) {
        self.control(&["set_vm_memory_high_watermark", "0.9"]);
    }

    fn control(&self, arguments: &[&str]) {
        let output = self.command(CONTROL).args(arguments).output();
        let output = output.expect("rabbitmqctl is there");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Takes its disk: it knows nothing any more. Only when it does not run.
    ///
    /// # Panics
    ///
    /// If it runs, or its files cannot be removed.
    pub fn lose_disk(&mut self) {
        assert!(self.process.is_none(), "the broker runs");
        fs::remove_dir_all(self.path("data")).expect("removes its files");
    }

    /// Starts it on what it had, and waits for it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub async fn start_again(&mut self) {
        let log = fs::File::create(self.path("output")).expect("a file");
        let child = self
            .command(SERVER)
            .arg("-noinput")
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file"))
            .stdout(log)
            .spawn();
        self.process = Some(child.expect("starts the broker"));
        let begun = Instant::now();
        while !self.answers() {
            let process = self.process.as_mut().expect("it was started");
            let ended = process.try_wait().expect("looks at the broker");
            let output = || fs::read_to_string(self.path("output")).unwrap_or_default();
            assert!(ended.is_none(), "the broker ended: {}", output());
            assert!(begun.elapsed() < STARTS_WITHIN, "no broker: {}", output());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether it greets.
    fn answers(&self) -> bool {
        let greeted = || {
            let mut stream = TcpStream::connect(self.address())?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(PROTOCOL)?;
            stream.read_exact(&mut [0; 8])
        };
        greeted().is_ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let Ports {
            plain,
            distribution,
            names,
            ..
        } = self.ports;
        let mut command = Command::new(program);
        command
            .env("HOME", self.folder.path())
            .env("ERL_EPMD_PORT", names.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("test{plain}@localhost"))
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_CONFIG_FILE", self.path("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.path("advanced.config"))
            .env("RABBITMQ_CONF_ENV_FILE", self.path("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.path("plugins"))
            .env("RABBITMQ_MNESIA_BASE", self.path("data"))
            .env("RABBITMQ_LOG_BASE", self.path("log"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", self.path("generated"))
            .env("RABBITMQ_PID_FILE", self.path("pid"))
            // The script becomes the server, so that signals reach it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}",
            );
        command
    }

    fn configure(&self, options: Options) {
        let write = |name: &str, text: String| {
            fs::write(self.path(name), text).expect("writes the broker's settings");
        };
        let mut settings = format!("listeners.tcp.1 = {}\n", self.address());
        if options.tls {
            self.make_certificates();
            let path = |name| self.path(name).display().to_string();
            settings += &format!("listeners.ssl.1 = 127.0.0.1:{}\n", self.ports.tls);
            settings += &format!("ssl_options.cacertfile = {}\n", path("ca.pem"));
            settings += &format!("ssl_options.certfile = {}\n", path("server.pem"));
            settings += &format!("ssl_options.keyfile = {}\n", path("server.key"));
            settings += "ssl_options.verify = verify_none\n";
        }
        write("rabbitmq.conf", settings);
        write("plugins", "[].".to_owned());
        let timeout = options.consumer_timeout.map(|timeout| {
            // A channel looks at its messages at each tick, once a minute unless told otherwise.
            let timeout = timeout.as_millis();
            format!("{{consumer_timeout, {timeout}}}, {{channel_tick_interval, 500}}")
        });
        let rabbit = timeout.unwrap_or_default();
        write("advanced.config", format!("[{{rabbit, [{rabbit}]}}].\n"));
    }

    /// Makes an authority and a certificate for 127.0.0.1 that it signed.
    fn make_certificates(&self) {
        let openssl = |arguments: &str| {
            let ran = Command::new("openssl")
                .args(arguments.split_whitespace())
                .current_dir(self.folder.path())
                .output();
            let output = ran.expect("openssl is there");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {arguments}: {said}");
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(&format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"
        ));
        openssl(&format!(
            "req {key} -keyout server.key -out server.csr -subj /CN=127.0.0.1"
        ));
        fs::write(
            self.path("names"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
        )
        .expect("writes the names");
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out server.pem",
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        // The name server that came with it stays otherwise.
        let mut names = self.command("epmd");
        let port = self.ports.names.to_string();
        names.args(["-port", &port, "-kill"]);
        names
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

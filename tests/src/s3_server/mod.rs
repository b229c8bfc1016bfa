//! An S3 server on a loopback port of its own, with trouble on demand.
//!
//! It is `s3s` over a temporary folder, with signatures checked. `s3s-fs` looks for an object and then writes it, and
//! writes an object and then its digest, where S3 does either at once: writes here wait for each other and for reads.

mod trouble;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SimpleAuth};
use s3s::dto::{DeleteObjectInput, PutObjectInput};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Request, S3Result};
use shared::location::BucketPrefix;
use shared::s3::{S3Credentials, S3Settings};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use self::trouble::{Asked, Fault};

use self::trouble::{FoundFree, Trouble};

/// The bucket that every server has.
pub const BUCKET: &str = "synth2real";

const ACCESS_KEY_ID: &str = "tests";
const SECRET_ACCESS_KEY: &str = "a secret of the tests";

/// A server. It ends when it is dropped.
pub struct S3Server {
    address: SocketAddr,
    folder: TempDir,
    trouble: Arc<Trouble>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// Starts a server.
    ///
    /// # Panics
    ///
    /// If it cannot.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Conditions::Heeded)
    }

    /// Starts a server that ignores `If-None-Match`, as some do.
    ///
    /// # Panics
    ///
    /// If it cannot.
    #[must_use]
    pub fn start_lying() -> Self {
        Self::start_with(Conditions::Ignored)
    }

    /// Starts a server that heeds `If-None-Match` by a look before the write: of creates at once several succeed.
    ///
    /// # Panics
    ///
    /// If it cannot.
    #[must_use]
    pub fn start_racing() -> Self {
        Self::start_with(Conditions::HeededBefore)
    }

    /// Starts a server that permits no object to be removed.
    ///
    /// # Panics
    ///
    /// If it cannot.
    #[must_use]
    pub fn start_keeping() -> Self {
        Self::start_with(Conditions::NothingRemoved)
    }

    /// Starts a server to which others say whose keys hold.
    ///
    /// # Panics
    ///
    /// If it cannot.
    #[must_use]
    pub fn start_trusting(auth: impl S3Auth) -> Self {
        Self::start_for(Conditions::Heeded, auth)
    }

    fn start_with(conditions: Conditions) -> Self {
        let auth = SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        Self::start_for(conditions, auth)
    }

    fn start_for(conditions: Conditions, auth: impl S3Auth) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("a file system");
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(auth);
        let racing = matches!(conditions, Conditions::HeededBefore);
        let racing = racing.then(|| folder.path().to_owned());
        builder.set_access(conditions);
        let service = builder.build();

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let trouble = Arc::new(Trouble::new(racing));
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, service, Arc::clone(&trouble));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            folder,
            trouble,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns how to reach it.
    #[must_use]
    pub fn settings(&self) -> S3Settings {
        let credentials = S3Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        };
        S3Settings::at(format!("http://{}", self.address), credentials)
    }

    /// Returns the environment by which a program reaches it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_S3", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Returns its bucket with a prefix, which is empty or ends in `/`.
    #[must_use]
    pub fn bucket(&self, prefix: &str) -> BucketPrefix {
        bucket(BUCKET, prefix)
    }

    /// Returns the folder that holds the objects of its bucket as files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// Returns the objects below a folder of its bucket, as files. The folders of those that were removed stay, and count for
    /// nothing.
    ///
    /// # Panics
    ///
    /// If the folder cannot be read.
    #[must_use]
    pub fn objects_below(&self, folder: &str) -> Vec<PathBuf> {
        let mut folders = vec![self.folder().join(folder)];
        let mut objects = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    objects.push(path);
                }
            }
        }
        objects
    }

    /// Makes the next `times` requests of a kind fail.
    pub fn fail(&self, asked: Asked, fault: Fault, times: usize) {
        self.trouble.order(asked, fault, times);
    }

    /// Makes every request take a time from now on, as on a slow disk.
    pub fn slow_down(&self, delay: Duration) {
        self.trouble.slow_down(delay);
    }

    /// Returns how many writes of an object of its bucket came.
    #[must_use]
    pub fn writes(&self, key: &str) -> usize {
        self.trouble.writes(&format!("/{BUCKET}/{key}"))
    }

    /// Returns how many requests of a kind came.
    #[must_use]
    pub fn requests(&self, asked: Asked) -> usize {
        self.trouble.requests(asked)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns a bucket with a prefix, which is empty or ends in `/`.
#[must_use]
pub fn bucket(name: &str, prefix: &str) -> BucketPrefix {
    BucketPrefix {
        bucket: name.to_owned(),
        prefix: prefix.to_owned(),
    }
}

async fn serve(listener: std::net::TcpListener, service: S3Service, trouble: Arc<Trouble>) {
    let listener = TcpListener::from_std(listener).expect("a socket");
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Head and body of an answer are two writes, and the second must not wait for the first to be confirmed.
        let _ = socket.set_nodelay(true);
        let (service, trouble) = (service.clone(), Arc::clone(&trouble));
        tokio::spawn(async move {
            let answer =
                service_fn(|request| Arc::clone(&trouble).answer(service.clone(), request));
            let server = auto::Builder::new(TokioExecutor::new());
            // A connection that is cut ends with an error, as it should.
            let _ = server.serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

/// Whether a server heeds the conditions of a write, and what it permits.
enum Conditions {
    Heeded,
    Ignored,
    HeededBefore,
    NothingRemoved,
}

#[async_trait::async_trait]
impl S3Access for Conditions {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        match context.credentials() {
            Some(_) => Ok(()),
            None => Err(s3s::s3_error!(AccessDenied, "Signature is required")),
        }
    }

    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        let is_ignored = match self {
            Self::Heeded | Self::NothingRemoved => false,
            Self::Ignored => true,
            Self::HeededBefore => request.extensions.get::<FoundFree>().is_some(),
        };
        if is_ignored {
            request.input.if_none_match = None;
        }
        Ok(())
    }

    async fn delete_object(&self, _request: &mut S3Request<DeleteObjectInput>) -> S3Result<()> {
        match self {
            Self::NothingRemoved => Err(s3s::s3_error!(AccessDenied, "Nothing is removed here")),
            Self::Heeded | Self::Ignored | Self::HeededBefore => Ok(()),
        }
    }
}

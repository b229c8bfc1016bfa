//! What gives keys to a bucket for a while: AWS's security token service (STS), to whoever shows the token of a web identity
//! as Kubernetes lays it into a pod, and its portal of single sign-on, to whoever has logged in.
//!
//! Keys end when it was said that they do: [`TokenService::keys`] are what a bucket trusts. A token is laid anew whenever one
//! was shown, as Kubernetes does long before it ends.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use axum::extract::{Form, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use s3s::S3Result;
use s3s::auth::{S3Auth, SecretKey};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The role that a web identity may take on.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/synth2real";
/// What a person who has logged in has.
pub const LOGIN: &str = "logged in";
/// How long keys hold. The SDK keeps none that ends within ten seconds.
const LIFETIME_SECONDS: i64 = 11;
const TOKEN: &str = "token";

/// The services. They end when this is dropped.
pub struct TokenService {
    address: SocketAddr,
    keys: Arc<Keys>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// Keys that were given, and who asked for them.
struct Keys {
    folder: TempDir,
    state: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    keys: Vec<Key>,
    /// Tokens that were laid into the file.
    laid: usize,
    /// Tokens that were shown.
    shown: BTreeSet<String>,
    /// Requests signed with keys that had ended.
    refused: usize,
    /// Whether a request was signed with other keys after the first ones had ended.
    has_crossed: bool,
}

struct Key {
    secret: String,
    ends: Timestamp,
}

/// What a bucket asks whether keys hold.
struct Trusted(Arc<Keys>);

impl TokenService {
    /// Starts the services.
    ///
    /// # Panics
    ///
    /// If they cannot be started.
    #[must_use]
    pub fn start() -> Self {
        let keys = Arc::new(Keys {
            folder: tempfile::tempdir().expect("a temporary folder"),
            state: Mutex::default(),
        });
        keys.lay_token();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route("/", post(assume))
            .route("/federation/credentials", get(log_in))
            .with_state(Arc::clone(&keys));
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                tokio::select! {
                    served = axum::serve(listener, router).into_future() => served.expect("it serves"),
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            keys,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns where the services are.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns what a bucket may trust.
    #[must_use]
    pub fn keys(&self) -> impl S3Auth + use<> {
        Trusted(Arc::clone(&self.keys))
    }

    /// Returns the file with the token of the web identity.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.keys.token_file()
    }

    /// Returns how many different tokens were shown.
    #[must_use]
    pub fn num_tokens(&self) -> usize {
        self.keys.state().shown.len()
    }

    /// Returns how many requests were signed with keys that had ended.
    #[must_use]
    pub fn num_refused(&self) -> usize {
        self.keys.state().refused
    }

    /// Returns whether a request was signed with other keys after the first ones had ended.
    #[must_use]
    pub fn has_crossed(&self) -> bool {
        self.keys.state().has_crossed
    }
}

impl Drop for TokenService {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Keys {
    fn state(&self) -> MutexGuard<'_, Given> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join(TOKEN)
    }

    /// Lays another token into the file, in one step.
    fn lay_token(&self) {
        let mut state = self.state();
        state.laid += 1;
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{TOKEN} {}", state.laid)).expect("a writable file");
        fs::rename(&next, self.token_file()).expect("a writable folder");
    }

    fn has_laid(&self, token: &str) -> bool {
        let laid = self.state().laid;
        let number = token
            .strip_prefix(TOKEN)
            .map(|number| number.trim().parse::<usize>());
        matches!(number, Some(Ok(number)) if (1..=laid).contains(&number))
    }

    /// Gives keys that hold for a while: the public half, the secret one, and when they end.
    fn give(&self) -> (String, String, Timestamp) {
        let mut state = self.state();
        let number = state.keys.len();
        let ends = Timestamp::now().as_second() + LIFETIME_SECONDS;
        let ends = Timestamp::from_second(ends).expect("a time soon");
        let secret = format!("a secret of the tests, number {number}");
        state.keys.push(Key {
            secret: secret.clone(),
            ends,
        });
        (format!("tests{number}"), secret, ends)
    }
}

#[async_trait::async_trait]
impl S3Auth for Trusted {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let mut state = self.0.state();
        let number = access_key.strip_prefix("tests").map(str::parse::<usize>);
        let key = number.and_then(Result::ok).and_then(|n| state.keys.get(n));
        let Some(key) = key else {
            return Err(s3s::s3_error!(InvalidAccessKeyId, "Nobody gave these keys"));
        };
        let (now, secret) = (Timestamp::now(), SecretKey::from(key.secret.as_str()));
        if now >= key.ends {
            state.refused += 1;
            return Err(s3s::s3_error!(ExpiredToken, "These keys have ended"));
        }
        let first_ended = state.keys.first().is_some_and(|first| now >= first.ends);
        state.has_crossed |= first_ended;
        Ok(secret)
    }
}

/// Answers `AssumeRoleWithWebIdentity`.
async fn assume(
    State(keys): State<Arc<Keys>>,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    let is = |key: &str, value: &str| asked.get(key).is_some_and(|found| found == value);
    let token = asked.get("WebIdentityToken").cloned().unwrap_or_default();
    let is_right = is("Action", "AssumeRoleWithWebIdentity") && is("RoleArn", ROLE);
    if !is_right || !keys.has_laid(&token) {
        let said = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>\
                    <Message>no such token or role</Message></Error></ErrorResponse>";
        return (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "text/xml")], said).into_response();
    }
    keys.state().shown.insert(token);
    keys.lay_token();
    let (id, secret, ends) = keys.give();
    let said = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>session</SessionToken>\
         <Expiration>{ends}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>R:tests</AssumedRoleId>\
         <Arn>arn:aws:sts::000000000000:assumed-role/synth2real/tests</Arn></AssumedRoleUser>\
         </AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\
         </AssumeRoleWithWebIdentityResponse>"
    );
    ([(CONTENT_TYPE, "text/xml")], said).into_response()
}

/// Answers `GetRoleCredentials`.
async fn log_in(State(keys): State<Arc<Keys>>, headers: HeaderMap) -> Response {
    let token = headers.get("x-amz-sso_bearer_token");
    if token.is_none_or(|token| token.as_bytes() != LOGIN.as_bytes()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let (id, secret, ends) = keys.give();
    let said = serde_json::json!({ "roleCredentials": {
        "accessKeyId": id,
        "secretAccessKey": secret,
        "sessionToken": "session",
        "expiration": ends.as_millisecond(),
    }});
    Json(said).into_response()
}

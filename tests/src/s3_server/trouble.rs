//! What goes wrong between a client and an S3 server.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use s3s::dto::StreamingBlob;
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse};
use tokio::sync::RwLock;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// To write an object.
    Put,
    /// The bytes of an object.
    Get,
    /// Size and digest of an object.
    Head,
    /// A page of a listing.
    List,
    /// To remove an object, or anything else.
    Other,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with 503 and not carried out.
    SlowDown,
    /// It is answered with 503 and when to come again, and not carried out.
    Busy,
    /// It is answered with 500 and not carried out.
    InternalError,
    /// It is answered with 409, as by S3 when two conditional writes meet, and not carried out.
    Contended,
    /// It is answered with 200 and an error in the body, as by stores that begin their answer early, and not carried out.
    ErrorInSuccess,
    /// It is answered with 200 and nothing else, and not carried out.
    EmptySuccess,
    /// The connection is cut, and it is not carried out.
    CutBefore,
    /// The connection is cut when a part of the request's body has come, and it is not carried out.
    CutMidway,
    /// It is carried out, and the connection is cut before the answer.
    CutAfter,
    /// It is carried out, and the connection is cut in the middle of the answer's body.
    CutInside,
    /// It is never answered, and the connection stays.
    Silence,
}

/// What a store without a lock takes between a look and a write.
const BETWEEN_LOOK_AND_WRITE: Duration = Duration::from_millis(50);

/// A conditional write whose key was free when it came, which is written whatever is there by now.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundFree;

/// The faults that are to come, and the requests that came.
#[derive(Default)]
pub(super) struct Trouble {
    /// How often each kind of request is still to fail, and how.
    faults: Mutex<HashMap<Asked, (Fault, usize)>>,
    /// Requests that came.
    requests: Mutex<HashMap<Asked, usize>>,
    /// Writes of each path that came.
    writes: Mutex<HashMap<String, usize>>,
    /// What every request takes beside its work.
    delay: Mutex<Duration>,
    /// Writes have it alone.
    turn: RwLock<()>,
    /// The folder of all buckets, if conditional writes look first and write later.
    racing: Option<PathBuf>,
}

impl Trouble {
    /// Returns no trouble, but for conditional writes that look first and write later if a folder of buckets is given.
    pub(super) fn new(racing: Option<PathBuf>) -> Self {
        Self {
            racing,
            ..Self::default()
        }
    }

    /// Looks whether the key of a conditional write is free, and takes its time.
    async fn look(&self, request: &mut Request<Incoming>) {
        let Some(folder) = &self.racing else {
            return;
        };
        let conditional = request.headers().contains_key("if-none-match");
        let object = folder.join(request.uri().path().trim_start_matches('/'));
        if conditional && !object.exists() {
            request.extensions_mut().insert(FoundFree);
            tokio::time::sleep(BETWEEN_LOOK_AND_WRITE).await;
        }
    }

    /// Answers a request, or does not.
    pub(super) async fn answer(
        self: Arc<Self>,
        service: S3Service,
        mut request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        let delay = *self.delay.lock().expect("no panic");
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.look(&mut request).await;
        let asked = asked(&request);
        if asked == Asked::Put {
            let path = request.uri().path().to_owned();
            let mut writes = self.writes.lock().expect("no panic");
            *writes.entry(path).or_default() += 1;
        }
        match self.next_fault(asked) {
            None => self.carry_out(&service, request).await,
            Some(Fault::SlowDown) => {
                refuse(request, StatusCode::SERVICE_UNAVAILABLE, "SlowDown").await
            }
            Some(Fault::Busy) => {
                let mut answer =
                    refuse(request, StatusCode::SERVICE_UNAVAILABLE, "SlowDown").await?;
                let headers = answer.headers_mut();
                // Seconds, as in HTTP, and milliseconds, as AWS has it.
                headers.insert("retry-after", HeaderValue::from_static("1"));
                headers.insert("x-amz-retry-after", HeaderValue::from_static("20"));
                Ok(answer)
            }
            Some(Fault::ErrorInSuccess) => refuse(request, StatusCode::OK, "InternalError").await,
            Some(Fault::EmptySuccess) => {
                refuse(request, StatusCode::OK, "").await?;
                Ok(HttpResponse::new(Body::empty()))
            }
            Some(Fault::InternalError) => {
                refuse(request, StatusCode::INTERNAL_SERVER_ERROR, "InternalError").await
            }
            Some(Fault::Contended) => {
                refuse(request, StatusCode::CONFLICT, "ConditionalRequestConflict").await
            }
            Some(Fault::CutBefore) => Err(cut()),
            Some(Fault::CutMidway) => {
                let mut body = Body::from(request.into_body());
                let _ = body.next().await;
                Err(cut())
            }
            Some(Fault::Silence) => std::future::pending().await,
            Some(Fault::CutAfter) => {
                self.carry_out(&service, request).await?;
                Err(cut())
            }
            Some(Fault::CutInside) => {
                let answer = self.carry_out(&service, request).await?;
                let (head, mut body) = answer.into_parts();
                let first = body.next().await.transpose().map_err(HttpError::new)?;
                let first = first.unwrap_or_default();
                let half: Bytes = first.slice(..first.len() / 2);
                let halved = stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
                let body = Body::from(StreamingBlob::wrap(halved));
                Ok(HttpResponse::from_parts(head, body))
            }
        }
    }

    /// Makes the next `times` requests of a kind fail.
    pub(super) fn order(&self, asked: Asked, fault: Fault, times: usize) {
        let mut faults = self.faults.lock().expect("no panic");
        faults.insert(asked, (fault, times));
    }

    /// Makes every request take a time from now on.
    pub(super) fn slow_down(&self, delay: Duration) {
        *self.delay.lock().expect("no panic") = delay;
    }

    /// Returns how many writes came of a path, bucket included.
    pub(super) fn writes(&self, path: &str) -> usize {
        let writes = self.writes.lock().expect("no panic");
        writes.get(path).copied().unwrap_or_default()
    }

    /// Returns how many requests of a kind came.
    pub(super) fn requests(&self, asked: Asked) -> usize {
        let requests = self.requests.lock().expect("no panic");
        requests.get(&asked).copied().unwrap_or_default()
    }

    fn next_fault(&self, asked: Asked) -> Option<Fault> {
        let mut requests = self.requests.lock().expect("no panic");
        *requests.entry(asked).or_default() += 1;
        let mut faults = self.faults.lock().expect("no panic");
        let (fault, times) = faults.get_mut(&asked)?;
        *times = times.checked_sub(1)?;
        Some(*fault)
    }

    async fn carry_out(
        &self,
        service: &S3Service,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        let request = request.map(Body::from);
        match *request.method() {
            Method::GET | Method::HEAD => {
                let _turn = self.turn.read().await;
                service.call(request).await
            }
            _ => {
                let _turn = self.turn.write().await;
                service.call(request).await
            }
        }
    }
}

fn asked(request: &Request<Incoming>) -> Asked {
    let lists = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("list-type"));
    match *request.method() {
        Method::PUT => Asked::Put,
        Method::HEAD => Asked::Head,
        Method::GET if lists => Asked::List,
        Method::GET => Asked::Get,
        _ => Asked::Other,
    }
}

/// Reads a request to its end, so that the connection can be used again, and refuses it.
async fn refuse(
    request: Request<Incoming>,
    status: StatusCode,
    code: &str,
) -> Result<HttpResponse, HttpError> {
    let mut body = Body::from(request.into_body());
    while let Some(chunk) = body.next().await {
        chunk.map_err(HttpError::new)?;
    }
    let xml = format!("<Error><Code>{code}</Code><Message>As the test wants it.</Message></Error>");
    let mut answer = HttpResponse::new(Body::from(xml));
    *answer.status_mut() = status;
    Ok(answer)
}

fn cut() -> HttpError {
    HttpError::new("cut".into())
}

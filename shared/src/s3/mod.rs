//! Objects of an S3 bucket.
//!
//! - `Bucket`: the objects below a prefix; `client`: how its store is reached, as [`S3Settings`] and the environment say
//! - `put`, `get`, `list`: requests that write or remove, that read, and that list; `object`: what they send and are told
//! - [`inspect`]: whose credentials there are, and what time it is at the store
//! - `sdk_error`: what errors of the SDK mean; `error_response`: why a request failed, in words
//! - `unusable`: why a store must not be used at all
//! - `timeouts`, `counting`: how long requests may take, and how many there are
//!
//! An object is put in one request, so it is there whole or not at all, whatever is cut, lost or killed on the way, and no
//! parts of it are left that a lifecycle rule would have to remove. That holds up to 5 GiB, the most that S3 takes in a
//! request; what is larger is refused before anything is sent.
//!
//! Only this file, `client`, `counting`, `inspection`, `put`, `get` and `sdk_error` name the SDK.

mod client;
mod counting;
mod error_response;
mod get;
mod inspection;
mod list;
mod object;
mod put;
mod sdk_error;
mod settings;
mod timeouts;
mod unusable;

use aws_sdk_s3::Client;

pub use self::inspection::{CredentialKind, FoundCredentials, Inspection, StoreClock, inspect};
pub(crate) use self::object::{Body, BucketObject, Head, Put};
pub use self::settings::{S3Credentials, S3Settings};

use crate::location::BucketPrefix;

/// The objects of a bucket below a prefix. Paths are those below the prefix.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    client: Client,
    at: BucketPrefix,
}

impl Bucket {
    /// Returns the address of an object.
    pub(crate) fn address(&self, path: &str) -> String {
        let address = format!("s3://{}/{}{path}", self.at.bucket, self.at.prefix);
        address.trim_end_matches('/').to_owned()
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.at.prefix)
    }
}

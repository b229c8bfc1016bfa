//! Why a request to an S3 store failed: the store's error responses, and all that happens without one.

use std::error::Error as StdError;
use std::{fmt, iter};

use crate::storage_error::{StorageError, StorageErrorKind};
use crate::wording::shortened;

/// Messages of stores are cut here.
const MAX_MESSAGE: usize = 300;

/// Why a request to a bucket failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    /// The store answered with an error.
    #[error("{0}")]
    Answered(ErrorResponse),
    /// The store did not answer.
    #[error("no answer from the store ({0}); check the network and AWS_ENDPOINT_URL_S3")]
    NoAnswer(String),
    /// The connection broke before the end of the object.
    #[error("the connection broke in the middle of the object ({0})")]
    Broken(String),
    /// There are no credentials.
    #[error(
        "no credentials for S3 ({0}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )]
    NoCredentials(String),
    /// No region is known.
    #[error("no region is set; set AWS_REGION, or AWS_ENDPOINT_URL_S3 for a store other than AWS")]
    NoRegion,
    /// The endpoint is no URL.
    #[error(
        "AWS_ENDPOINT_URL_S3 must be an address as http://127.0.0.1:9000 or https://s3.example.org"
    )]
    NoAddress,
    /// The request could not be made.
    #[error("{0}; check the AWS_* variables")]
    Unusable(String),
    /// The object is larger than a request may be.
    #[error(
        "it has {size_bytes} bytes, and a bucket takes at most {max_bytes} (5 GiB) in the one request that writes an object; \
         divide the run into several with fewer items, or give it a folder as its root"
    )]
    TooLarge {
        /// Size of the object.
        size_bytes: u64,
        /// The most that a request may have.
        max_bytes: u64,
    },
    /// The store answers a put with success but without an ETag, as it does when the error is in the body.
    #[error(
        "bucket {0} answers with success and without the ETag of what was written, so nothing may have been"
    )]
    Unconfirmed(String),
    /// The store ignores `If-None-Match`, which creates rely on.
    #[error(
        "bucket {0} ignores If-None-Match, so two workers could overwrite each other; \
         use a store with conditional writes (AWS S3, MinIO of November 2024 or later, ...)"
    )]
    ConditionalPutUnsupported(String),
    /// The store checks whether a key is free and then writes, not in one step.
    #[error(
        "bucket {bucket} let {winners} of {writers} creates of one object at once succeed though all had If-None-Match, \
         so two workers could overwrite each other; use a store whose conditional writes are atomic (AWS S3, MinIO of \
         November 2024 or later, ...)"
    )]
    Races {
        /// The bucket.
        bucket: String,
        /// Creates at once.
        writers: usize,
        /// How many of them succeeded.
        winners: usize,
    },
    /// A read does not return what was just written.
    #[error(
        "bucket {0} does not give back what was just written; use a store that is strongly consistent"
    )]
    ReadsOther(String),
    /// A listing does not show what was just written.
    #[error(
        "bucket {0} does not list what was just written; use a store that is strongly consistent"
    )]
    ListsLate(String),
    /// A listing is not sorted by the bytes of the keys.
    #[error(
        "bucket {0} lists its objects in another order than S3 does; use a store that sorts them by the bytes of their whole \
         keys (AWS S3, MinIO, Versity S3 Gateway, ...)"
    )]
    Unsorted(String),
    /// A listing is said to go on, without a continuation token.
    #[error("bucket {0} cut a listing short")]
    CutListing(String),
    /// An object without a size, or with one below zero.
    #[error("bucket {0} does not say how large an object is; use another store")]
    Sizeless(String),
}

impl Cause {
    /// Returns the error of an operation on the object at an address.
    pub(super) fn of(
        self,
        kind: StorageErrorKind,
        operation: &'static str,
        address: String,
    ) -> StorageError {
        StorageError {
            kind,
            operation,
            path: address,
            source: Some(Box::new(self)),
        }
    }
}

/// Bytes of a code that are shown: S3 has none that long.
const MAX_CODE_BYTES: usize = 100;

/// An HTTP error response of a store.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    /// The bucket.
    pub(super) bucket: String,
    /// HTTP status.
    pub(super) status: u16,
    /// S3's code; empty if there was none.
    pub(super) code: String,
    /// The store's own words.
    pub(super) message: String,
}

/// What an error response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    NoObject,
    NoBucket,
    NoPermission,
    BadKeys,
    Expired,
    OtherRegion,
    Clock,
    Unsupported,
    NoSpace,
    BadName,
    Trouble,
}

impl ErrorResponse {
    fn meaning(&self) -> Meaning {
        match (self.code.as_str(), self.status) {
            ("NoSuchBucket", _) => Meaning::NoBucket,
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => Meaning::Expired,
            ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidSecurity", _) => {
                Meaning::BadKeys
            }
            ("AuthorizationHeaderMalformed" | "PermanentRedirect", _) | ("", 301) => {
                Meaning::OtherRegion
            }
            ("RequestTimeTooSkewed", _) => Meaning::Clock,
            ("XMinioStorageFull" | "QuotaExceeded", _) | (_, 507) => Meaning::NoSpace,
            ("KeyTooLongError" | "XMinioInvalidObjectName" | "InvalidURI", _) | (_, 414) => {
                Meaning::BadName
            }
            ("NotImplemented" | "MethodNotAllowed", _) | (_, 501) => Meaning::Unsupported,
            (_, 401 | 403) => Meaning::NoPermission,
            (_, 404) => Meaning::NoObject,
            _ => Meaning::Trouble,
        }
    }

    /// Returns what a caller can do about it.
    pub(super) fn kind(&self) -> StorageErrorKind {
        match self.meaning() {
            Meaning::NoObject => StorageErrorKind::NotFound,
            Meaning::NoSpace => StorageErrorKind::Full,
            Meaning::BadName => StorageErrorKind::Invalid,
            Meaning::Trouble => StorageErrorKind::Unavailable,
            Meaning::NoBucket
            | Meaning::NoPermission
            | Meaning::BadKeys
            | Meaning::Expired
            | Meaning::OtherRegion
            | Meaning::Clock
            | Meaning::Unsupported => StorageErrorKind::Denied,
        }
    }

    /// Returns what a person can do about it.
    fn advice(&self) -> &'static str {
        match self.meaning() {
            Meaning::NoObject | Meaning::NoSpace | Meaning::BadName | Meaning::Trouble => "",
            Meaning::NoBucket => {
                "; create it, or check its name, AWS_REGION and AWS_ENDPOINT_URL_S3"
            }
            Meaning::NoPermission => {
                "; its policy must allow s3:ListBucket, s3:GetObject and s3:PutObject \
                 to AWS_ACCESS_KEY_ID (or AWS_PROFILE)"
            }
            Meaning::BadKeys => {
                "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE)"
            }
            Meaning::Expired => {
                "; the credentials have expired: renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                 AWS_SESSION_TOKEN (or AWS_PROFILE)"
            }
            Meaning::OtherRegion => "; it lies elsewhere: check AWS_REGION and AWS_ENDPOINT_URL_S3",
            Meaning::Clock => "; set this machine's clock",
            Meaning::Unsupported => "; this store cannot do what is needed, use another",
        }
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} answers {}", self.bucket, self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", shortened(&self.code, MAX_CODE_BYTES))?;
        }
        if !self.message.is_empty() {
            let message: String = self.message.chars().take(MAX_MESSAGE).collect();
            write!(f, " ({})", message.trim_end_matches('.'))?;
        }
        f.write_str(self.advice())
    }
}

/// Returns an error and everything that caused it.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, code: &str) -> ErrorResponse {
        ErrorResponse {
            bucket: "b".into(),
            status,
            code: code.into(),
            message: "As I said.".into(),
        }
    }

    #[test]
    fn what_only_a_person_can_mend_is_denied_and_the_rest_is_tried_again() {
        use StorageErrorKind::{Denied, Full, Invalid, NotFound, Unavailable};
        for (status, code, kind) in [
            (404, "NoSuchKey", NotFound),
            (404, "", NotFound),
            (404, "NoSuchBucket", Denied),
            (403, "AccessDenied", Denied),
            (403, "", Denied),
            (400, "ExpiredToken", Denied),
            (403, "RequestTimeTooSkewed", Denied),
            (301, "", Denied),
            (501, "NotImplemented", Denied),
            (507, "XMinioStorageFull", Full),
            (400, "KeyTooLongError", Invalid),
            (414, "", Invalid),
            (400, "BadDigest", Unavailable),
            (400, "RequestTimeout", Unavailable),
            (500, "InternalError", Unavailable),
            (503, "SlowDown", Unavailable),
        ] {
            assert_eq!(response(status, code).kind(), kind, "{status} {code}");
        }
    }

    #[test]
    fn a_refusal_names_the_bucket_and_what_to_check() {
        assert_eq!(
            response(404, "NoSuchBucket").to_string(),
            "bucket b answers 404 NoSuchBucket (As I said); \
             create it, or check its name, AWS_REGION and AWS_ENDPOINT_URL_S3"
        );
        assert_eq!(
            response(503, "").to_string(),
            "bucket b answers 503 (As I said)"
        );
    }
}

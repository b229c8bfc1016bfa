//! What errors of the SDK mean: which kind each is, and what is told of it.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::Bucket;
use super::error_response::{Cause, ErrorResponse, causes};
use crate::error_chain::chain;
use crate::storage_error::StorageError;
use crate::storage_error::StorageErrorKind::{Denied, Unavailable};

impl Bucket {
    /// Returns what the SDK's error means.
    pub(super) fn failed<E>(
        &self,
        operation: &'static str,
        path: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> StorageError
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let no_credentials = causes(error).find_map(|e| e.downcast_ref());
        let (kind, cause) = match (status(error), no_credentials, error) {
            (Some(status), _, _) => {
                let response = ErrorResponse {
                    bucket: self.at.bucket.clone(),
                    status,
                    code: error.code().unwrap_or_default().to_owned(),
                    message: error.message().unwrap_or_default().to_owned(),
                };
                (response.kind(), Cause::Answered(response))
            }
            (None, Some(missing), _) => {
                let kind = match missing {
                    CredentialsError::CredentialsNotLoaded(_)
                    | CredentialsError::InvalidConfiguration(_) => Denied,
                    _ => Unavailable,
                };
                (kind, Cause::NoCredentials(chain(missing)))
            }
            (None, None, SdkError::ConstructionFailure(_)) => {
                (Denied, Cause::Unusable(chain(error)))
            }
            (None, None, _) => (Unavailable, Cause::NoAnswer(chain(error))),
        };
        cause.of(kind, operation, self.address(path))
    }
}

/// Returns the status of a response; none if there is none.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    let response = error.raw_response()?;
    Some(response.status().as_u16())
}

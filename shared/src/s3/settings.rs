//! How an S3 store is reached.

use std::env;
use std::fmt;

/// How an S3 store is reached. What is not given here the SDK finds in its own environment (`AWS_*`, profiles, the
/// machine's role).
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Address of a store other than AWS.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// Keys.
    pub credentials: Option<S3Credentials>,
    /// How often a request is sent before it is given up.
    pub max_attempts: u32,
}

/// Keys to a store.
#[derive(Clone)]
pub struct S3Credentials {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
}

impl S3Settings {
    /// With jitter, eight attempts wait about seven seconds altogether, and at most thirteen.
    const MAX_ATTEMPTS: u32 = 8;

    /// Returns what the SDK's environment says.
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            endpoint: set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL")),
            region: None,
            credentials: None,
            max_attempts: Self::MAX_ATTEMPTS,
        }
    }

    /// Returns whether the address of the store, if there is one, can be one.
    pub(super) fn has_usable_endpoint(&self) -> bool {
        let schemes = ["http://", "https://"];
        self.endpoint.as_ref().is_none_or(|endpoint| {
            let mut schemes = schemes
                .iter()
                .filter_map(|scheme| endpoint.strip_prefix(scheme));
            schemes.any(|host| !host.is_empty())
        })
    }

    /// Returns settings for the store at an address, with keys.
    #[must_use]
    pub fn at(endpoint: impl Into<String>, credentials: S3Credentials) -> Self {
        Self {
            endpoint: Some(endpoint.into()),
            region: None,
            credentials: Some(credentials),
            max_attempts: Self::MAX_ATTEMPTS,
        }
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> S3Credentials {
        S3Credentials {
            access_key_id: "public".into(),
            secret_access_key: "hidden".into(),
        }
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for (endpoint, usable) in [
            ("http://127.0.0.1:9000", true),
            ("https://s3.example.org/", true),
            ("s3.example.org", false),
            ("http://", false),
            ("ftp://s3.example.org", false),
        ] {
            let settings = S3Settings::at(endpoint, keys());
            assert_eq!(settings.has_usable_endpoint(), usable, "{endpoint}");
        }
    }

    #[test]
    fn settings_show_no_secret() {
        let shown = format!("{:?}", S3Settings::at("http://127.0.0.1:1", keys()));
        assert!(
            shown.contains("public") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}

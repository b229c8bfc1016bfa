//! What a store and this machine say before anything is asked of the bucket itself: whose credentials there are, and what
//! time it is there.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::client::environment;
use super::{Bucket, S3Settings};
use crate::clock::{Clock, SystemClock};
use crate::error_chain::chain;
use crate::location::BucketPrefix;
use crate::storage_error::StorageError;

/// What was found out about the way to a bucket.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The credentials that requests are signed with, or why there are none.
    pub credentials: Result<FoundCredentials, String>,
    /// What time it was at the store and here when it answered; none if it did not answer or did not say.
    pub clock: Option<StoreClock>,
}

/// Credentials, of which nothing secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundCredentials {
    /// Where they come from.
    pub kind: CredentialKind,
    /// When they are renewed or end; none if they do not.
    pub expire_at: Option<Timestamp>,
}

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// The variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Environment,
    /// A profile of the files in `~/.aws`.
    Profile,
    /// A profile with single sign-on.
    SingleSignOn,
    /// A program that a profile names.
    Process,
    /// A token of a web identity, as Kubernetes hands it to a pod.
    WebIdentity,
    /// A role that was assumed.
    Role,
    /// The agent beside a container.
    Container,
    /// The metadata service of a machine.
    Machine,
    /// Something else.
    Other,
}

/// What time it was in two places at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreClock {
    /// At the store, in whole seconds.
    pub there: Timestamp,
    /// Here.
    pub here: Timestamp,
}

impl CredentialKind {
    /// Returns the name that people and programs see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Profile => "profile",
            Self::SingleSignOn => "sso",
            Self::Process => "process",
            Self::WebIdentity => "web-identity",
            Self::Role => "assumed-role",
            Self::Container => "container",
            Self::Machine => "imds",
            Self::Other => "other",
        }
    }

    fn of(credentials: &Credentials) -> Self {
        let features = credentials.get_property::<Vec<AwsCredentialFeature>>();
        let mut kinds = features.into_iter().flatten().filter_map(Self::of_feature);
        // The first one made them; those after it name what led there.
        kinds.next().unwrap_or(Self::Other)
    }

    fn of_feature(feature: &AwsCredentialFeature) -> Option<Self> {
        use AwsCredentialFeature as Feature;
        Some(match feature {
            Feature::CredentialsEnvVars => Self::Environment,
            Feature::CredentialsProfileSso | Feature::CredentialsSso => Self::SingleSignOn,
            Feature::CredentialsProfileProcess | Feature::CredentialsProcess => Self::Process,
            Feature::CredentialsEnvVarsStsWebIdToken
            | Feature::CredentialsProfileStsWebIdToken
            | Feature::CredentialsStsAssumeRoleWebId => Self::WebIdentity,
            Feature::CredentialsStsAssumeRole => Self::Role,
            Feature::CredentialsHttp => Self::Container,
            Feature::CredentialsImds => Self::Machine,
            Feature::CredentialsProfile
            | Feature::CredentialsProfileSourceProfile
            | Feature::CredentialsProfileNamedProvider => Self::Profile,
            _ => return None,
        })
    }
}

/// Looks for the credentials to a bucket, and asks its store for the time by a listing of one object, which may be denied.
///
/// # Errors
///
/// `Denied` if nothing says where the bucket is.
pub async fn inspect(at: &BucketPrefix, settings: &S3Settings) -> Result<Inspection, StorageError> {
    inspect_by(&environment(settings).await, at, settings).await
}

/// Inspects by an environment that was loaded. It is asked for credentials once: a profile may run a program for them.
async fn inspect_by(
    environment: &SdkConfig,
    at: &BucketPrefix,
    settings: &S3Settings,
) -> Result<Inspection, StorageError> {
    // Where nothing says where the bucket is, nobody is asked.
    Bucket::of(at, settings, environment)?;
    let found = match credentials(environment).await {
        Ok(found) => found,
        Err(why) => {
            return Ok(Inspection {
                credentials: Err(why),
                // Without credentials no request is sent.
                clock: None,
            });
        }
    };
    let credentials = FoundCredentials::of(&found);
    let signing = environment.to_builder();
    let signing = signing.credentials_provider(SharedCredentialsProvider::new(found));
    let bucket = Bucket::of(at, settings, &signing.build())?;
    Ok(Inspection {
        credentials: Ok(credentials),
        clock: bucket.clock().await,
    })
}

async fn credentials(environment: &SdkConfig) -> Result<Credentials, String> {
    let Some(provider) = environment.credentials_provider() else {
        return Err("nothing provides any".to_owned());
    };
    let found = provider.provide_credentials().await;
    found.map_err(|error| chain(&error))
}

impl FoundCredentials {
    fn of(found: &Credentials) -> Self {
        let expire_at = found.expiry().map(Timestamp::try_from);
        Self {
            kind: CredentialKind::of(found),
            // One beyond all times never comes.
            expire_at: expire_at.and_then(Result::ok),
        }
    }
}

impl Bucket {
    async fn clock(&self) -> Option<StoreClock> {
        let told = Told::default();
        let list = self.client.list_objects_v2().bucket(&self.at.bucket);
        let list = list.prefix(self.key("")).max_keys(1).customize();
        // A refusal has a date as well.
        let _ = list.interceptor(DateHeader(Arc::clone(&told))).send().await;
        *told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Told = Arc<Mutex<Option<StoreClock>>>;

/// Keeps the date that an answer has.
#[derive(Debug)]
struct DateHeader(Told);

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let here = SystemClock.now();
        if let Some(there) = context.response().headers().get("date").and_then(date) {
            let clock = StoreClock { there, here };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock);
        }
        Ok(())
    }
}

/// Returns the time in a header such as `Mon, 30 Nov 2026 00:08:53 GMT`.
fn date(header: &str) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(header).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::future;

    use super::*;
    use crate::s3::S3Credentials;

    /// Credentials that count how often they are asked for.
    #[derive(Debug, Clone, Default)]
    struct Counted(Arc<AtomicUsize>);

    impl ProvideCredentials for Counted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, Ordering::SeqCst);
            let found = Credentials::new("id", "secret", None, None, "tests");
            future::ProvideCredentials::ready(Ok(found))
        }
    }

    #[tokio::test]
    async fn credentials_are_asked_for_once() {
        let keys = S3Credentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned(),
        };
        let settings = S3Settings {
            max_attempts: 1,
            region: Some("us-east-1".to_owned()),
            ..S3Settings::at("http://127.0.0.1:9", keys)
        };
        let at = BucketPrefix {
            bucket: "bucket".to_owned(),
            prefix: String::new(),
        };
        let counted = Counted::default();
        let provider = SharedCredentialsProvider::new(counted.clone());
        let environment = environment(&settings).await.into_builder();
        let environment = environment.credentials_provider(provider).build();
        let found = inspect_by(&environment, &at, &settings).await.unwrap();
        assert_eq!(found.credentials.unwrap().kind, CredentialKind::Other);
        assert_eq!(found.clock, None);
        assert_eq!(counted.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_date_of_an_answer_is_a_time() {
        let then = date("Mon, 30 Nov 2026 00:08:53 GMT").unwrap();
        assert_eq!(then.to_string(), "2026-11-30T00:08:53Z");
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn credentials_are_of_the_kind_that_made_them_whatever_led_there() {
        use AwsCredentialFeature as Feature;
        let kind = |features: &[Feature]| {
            let mut credentials = Credentials::new("id", "secret", None, None, "tests");
            credentials.set_property(features.to_vec());
            CredentialKind::of(&credentials)
        };
        assert_eq!(
            kind(&[Feature::CredentialsSso, Feature::CredentialsProfile]),
            CredentialKind::SingleSignOn
        );
        assert_eq!(
            kind(&[
                Feature::ResolvedAccountId,
                Feature::CredentialsProfileStsWebIdToken
            ]),
            CredentialKind::WebIdentity
        );
        assert_eq!(
            kind(&[Feature::CredentialsEnvVars]),
            CredentialKind::Environment
        );
        assert_eq!(kind(&[]), CredentialKind::Other);
    }
}

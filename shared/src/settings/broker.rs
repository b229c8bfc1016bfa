//! Where the broker is. Its address holds a password, which nothing shows.

use std::fmt;
use std::time::Duration;

use super::raw::RawBroker;
use super::{SettingsError, bounds, defaults};
use crate::paths;

/// The variable that goes before the settings file.
pub const BROKER_URL: &str = "SYNTH2REAL_BROKER_URL";
/// The variables for an address that holds no user and password.
pub const BROKER_USER: &str = "SYNTH2REAL_BROKER_USER";
/// See [`BROKER_USER`].
pub const BROKER_PASSWORD: &str = "SYNTH2REAL_BROKER_PASSWORD";
/// The key of the address in the settings files.
const URL: &str = "broker.url";
/// The port of an address that names none.
const AMQP_PORT: u16 = 5672;
const NOT_SHOWN: &str = "not shown: it may hold a password";
/// Names at a broker have at most 255 bytes, and ours go on after the namespace.
const NAMESPACE_MAX: usize = 200;

/// Where the broker is.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. Never to be shown.
    url: String,
    /// What the names of queues and exchanges begin with.
    pub namespace: String,
    /// How long something that is to be published waits for the end of an alarm of the broker.
    pub alarm_patience: Duration,
}

impl BrokerConfig {
    /// Returns the broker at an address.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] if it is no AMQP address; the message does not show it.
    pub fn new(url: &str, namespace: Option<&str>) -> Result<Self, SettingsError> {
        Parts::of(url).map_err(|expected| SettingsError::value(URL, NOT_SHOWN, expected))?;
        let namespace = namespace.unwrap_or(defaults::NAMESPACE);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let length = 1..=NAMESPACE_MAX;
        if !length.contains(&namespace.len()) || !namespace.chars().all(allowed) {
            return Err(SettingsError::value(
                "broker.namespace",
                format!("{namespace:?}"),
                format!(
                    "must be 1 to {NAMESPACE_MAX} letters, digits, dashes, dots or underscores"
                ),
            ));
        }
        Ok(Self {
            url: url.to_owned(),
            namespace: namespace.to_owned(),
            alarm_patience: defaults::ALARM_PATIENCE,
        })
    }

    /// Returns the broker that the environment or else a settings file names, if any does.
    ///
    /// # Errors
    ///
    /// As [`Self::new`] and [`Self::with_credentials`].
    pub fn find(raw: Option<RawBroker>) -> Result<Option<Self>, SettingsError> {
        let raw = raw.unwrap_or_default();
        let patience = bounds::ALARM_PATIENCE_SECONDS.check_given(raw.alarm_patience_seconds)?;
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let broker = match (variable(BROKER_URL), raw.url) {
            (Some(url), _) => Self::new(&url, raw.namespace.as_deref()).map_err(|error| {
                error.renamed(|field| match field.as_str() {
                    URL => BROKER_URL.to_owned(),
                    _ => field,
                })
            })?,
            (None, Some(url)) => Self::new(&expanded(&url)?, raw.namespace.as_deref())?,
            (None, None) => return Ok(None),
        };
        let broker = Self {
            alarm_patience: patience.map_or(defaults::ALARM_PATIENCE, Duration::from_secs),
            ..broker
        };
        broker
            .with_credentials(
                variable(BROKER_USER).as_deref(),
                variable(BROKER_PASSWORD).as_deref(),
            )
            .map(Some)
    }

    /// Returns the same broker with a user and a password, unless its address holds them already.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Value`] if only one of them is there.
    pub fn with_credentials(
        self,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<Self, SettingsError> {
        let parts = self.parts();
        if parts.userinfo.is_some() {
            return Ok(self);
        }
        let missing = |field, other| {
            let expected = format!("must be set as {other} is");
            Err(SettingsError::value(field, "absent", expected))
        };
        match (user, password) {
            (None, None) => Ok(self),
            (Some(_), None) => missing(BROKER_PASSWORD, BROKER_USER),
            (None, Some(_)) => missing(BROKER_USER, BROKER_PASSWORD),
            (Some(user), Some(password)) => {
                let (user, password) = (percent_encoded(user), percent_encoded(password));
                let Parts {
                    scheme, host, rest, ..
                } = parts;
                let url = format!("{scheme}://{user}:{password}@{host}{rest}");
                Ok(Self { url, ..self })
            }
        }
    }

    /// Returns the address with its password. Only for the client that connects.
    #[must_use]
    pub fn secret_url(&self) -> &str {
        &self.url
    }

    /// Returns scheme, host, port and virtual host, without user and password.
    #[must_use]
    pub fn shown(&self) -> String {
        let Parts {
            scheme, host, rest, ..
        } = self.parts();
        let vhost = rest.split(['?', '#']).next().unwrap_or_default();
        format!("{scheme}://{host}{vhost}")
    }

    /// Returns the host if it is an IPv6 address, without its brackets.
    #[must_use]
    pub fn ipv6_host(&self) -> Option<&str> {
        let (host, _) = self.parts().host.strip_prefix('[')?.split_once(']')?;
        Some(host)
    }

    /// Returns host and port of a broker that is reached without TLS; none of one that is reached with it.
    pub(crate) fn plain_endpoint(&self) -> Option<(String, u16)> {
        let Parts { scheme, host, .. } = self.parts();
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
            _ => (host, AMQP_PORT),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        (scheme == "amqp").then(|| (name.to_owned(), port))
    }

    fn parts(&self) -> Parts<'_> {
        // An address that is none was refused; it is not shown here either.
        Parts::of(&self.url).unwrap_or_default()
    }
}

/// Returns an address of a settings file with `${NAME}` replaced. Other dollar signs may be part of a password.
fn expanded(url: &str) -> Result<String, SettingsError> {
    let mut expanded = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("${") {
        let refused = |expected| SettingsError::value(URL, NOT_SHOWN, expected);
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| refused("must have } after ${ and the name of a variable".to_owned()))?;
        expanded.push_str(before);
        expanded.push_str(&paths::variable(name).map_err(|error| refused(error.to_string()))?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// What an address is made of.
#[derive(Default)]
struct Parts<'a> {
    scheme: &'a str,
    /// `user:password`.
    userinfo: Option<&'a str>,
    /// With its port.
    host: &'a str,
    /// Virtual host and parameters.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes an address apart, or says what it must be without showing it.
    fn of(url: &'a str) -> Result<Self, String> {
        let known = |scheme: &&str| ["amqp", "amqps"].contains(scheme);
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| known(scheme))
            .ok_or_else(|| {
                format!("must begin with amqp:// or amqps://, here or in {BROKER_URL}")
            })?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if rest.contains('@') {
            return Err(
                "must have / as %2F, ? as %3F, # as %23 and @ as %40 in user, password and virtual host"
                    .to_owned(),
            );
        }
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        if name.is_empty() || !port.is_none_or(is_port) {
            return Err("must name a host, and a port from 1 to 65535 if any".to_owned());
        }
        Ok(Self {
            scheme,
            userinfo,
            host,
            rest,
        })
    }
}

/// Returns text as it stands in an address: everything but letters and digits is escaped.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig")
            .field("url", &self.shown())
            .field("namespace", &self.namespace)
            .field("alarm_patience", &self.alarm_patience)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_the_password() {
        let broker = BrokerConfig::new("amqps://user:s3cr@t@host:5671/%2f?x=1", None).unwrap();
        assert_eq!(broker.shown(), "amqps://host:5671/%2f");
        assert!(!format!("{broker:?}").contains("s3cr"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_it() {
        for (url, expected) in [
            ("http://user:s3cret@host", "must begin with amqp://"),
            ("amqp://user:s3/cret@host", "must have / as %2F"),
            ("amqp://user:s3cret@host:x", "must name a host, and a port"),
            ("amqp://user:s3cret@", "must name a host"),
        ] {
            let message = BrokerConfig::new(url, None).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("cret"), "{message}");
        }
    }

    #[test]
    fn user_and_password_come_from_the_environment_if_the_address_has_none() {
        let broker = |url| BrokerConfig::new(url, None).unwrap();
        let with = |url| broker(url).with_credentials(Some("me@work"), Some("p:/% 1"));
        assert_eq!(
            with("amqp://host:5672/%2f?heartbeat=5")
                .unwrap()
                .secret_url(),
            "amqp://me%40work:p%3A%2F%25%201@host:5672/%2f?heartbeat=5"
        );
        let own = "amqp://user:own@host";
        assert_eq!(with(own).unwrap().secret_url(), own);
        let half = broker("amqp://host").with_credentials(Some("me"), None);
        let message = half.unwrap_err().to_string();
        let expected =
            "SYNTH2REAL_BROKER_PASSWORD (absent) must be set as SYNTH2REAL_BROKER_USER is";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_variable_in_an_address_is_expanded_and_its_value_is_in_no_message() {
        let home = std::env::var("HOME").unwrap();
        assert_eq!(
            expanded("amqp://me:pa$$w$rd@${HOME}:1").unwrap(),
            format!("amqp://me:pa$$w$rd@{home}:1")
        );
        for (url, words) in [
            (
                "amqp://me:${SYNTH2REAL_NOWHERE}@h",
                "SYNTH2REAL_NOWHERE is not set",
            ),
            ("amqp://me:s3cret${HOME@h", "must have } after ${"),
            // A home folder has slashes, which an address has not.
            ("amqp://me:${HOME}@h", "must have / as %2F"),
        ] {
            let found = expanded(url).and_then(|url| BrokerConfig::new(&url, None));
            let message = found.unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
            assert!(
                !message.contains(&home) && !message.contains("s3cret"),
                "{message}"
            );
        }
    }

    #[test]
    fn an_address_without_tls_has_a_host_and_a_port() {
        for (url, expected) in [
            ("amqp://user:x@host:5673/%2f", Some(("host", 5673))),
            ("amqp://host", Some(("host", 5672))),
            ("amqp://[::1]", Some(("::1", 5672))),
            ("amqp://[::1]:5673/v?heartbeat=3", Some(("::1", 5673))),
            ("amqps://host", None),
        ] {
            let broker = BrokerConfig::new(url, None).unwrap();
            let found = broker.plain_endpoint();
            let found = found.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn an_ipv6_address_is_a_host() {
        let broker = BrokerConfig::new("amqp://user:x@[::1]:5672/%2f", None).unwrap();
        assert_eq!(broker.ipv6_host(), Some("::1"));
        assert_eq!(broker.shown(), "amqp://[::1]:5672/%2f");
        assert!(BrokerConfig::new("amqp://[::1]", None).is_ok());
    }
}

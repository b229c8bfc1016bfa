//! The token that opens the dashboard.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};
use shared::http_server::Peer;
use shared::rate::RateLimit;
use tokio::sync::Semaphore;

use super::session;

/// Shorter ones can be guessed.
const MIN_LENGTH: usize = 16;
/// Wrong tokens that wait at once; others are turned away.
const TRIES_AT_ONCE: usize = 4;
/// How long a wrong one waits, so that nobody tries many.
const WRONG_COSTS: Duration = Duration::from_secs(1);
/// Wrong ones that are logged in a minute; how many others there were is said with the next.
const LOGGED_PER_MINUTE: u32 = 10;
/// What a proxy in front says of who asks.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The longest such word that is believed to be one.
const MAX_FORWARDED: usize = 100;

/// The token that opens the dashboard. Nothing shows it.
pub struct Token {
    secret: String,
    tries: Semaphore,
    logged: RateLimit,
}

/// Who gives a token.
#[derive(Debug)]
pub(super) struct Caller {
    /// Who is connected: a proxy, if there is one in front.
    peer: Option<IpAddr>,
    /// For whom, as the proxy says, or as anybody says who connects without one.
    forwarded_for: Option<String>,
}

impl Caller {
    pub(super) fn of(request: &Request) -> Self {
        Self::new(
            request.extensions().get::<Peer>().copied(),
            request.headers(),
        )
    }

    pub(super) fn new(peer: Option<Peer>, headers: &HeaderMap) -> Self {
        let plain = |text: &&str| {
            let all = text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ');
            all && text.len() <= MAX_FORWARDED
        };
        let forwarded = headers.get(FORWARDED).and_then(|text| text.to_str().ok());
        Self {
            peer: peer.map(|Peer(address)| address),
            forwarded_for: forwarded.filter(plain).map(str::to_owned),
        }
    }
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has {length} characters and must have at least {MIN_LENGTH}: `openssl rand -hex 32` makes a good one"
)]
pub struct TokenError {
    length: usize,
}

/// What somebody's token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// The right one.
    Right,
    /// Another one.
    Wrong,
    /// Another one, as many others just now.
    TooMany,
}

impl Token {
    /// Returns a token, without the white space around it.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if it is too short.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let secret = text.trim().to_owned();
        let length = secret.chars().count();
        if length < MIN_LENGTH {
            return Err(TokenError { length });
        }
        Ok(Self {
            secret,
            tries: Semaphore::new(TRIES_AT_ONCE),
            logged: RateLimit::new(LOGGED_PER_MINUTE, Duration::from_secs(60)),
        })
    }

    /// Returns whether somebody knows the token. A wrong one takes time, and keeps no right one waiting.
    pub(super) async fn check(&self, given: &str, caller: &Caller) -> Checked {
        if session::same(&self.secret, given.trim()) {
            return Checked::Right;
        }
        if let Some(num_unsaid) = self.logged.pass(Instant::now()) {
            tracing::warn!(
                peer = caller.peer.map(tracing::field::display),
                forwarded_for = caller.forwarded_for.as_deref(),
                num_unsaid,
                "a wrong token"
            );
        }
        let Ok(_place) = self.tries.try_acquire() else {
            return Checked::TooMany;
        };
        tokio::time::sleep(WRONG_COSTS).await;
        Checked::Wrong
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn nobody() -> Caller {
        Caller::new(None, &HeaderMap::new())
    }

    #[test]
    fn what_a_proxy_says_is_a_short_word_or_nothing() {
        let of = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(
                FORWARDED,
                axum::http::HeaderValue::from_bytes(text).unwrap(),
            );
            Caller::new(None, &headers).forwarded_for
        };
        assert_eq!(
            of(b"203.0.113.9, 10.0.0.1").as_deref(),
            Some("203.0.113.9, 10.0.0.1")
        );
        assert_eq!(of("gr\u{fc}n".as_bytes()), None);
        assert_eq!(of(&[b'1'; MAX_FORWARDED + 1]), None);
    }

    #[tokio::test]
    async fn wrong_tokens_take_time_or_are_turned_away_and_the_right_one_passes_them() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        let started = Instant::now();
        let wrong = (0..2 * TRIES_AT_ONCE).map(|number| {
            let token = &token;
            async move { token.check(&format!("guess {number}"), &nobody()).await }
        });
        let right = async {
            let checked = token.check("0123456789abcdef", &nobody()).await;
            (checked, started.elapsed())
        };
        let (wrong, (right, waited)) = tokio::join!(futures::future::join_all(wrong), right);
        assert_eq!(right, Checked::Right);
        assert!(waited < WRONG_COSTS);
        assert!(started.elapsed() >= WRONG_COSTS);
        let (waited, turned_away) = wrong.split_at(TRIES_AT_ONCE);
        assert_eq!(waited, [Checked::Wrong; TRIES_AT_ONCE]);
        assert_eq!(turned_away, [Checked::TooMany; TRIES_AT_ONCE]);
    }

    #[test]
    fn a_short_token_is_refused_and_none_is_shown() {
        let error = Token::new("secret").unwrap_err().to_string();
        assert!(
            error.contains("6 characters") && !error.contains("secret"),
            "{error}"
        );
        assert_eq!(
            format!("{:?}", Token::new("0123456789abcdef").unwrap()),
            "Token"
        );
    }
}

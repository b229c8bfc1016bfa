//! The token that opens the dashboard: how it is checked, and what slows down guessing it.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName};
use shared::http_server::Peer;
use shared::rate::RateLimit;
use tokio::sync::Semaphore;

use super::session;

/// Fewest characters of a token; shorter ones can be guessed.
const MIN_LENGTH: usize = 16;
/// Wrong tokens that are held back at once; further ones are turned away.
const TRIES_AT_ONCE: usize = 4;
/// How long the answer to a wrong token is held back, so that few can be tried.
const WRONG_DELAY: Duration = Duration::from_secs(1);
/// Wrong tokens that are logged in a minute; the next one that is logged says how many were not.
const LOGGED_PER_MINUTE: u32 = 10;
/// The header in which a proxy names the client.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Most bytes of that header that are logged.
const MAX_FORWARDED: usize = 100;

/// The token that opens the dashboard. Its `Debug` hides it.
pub struct Token {
    secret: String,
    tries: Semaphore,
    logged: RateLimit,
}

/// The client that sends a token, for the log.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The address of the connection: a proxy, if there is one in front.
    peer: Option<IpAddr>,
    /// The client that the proxy names; a client without a proxy can write anything here.
    forwarded_for: Option<String>,
}

impl Caller {
    pub(crate) fn of(request: &Request) -> Self {
        Self::new(
            request.extensions().get::<Peer>().copied(),
            request.headers(),
        )
    }

    pub(crate) fn new(peer: Option<Peer>, headers: &HeaderMap) -> Self {
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

/// The verdict on a token that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenCheck {
    /// The right one.
    Right,
    /// Another one.
    Wrong,
    /// Another one, while too many wrong ones are held back.
    TooMany,
}

impl Token {
    /// Returns the token in `text`, without the white space around it.
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

    /// Checks a token. The answer to a wrong one takes time, and keeps no right one waiting.
    pub(crate) async fn check(&self, given: &str, caller: &Caller) -> TokenCheck {
        if session::same(&self.secret, given.trim()) {
            return TokenCheck::Right;
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
            return TokenCheck::TooMany;
        };
        tokio::time::sleep(WRONG_DELAY).await;
        TokenCheck::Wrong
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

    fn caller() -> Caller {
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
            async move { token.check(&format!("guess {number}"), &caller()).await }
        });
        let right = async {
            let checked = token.check("0123456789abcdef", &caller()).await;
            (checked, started.elapsed())
        };
        let (wrong, (right, waited)) = tokio::join!(futures::future::join_all(wrong), right);
        assert_eq!(right, TokenCheck::Right);
        assert!(waited < WRONG_DELAY);
        assert!(started.elapsed() >= WRONG_DELAY);
        let (waited, turned_away) = wrong.split_at(TRIES_AT_ONCE);
        assert_eq!(waited, [TokenCheck::Wrong; TRIES_AT_ONCE]);
        assert_eq!(turned_away, [TokenCheck::TooMany; TRIES_AT_ONCE]);
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

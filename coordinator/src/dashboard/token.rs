//! The token that opens the dashboard.

use std::fmt;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::session;

/// Shorter ones can be guessed.
const MIN_LENGTH: usize = 16;
/// Tokens that are looked at at once.
const TRIES_AT_ONCE: usize = 4;
/// How long a wrong one keeps its place, so that nobody tries many.
const WRONG_COSTS: Duration = Duration::from_secs(1);

/// The token that opens the dashboard. Nothing shows it.
pub struct Token {
    secret: String,
    tries: Semaphore,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has {length} characters and must have at least {MIN_LENGTH}: `openssl rand -hex 32` makes a good one"
)]
pub struct TokenError {
    length: usize,
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
        })
    }

    /// Returns whether somebody knows the token. A wrong one takes time.
    pub(super) async fn is(&self, given: &str) -> bool {
        let Ok(_place) = self.tries.acquire().await else {
            return false;
        };
        let right = session::same(&self.secret, given.trim());
        if !right {
            tokio::time::sleep(WRONG_COSTS).await;
        }
        right
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

    #[tokio::test]
    async fn wrong_tokens_take_time_and_the_right_one_none() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        let started = Instant::now();
        assert!(token.is("0123456789abcdef").await);
        assert!(started.elapsed() < WRONG_COSTS);
        let wrong = (0..2 * TRIES_AT_ONCE).map(|number| {
            let token = &token;
            async move { token.is(&format!("guess {number}")).await }
        });
        assert!(!futures::future::join_all(wrong).await.contains(&true));
        assert!(started.elapsed() >= 2 * WRONG_COSTS);
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

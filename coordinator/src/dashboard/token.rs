//! The token that opens the dashboard.

use std::fmt;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::session;

/// Shorter ones can be guessed.
const MIN_LENGTH: usize = 16;
/// Wrong tokens that wait at once; others are turned away.
const TRIES_AT_ONCE: usize = 4;
/// How long a wrong one waits, so that nobody tries many.
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
        })
    }

    /// Returns whether somebody knows the token. A wrong one takes time, and keeps no right one waiting.
    pub(super) async fn check(&self, given: &str) -> Checked {
        if session::same(&self.secret, given.trim()) {
            return Checked::Right;
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

    #[tokio::test]
    async fn wrong_tokens_take_time_or_are_turned_away_and_the_right_one_passes_them() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        let started = Instant::now();
        let wrong = (0..2 * TRIES_AT_ONCE).map(|number| {
            let token = &token;
            async move { token.check(&format!("guess {number}")).await }
        });
        let right = async {
            let checked = token.check("0123456789abcdef").await;
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

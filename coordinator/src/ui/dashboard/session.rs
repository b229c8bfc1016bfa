//! Who looks at the dashboard: random sessions.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::digest;
use subtle::ConstantTimeEq;

/// After this long somebody has to log in again.
pub(super) const LASTS: Duration = Duration::from_secs(7 * 86_400);
/// Sessions, and notices for their pages, that are kept at most; the oldest goes when another one comes.
const MOST: usize = 4096;

/// The sessions of a dashboard.
///
/// Those that a token opened are kept, so that they can be closed. Where none is needed, a session is a random secret of
/// the browser's, signed when it comes back: however many are opened, nothing is kept and nobody's is driven out.
#[derive(Debug)]
pub(super) struct Sessions {
    key: String,
    /// By the digests of their secrets.
    opened: Mutex<HashMap<String, Session>>,
    notices: Mutex<HashMap<String, Notice>>,
}

#[derive(Debug)]
struct Session {
    opened: Instant,
    /// What a form must bring along, which no other site can know.
    csrf: String,
}

/// What is to be said on a session's next page.
#[derive(Debug)]
struct Notice {
    since: Instant,
    text: String,
}

/// What a new session is known by.
pub(super) struct Opened {
    /// What the browser keeps.
    pub(super) secret: String,
    /// What forms bring along.
    pub(super) csrf: String,
}

/// Returns 256 random bits of the operating system as hexadecimal digits.
pub(super) fn random() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(digest::sha256(&bytes))
}

/// Returns whether two secrets are the same, in a time that tells nothing about where they differ.
pub(super) fn same(a: &str, b: &str) -> bool {
    let digests = [a, b].map(|text| digest::sha256(text.as_bytes()));
    digests[0].as_bytes().ct_eq(digests[1].as_bytes()).into()
}

/// Returns what is kept, without the oldest if it is full.
fn with_room<T>(
    kept: &Mutex<HashMap<String, T>>,
    since: impl Fn(&T) -> Instant,
) -> MutexGuard<'_, HashMap<String, T>> {
    let mut kept = lock(kept);
    kept.retain(|_, one| since(one).elapsed() < LASTS);
    if kept.len() >= MOST {
        let oldest = kept.iter().min_by_key(|one| since(one.1));
        if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
            kept.remove(&oldest);
        }
    }
    kept
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(secret: &str) -> String {
    digest::sha256(secret.as_bytes())
}

impl Sessions {
    /// Returns no sessions yet, and what signs those that are not kept.
    pub(super) fn new(key: String) -> Self {
        Self {
            key,
            opened: Mutex::default(),
            notices: Mutex::default(),
        }
    }

    /// Opens a session that is kept.
    pub(super) fn open(&self) -> std::io::Result<Opened> {
        let (secret, csrf) = (random()?, random()?);
        let session = Session {
            opened: Instant::now(),
            csrf: csrf.clone(),
        };
        with_room(&self.opened, |session| session.opened).insert(name(&secret), session);
        Ok(Opened { secret, csrf })
    }

    /// Returns what forms of a kept session bring along; none if there is no such session.
    pub(super) fn csrf(&self, secret: &str) -> Option<String> {
        let sessions = lock(&self.opened);
        let session = sessions.get(&name(secret))?;
        (session.opened.elapsed() < LASTS).then(|| session.csrf.clone())
    }

    /// Returns what forms of a session bring along that is not kept; none if no secret of ours looks like this.
    pub(super) fn signed(&self, secret: &str) -> Option<Opened> {
        let is_ours = secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| Opened {
            secret: secret.to_owned(),
            csrf: digest::sha256(format!("{}{}", self.key, name(secret)).as_bytes()),
        })
    }

    /// Has something said on the session's next page.
    pub(super) fn say(&self, secret: &str, text: String) {
        let notice = Notice {
            since: Instant::now(),
            text,
        };
        with_room(&self.notices, |notice| notice.since).insert(name(secret), notice);
    }

    /// Returns what is to be said, once.
    pub(super) fn take_notice(&self, secret: &str) -> Option<String> {
        let notice = lock(&self.notices).remove(&name(secret))?;
        Some(notice.text)
    }

    /// Ends a session.
    pub(super) fn close(&self, secret: &str) {
        lock(&self.opened).remove(&name(secret));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new("key".to_owned())
    }

    #[test]
    fn whoever_needs_no_token_has_a_session_that_no_flood_drives_out() {
        let sessions = sessions();
        let secret = random().unwrap();
        let first = sessions.signed(&secret).unwrap();
        for _ in 0..2 * MOST {
            let other = sessions.signed(&random().unwrap()).unwrap();
            assert_ne!(other.csrf, first.csrf);
        }
        assert_eq!(sessions.signed(&secret).unwrap().csrf, first.csrf);
        assert!(lock(&sessions.opened).is_empty() && lock(&sessions.notices).is_empty());
        let other_process = Sessions::new("another key".to_owned());
        assert_ne!(other_process.signed(&secret).unwrap().csrf, first.csrf);
        for foreign in ["", "a", "secret; Path=/", &secret[1..]] {
            assert!(sessions.signed(foreign).is_none());
        }
    }

    #[test]
    fn a_session_is_known_by_its_secret_until_it_is_closed() {
        let sessions = sessions();
        let opened = sessions.open().unwrap();
        assert_eq!(sessions.csrf(&opened.secret), Some(opened.csrf));
        assert_eq!(sessions.csrf("another"), None);
        sessions.say(&opened.secret, "done".to_owned());
        assert_eq!(
            sessions.take_notice(&opened.secret),
            Some("done".to_owned())
        );
        assert_eq!(sessions.take_notice(&opened.secret), None);
        sessions.close(&opened.secret);
        assert_eq!(sessions.csrf(&opened.secret), None);
    }

    #[test]
    fn a_flood_of_sessions_drives_out_the_oldest() {
        let sessions = sessions();
        let first = sessions.open().unwrap();
        for _ in 0..MOST {
            sessions.open().unwrap();
        }
        assert_eq!(sessions.csrf(&first.secret), None);
        assert_eq!(lock(&sessions.opened).len(), MOST);
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("a token", "a token"));
        assert!(!same("a token", "a toke"));
        assert!(!same("a token", ""));
    }
}

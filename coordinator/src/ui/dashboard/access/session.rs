//! Sessions of browsers: random secrets, the proofs that their forms bring along, and notices for their next page.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::digest;
use subtle::ConstantTimeEq;

/// How long a session lasts before the next login.
pub(crate) const LASTS: Duration = Duration::from_secs(7 * 86_400);
/// Most sessions, and most notices, that are kept; the oldest goes when another one comes.
const MAX_KEPT: usize = 4096;

/// The sessions of a dashboard.
///
/// Those that a token opened are kept, so that they can be closed. Where no token is needed, a session is a random secret
/// that only the browser keeps, and its proof is derived from it with a key: however many are opened, none takes memory
/// and none drives out another.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// What proofs of sessions that are not kept are derived with.
    key: String,
    /// Sessions by the digests of their secrets.
    opened: Mutex<HashMap<String, Session>>,
    notices: Mutex<HashMap<String, Notice>>,
}

#[derive(Debug)]
struct Session {
    opened: Instant,
    /// The proof that a form must bring along, which no other site can know.
    csrf: String,
}

/// A text for a session's next page.
#[derive(Debug)]
struct Notice {
    since: Instant,
    text: String,
}

/// The two secrets of a session.
pub(crate) struct SessionSecrets {
    /// What the browser keeps in its cookie.
    pub(crate) secret: String,
    /// The proof that its forms bring along.
    pub(crate) csrf: String,
}

/// Returns 256 random bits of the operating system as hexadecimal digits.
pub(crate) fn random() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(digest::sha256(&bytes))
}

/// Returns whether two secrets are the same, in a time that tells nothing about where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let digests = [a, b].map(|text| digest::sha256(text.as_bytes()));
    digests[0].as_bytes().ct_eq(digests[1].as_bytes()).into()
}

/// Returns a map without what has expired, and without its oldest entry if it is full.
fn with_room<T>(
    kept: &Mutex<HashMap<String, T>>,
    since: impl Fn(&T) -> Instant,
) -> MutexGuard<'_, HashMap<String, T>> {
    let mut kept = lock(kept);
    kept.retain(|_, one| since(one).elapsed() < LASTS);
    if kept.len() >= MAX_KEPT {
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

/// Returns the key of a session in the maps.
fn name(secret: &str) -> String {
    digest::sha256(secret.as_bytes())
}

impl Sessions {
    /// Returns an empty set; `key` derives the proofs of sessions that are not kept.
    pub(crate) fn new(key: String) -> Self {
        Self {
            key,
            opened: Mutex::default(),
            notices: Mutex::default(),
        }
    }

    /// Opens a session that is kept.
    pub(crate) fn open(&self) -> std::io::Result<SessionSecrets> {
        let (secret, csrf) = (random()?, random()?);
        let session = Session {
            opened: Instant::now(),
            csrf: csrf.clone(),
        };
        with_room(&self.opened, |session| session.opened).insert(name(&secret), session);
        Ok(SessionSecrets { secret, csrf })
    }

    /// Returns the proof of a kept session; none if there is no such session or it has expired.
    pub(crate) fn csrf(&self, secret: &str) -> Option<String> {
        let sessions = lock(&self.opened);
        let session = sessions.get(&name(secret))?;
        (session.opened.elapsed() < LASTS).then(|| session.csrf.clone())
    }

    /// Returns a session that is not kept, with its derived proof; none if the secret does not look like
    /// one of [`random`].
    pub(crate) fn signed(&self, secret: &str) -> Option<SessionSecrets> {
        let is_ours = secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_ours.then(|| SessionSecrets {
            secret: secret.to_owned(),
            csrf: digest::sha256(format!("{}{}", self.key, name(secret)).as_bytes()),
        })
    }

    /// Stores a notice for the session's next page.
    pub(crate) fn set_notice(&self, secret: &str, text: String) {
        let notice = Notice {
            since: Instant::now(),
            text,
        };
        with_room(&self.notices, |notice| notice.since).insert(name(secret), notice);
    }

    /// Returns the notice for the session's next page, and removes it.
    pub(crate) fn take_notice(&self, secret: &str) -> Option<String> {
        let notice = lock(&self.notices).remove(&name(secret))?;
        Some(notice.text)
    }

    /// Closes a kept session.
    pub(crate) fn close(&self, secret: &str) {
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
    fn where_no_token_is_needed_a_session_is_not_driven_out_by_a_flood() {
        let sessions = sessions();
        let secret = random().unwrap();
        let first = sessions.signed(&secret).unwrap();
        for _ in 0..2 * MAX_KEPT {
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
        sessions.set_notice(&opened.secret, "done".to_owned());
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
        for _ in 0..MAX_KEPT {
            sessions.open().unwrap();
        }
        assert_eq!(sessions.csrf(&first.secret), None);
        assert_eq!(lock(&sessions.opened).len(), MAX_KEPT);
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("a token", "a token"));
        assert!(!same("a token", "a toke"));
        assert!(!same("a token", ""));
    }
}

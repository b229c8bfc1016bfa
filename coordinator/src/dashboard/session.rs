//! Who looks at the dashboard: random sessions, kept in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::digest;
use subtle::ConstantTimeEq;

/// After this long somebody has to log in again.
pub(super) const LASTS: Duration = Duration::from_secs(7 * 86_400);
/// Sessions that are kept at most; the oldest goes when another one comes.
const MOST: usize = 4096;

/// The sessions, by the digests of their secrets.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

#[derive(Debug)]
struct Session {
    opened: Instant,
    /// What a form must bring along, which no other site can know.
    csrf: String,
    /// What is to be said on the next page.
    notice: Option<String>,
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

impl Sessions {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session.
    pub(super) fn open(&self) -> std::io::Result<Opened> {
        let (secret, csrf) = (random()?, random()?);
        let mut sessions = self.sessions();
        sessions.retain(|_, session| session.opened.elapsed() < LASTS);
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.opened);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                sessions.remove(&oldest);
            }
        }
        let session = Session {
            opened: Instant::now(),
            csrf: csrf.clone(),
            notice: None,
        };
        sessions.insert(digest::sha256(secret.as_bytes()), session);
        Ok(Opened { secret, csrf })
    }

    /// Returns what forms of a session bring along; none if there is no such session.
    pub(super) fn csrf(&self, secret: &str) -> Option<String> {
        let sessions = self.sessions();
        let session = sessions.get(&digest::sha256(secret.as_bytes()))?;
        (session.opened.elapsed() < LASTS).then(|| session.csrf.clone())
    }

    /// Has something said on the session's next page.
    pub(super) fn say(&self, secret: &str, notice: String) {
        if let Some(session) = self.sessions().get_mut(&digest::sha256(secret.as_bytes())) {
            session.notice = Some(notice);
        }
    }

    /// Returns what is to be said, once.
    pub(super) fn take_notice(&self, secret: &str) -> Option<String> {
        let mut sessions = self.sessions();
        sessions
            .get_mut(&digest::sha256(secret.as_bytes()))?
            .notice
            .take()
    }

    /// Ends a session.
    pub(super) fn close(&self, secret: &str) {
        self.sessions().remove(&digest::sha256(secret.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_secret_until_it_is_closed() {
        let sessions = Sessions::default();
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
        let sessions = Sessions::default();
        let first = sessions.open().unwrap();
        for _ in 0..MOST {
            sessions.open().unwrap();
        }
        assert_eq!(sessions.csrf(&first.secret), None);
        assert_eq!(sessions.sessions().len(), MOST);
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("a token", "a token"));
        assert!(!same("a token", "a toke"));
        assert!(!same("a token", ""));
    }
}

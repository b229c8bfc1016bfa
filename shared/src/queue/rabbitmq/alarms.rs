//! The broker's alarm, as all connections know of it. It is said once, however many of them are held up.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What all connections to a broker are told of its alarm.
#[derive(Default)]
pub(super) struct Alarms {
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    held_up: Vec<HeldUp>,
    is_told: bool,
}

/// A connection that was held up.
struct HeldUp {
    reason: String,
    /// Whether it still is.
    lasts: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Alarms {
    /// Returns the broker's reason, while it holds a connection up.
    pub(super) fn reason(&self) -> Option<String> {
        let heard = self.heard();
        let held_up = heard.held_up.iter().find(|held_up| (held_up.lasts)());
        held_up.map(|held_up| held_up.reason.clone())
    }

    /// Takes note that a connection is held up; returns whether that is to be told.
    pub(super) fn begin(
        &self,
        reason: String,
        lasts: impl Fn() -> bool + Send + Sync + 'static,
    ) -> bool {
        let mut heard = self.heard();
        heard.forget_past();
        let lasts = Box::new(lasts);
        heard.held_up.push(HeldUp { reason, lasts });
        !std::mem::replace(&mut heard.is_told, true)
    }

    /// Takes note that a connection goes on; returns whether that is to be told: it was the last one.
    pub(super) fn end(&self) -> bool {
        let mut heard = self.heard();
        let was_told = heard.is_told;
        heard.forget_past();
        was_told && !heard.is_told
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn forget_past(&mut self) {
        self.held_up.retain(|held_up| (held_up.lasts)());
        if self.held_up.is_empty() {
            self.is_told = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Holds a connection up; returns whether that is to be told, and what ends it.
    fn held_up(alarms: &Alarms, reason: &str) -> (bool, Arc<AtomicBool>) {
        let lasts = Arc::new(AtomicBool::new(true));
        let same = Arc::clone(&lasts);
        let told = alarms.begin(reason.to_owned(), move || same.load(Ordering::Relaxed));
        (told, lasts)
    }

    #[test]
    fn an_alarm_that_holds_many_connections_up_is_told_once_and_so_is_its_end() {
        let alarms = Alarms::default();
        assert_eq!(alarms.reason(), None);
        let (first, publishes) = held_up(&alarms, "low on memory");
        let (second, tells) = held_up(&alarms, "low on memory");
        assert_eq!((first, second), (true, false));
        assert_eq!(alarms.reason().as_deref(), Some("low on memory"));
        publishes.store(false, Ordering::Relaxed);
        assert!(!alarms.end(), "one is still held up");
        tells.store(false, Ordering::Relaxed);
        assert_eq!(alarms.reason(), None);
        assert!(alarms.end());
        assert!(!alarms.end());
    }

    #[test]
    fn a_connection_that_broke_while_it_was_held_up_keeps_no_later_alarm_from_being_told() {
        let alarms = Alarms::default();
        let (_, broke) = held_up(&alarms, "low on memory");
        broke.store(false, Ordering::Relaxed);
        let (told, _lasts) = held_up(&alarms, "low on disk");
        assert!(told);
        assert_eq!(alarms.reason().as_deref(), Some("low on disk"));
    }
}

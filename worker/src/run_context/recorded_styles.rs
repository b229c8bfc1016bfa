//! What was recorded of styles, for methods that keep little of each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::warning::ItemWarning;

/// Recorded styles, as many as are asked for at once.
pub(super) struct RecordedStyles<T>(Mutex<Latest<T>>);

/// A recorded style.
pub(super) struct RecordedStyle<T> {
    /// Its name in the dataset.
    pub(super) name: String,
    /// What it lends to outputs.
    pub(super) lent: T,
    /// What a person should know about it.
    pub(super) warning: Option<ItemWarning>,
}

/// Styles, those used last at the end.
struct Latest<T> {
    styles: VecDeque<Arc<RecordedStyle<T>>>,
    max: usize,
}

impl<T> RecordedStyles<T> {
    /// Returns a place for so many styles, of which no shard has more.
    pub(super) fn new(max_styles: usize) -> Self {
        Self(Mutex::new(Latest {
            styles: VecDeque::new(),
            max: max_styles.max(1),
        }))
    }

    /// Returns whether a style is there, which is now the one used last.
    pub(super) fn has(&self, name: &str) -> bool {
        self.latest().touch(name).is_some()
    }

    /// Keeps a style; of too many, the one that was not used for longest goes.
    pub(super) fn keep(&self, style: RecordedStyle<T>) {
        self.latest().keep(style);
    }

    /// Returns the styles of a pass, all of them recorded before.
    pub(super) fn of(&self, names: &[String]) -> Vec<Arc<RecordedStyle<T>>> {
        let mut latest = self.latest();
        let touch = |name: &String| {
            latest
                .touch(name)
                .expect("as many styles are kept as a shard has, and these were used last")
        };
        names.iter().map(touch).collect()
    }

    fn latest(&self) -> MutexGuard<'_, Latest<T>> {
        // Nothing is half-changed where its holder can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Latest<T> {
    /// Returns a style, which is now the one used last.
    fn touch(&mut self, name: &str) -> Option<Arc<RecordedStyle<T>>> {
        let at = self.styles.iter().position(|style| style.name == name)?;
        let style = self.styles.remove(at)?;
        self.styles.push_back(Arc::clone(&style));
        Some(style)
    }

    fn keep(&mut self, style: RecordedStyle<T>) {
        self.styles.retain(|other| other.name != style.name);
        self.styles.push_back(Arc::new(style));
        if self.styles.len() > self.max {
            self.styles.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(name: &str, lent: u8) -> RecordedStyle<u8> {
        RecordedStyle {
            name: name.to_owned(),
            lent,
            warning: None,
        }
    }

    #[test]
    fn the_styles_that_were_used_last_are_kept() {
        let styles = RecordedStyles::new(2);
        styles.keep(style("night", 1));
        styles.keep(style("snow", 2));
        assert!(styles.has("night"));
        styles.keep(style("autumn", 3));
        assert!(!styles.has("snow"));
        assert!(styles.has("night"));
        styles.keep(style("night", 4));
        assert!(styles.has("autumn"));
        let of_pass = styles.of(&["night".to_owned(), "autumn".to_owned()]);
        let lent: Vec<u8> = of_pass.iter().map(|style| style.lent).collect();
        assert_eq!(lent, [4, 3]);
    }
}

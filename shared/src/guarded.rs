//! Runs third-party decoders so that a panic over a damaged file becomes an error.
//!
//! Such a panic is damage of the file and no defect of the program: its message, which tells a person nothing, is not
//! printed.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Decoders that are at work in this thread.
    static AT_WORK: Cell<usize> = const { Cell::new(0) };
}

static HOOK: Once = Once::new();

/// A decoder panicked over its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it contradicts itself")]
pub struct Panicked;

/// Runs a decoder and returns its result. State that it shares must not be used after a panic.
///
/// # Errors
///
/// [`Panicked`] if it panics in this thread.
pub fn decode<T>(decoder: impl FnOnce() -> T) -> Result<T, Panicked> {
    HOOK.call_once(be_quiet_at_work);
    let _at_work = AtWork::begin();
    panic::catch_unwind(AssertUnwindSafe(decoder)).map_err(|_| Panicked)
}

/// Installs a panic hook that prints nothing for decoders at work, and all other panics as before.
fn be_quiet_at_work() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // A thread that is ending has no decoder at work.
        let is_at_work = AT_WORK.try_with(|at_work| at_work.get() > 0);
        if !is_at_work.unwrap_or(false) {
            print(info);
        }
    }));
}

/// Marks that a decoder is at work in this thread, until it is dropped.
struct AtWork;

impl AtWork {
    fn begin() -> Self {
        AT_WORK.set(AT_WORK.get() + 1);
        Self
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.set(AT_WORK.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_an_error_and_what_it_returns_is_passed_on() {
        assert_eq!(decode(|| 7), Ok(7));
        assert_eq!(decode(|| -> u8 { panic!("of the decoder") }), Err(Panicked));
        let within = || decode(|| -> u8 { panic!("of the decoder") });
        assert_eq!(decode(within), Ok(Err(Panicked)));
        assert_eq!(AT_WORK.get(), 0);
    }
}

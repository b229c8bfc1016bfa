//! Decoders of others, over files that may be damaged anywhere.
//!
//! Some panic over what contradicts itself. That is damage of the file and no defect of the program: it comes back as an
//! error, and the message of the panic, which tells a person nothing, is not printed.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Decoders that are at work in this thread.
    static AT_WORK: Cell<usize> = const { Cell::new(0) };
}

static HOOK: Once = Once::new();

/// A decoder panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it contradicts itself")]
pub struct Panicked;

/// Returns what a decoder returns. What it has half changed when it panics must not be used any more.
///
/// # Errors
///
/// [`Panicked`] if it panics in this thread.
pub fn decode<T>(decoder: impl FnOnce() -> T) -> Result<T, Panicked> {
    HOOK.call_once(be_quiet_at_work);
    let _at_work = AtWork::begin();
    panic::catch_unwind(AssertUnwindSafe(decoder)).map_err(|_| Panicked)
}

/// Has panics of decoders at work printed no more, and all others as before.
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

/// That a decoder is at work in this thread.
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

//! Graceful shutdown: the first SIGTERM or Ctrl-C cancels a token, the next one ends the process at once.
//!
//! A process ends in the signal's own handler, with 128 and the signal's number as its exit code, so that no thread has
//! to run for it: not one that waits for a disk that is away, nor one among thousands that all compute.
//!
//! A terminal that hangs up (SIGHUP: its window was closed, the connection was cut) asks as well, however often: shells
//! pass it on, so that one closed window sends it twice. A program that was started to outlive its terminal (`nohup`)
//! ignores it.
//!
//! A file that grows beyond the limit of the process (`ulimit -f`, a batch system's) is an error of that write (EFBIG),
//! told as a full disk is, and no end of the process without a word (SIGXFSZ).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether the next signal ends the process: so it is until work begins that can be finished, and after the first signal.
static AT_ONCE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// Has signals end the process at once with 130 (Ctrl-C) or 143 (SIGTERM), until [`on_signal`] is called, and has SIGXFSZ
/// end nothing. To be called before anything else.
///
/// # Errors
///
/// If the system has no such signals.
pub fn end_on_signals() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal sets what the second one finds.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&AT_ONCE))?;
        flag::register(signal, Arc::clone(&AT_ONCE))?;
    }
    // With any handler the write that is too large fails; the flag is never read.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// Returns a token that the first signal cancels, with a word to the log about what happens until the process ends.
/// The second signal ends it at once, as [`end_on_signals`] says.
#[must_use]
pub fn on_signal(what_happens: &'static str) -> CancellationToken {
    let stop = CancellationToken::new();
    let listening = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut interrupt), Ok(mut terminate)) = listening else {
        // Then signals go on ending the process at once.
        return stop;
    };
    // Asked before a handler takes its place.
    let mut hangup = if is_ignored(SignalKind::hangup()) {
        None
    } else {
        signal(SignalKind::hangup()).ok()
    };
    AT_ONCE.store(false, Ordering::SeqCst);
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = received(&mut hangup) => {}
        }
        AT_ONCE.store(true, Ordering::SeqCst);
        tracing::warn!("{what_happens}; once more to leave at once");
        stop.cancel();
    });
    token
}

/// Waits for a signal that is heeded; for ever for one that is not.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Returns whether this process was started so that it ignores a signal, where the system tells.
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or_default() >> (signal.as_raw_value() - 1) & 1 == 1
}

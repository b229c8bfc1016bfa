//! Being told to stop: the first SIGTERM or Ctrl-C asks, the second leaves at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Returns a token that the first signal cancels, with a word to the log about what happens until the process ends.
/// The second signal ends it at once with `exit_code`.
#[must_use]
pub fn on_signal(what_happens: &'static str, exit_code: i32) -> CancellationToken {
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let mut signals = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            signals += 1;
            if signals > 1 {
                std::process::exit(exit_code);
            }
            tracing::warn!("{what_happens}; once more to leave at once");
            stop.cancel();
        }
    });
    token
}

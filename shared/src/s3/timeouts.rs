//! Timeouts of requests to an S3 store, and pauses between retries.

use std::time::Duration;

use backon::ExponentialBuilder;

/// The longest time to connect to the store.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// The shortest and the longest pause between attempts that the SDK makes.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// See [`FIRST_PAUSE`].
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How long a body may stand still.
pub(super) const STALLED: Duration = Duration::from_secs(30);

/// The longest time to answer a request whose body takes no time.
const RESPONSE: Duration = Duration::from_secs(60);
/// The slowest upload that is waited for. The SDK counts the time from the start of a request to its answer, so a
/// large object needs more of it.
const SLOWEST_BYTES_PER_SECOND: u64 = 256 * 1024;

/// Returns how long the response to a request with a body of some size may take.
pub(super) fn response(body_bytes: u64) -> Duration {
    RESPONSE + Duration::from_secs(body_bytes / SLOWEST_BYTES_PER_SECOND)
}

/// Returns the pauses between attempts that the SDK leaves to us: two writers in conflict, a broken download.
pub(super) fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(6)
}

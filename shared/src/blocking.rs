//! Runs blocking work (disks, computation) on threads of its own, away from async tasks.

/// Returns what `work` returns, which is done on a thread of its own.
///
/// If the program is going down before `work` has begun, this never returns: its caller is dropped as well.
///
/// # Panics
///
/// If `work` does.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    use super::run;

    #[test]
    fn work_that_is_never_begun_does_not_panic() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(1)
            .enable_time()
            .build()
            .unwrap();
        let (begun, end) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let in_the_way = {
            let (begun, end) = (Arc::clone(&begun), Arc::clone(&end));
            move || {
                begun.wait();
                end.wait();
            }
        };
        runtime.spawn(run(in_the_way));
        begun.wait();
        // The only thread is taken, so this is dropped before it begins.
        let waiting = runtime.spawn(run(|| ()));
        runtime.shutdown_timeout(Duration::ZERO);
        end.wait();
        let outcome = runtime_of_its_own().block_on(waiting);
        assert!(!outcome.unwrap_err().is_panic());
    }

    fn runtime_of_its_own() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn a_panic_is_passed_on() {
        let runtime = runtime_of_its_own();
        let run = runtime.spawn(run(|| panic!("of the work")));
        assert!(runtime.block_on(run).unwrap_err().is_panic());
    }
}

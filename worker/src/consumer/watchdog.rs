//! The watchdog of an attempt: which stage is under way, since when, and how long it usually takes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::manifest::ManifestRow;
use shared::settings::WatchdogConfig;
use tokio::time::Instant;

use super::reporter::CurrentShard;
use crate::attempt::{AttemptError, Progress, Stage};

/// Weight of the newest time in the usual time.
const NEWEST: f64 = 0.2;

/// Finds out that an attempt hangs: it is told of each stage, passes that on, and knows how long each may take.
pub(super) struct Watchdog {
    config: WatchdogConfig,
    timer: Mutex<StepTimer>,
    current: CurrentShard,
    progress: Arc<dyn Progress>,
}

/// Times the steps of an attempt, one after the other.
struct StepTimer {
    stage: Stage,
    since: Instant,
    usual: [Option<Duration>; 7],
}

fn slot(stage: Stage) -> usize {
    match stage {
        Stage::Load => 0,
        Stage::StyleStep => 1,
        Stage::OutputStep => 2,
        Stage::Store => 3,
        Stage::Evaluate => 4,
        Stage::Wait => 5,
        Stage::ClassMap => 6,
    }
}

impl StepTimer {
    /// Notes that what was under way has ended.
    fn end(&mut self, now: Instant) {
        let took = now - self.since;
        let usual = &mut self.usual[slot(self.stage)];
        *usual = Some(match *usual {
            None => took,
            Some(usual) => usual.mul_f64(1.0 - NEWEST) + took.mul_f64(NEWEST),
        });
        self.since = now;
    }
}

impl Watchdog {
    pub(super) fn new(
        config: WatchdogConfig,
        current: CurrentShard,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let timer = StepTimer {
            stage: Stage::Load,
            since: Instant::now(),
            usual: [None; 7],
        };
        Self {
            config,
            timer: Mutex::new(timer),
            current,
            progress,
        }
    }

    /// Returns an error if what is under way hangs.
    pub(super) fn check(&self) -> Result<(), AttemptError> {
        let timer = self.timer();
        // How long an input is waited for is for the attempt to say.
        if timer.stage == Stage::Wait {
            return Ok(());
        }
        let allowed = self.allowed(timer.stage, timer.usual[slot(timer.stage)]);
        let elapsed = timer.since.elapsed();
        if elapsed <= allowed {
            return Ok(());
        }
        Err(AttemptError::Hung {
            stage: timer.stage,
            elapsed,
            allowed,
        })
    }

    /// Returns how long a stage may take whose usual time is this, if it is known.
    fn allowed(&self, stage: Stage, usual: Option<Duration>) -> Duration {
        let WatchdogConfig {
            times_usual,
            min,
            first,
        } = self.config;
        let Some(usual) = usual else {
            return first;
        };
        let least = match stage {
            // A disk or a share that was quick a thousand times may take minutes once, and hangs no more for that.
            Stage::Load | Stage::Store => min.max(first),
            Stage::Wait
            | Stage::ClassMap
            | Stage::StyleStep
            | Stage::OutputStep
            | Stage::Evaluate => min,
        };
        // More than a duration holds is no limit.
        let allowed = Duration::try_from_secs_f64(usual.as_secs_f64() * times_usual);
        allowed.unwrap_or(Duration::MAX).max(least)
    }

    fn step(&self, stage: Stage) {
        let mut timer = self.timer();
        timer.stage = stage;
        timer.end(Instant::now());
    }

    fn begin_timing(&self, stage: Stage) {
        let mut timer = self.timer();
        let now = Instant::now();
        match timer.stage {
            Stage::Load | Stage::Wait | Stage::ClassMap | Stage::Store | Stage::Evaluate => {
                timer.end(now);
            }
            // Steps end one by one; what follows the last one is decoding.
            Stage::StyleStep | Stage::OutputStep => timer.since = now,
        }
        timer.stage = stage;
    }

    fn timer(&self) -> MutexGuard<'_, StepTimer> {
        // The times are whole whatever panicked, and an attempt is never left unwatched.
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Watchdog {
    fn begin(&self, stage: Stage) {
        self.begin_timing(stage);
        self.current.begins(stage);
        self.progress.begin(stage);
    }

    fn waits(&self, why: &str) {
        self.begin(Stage::Wait);
        self.current.waits(why);
        self.progress.waits(why);
    }

    fn style_step(&self) {
        self.step(Stage::StyleStep);
        self.progress.style_step();
    }

    fn output_step(&self) {
        self.step(Stage::OutputStep);
        self.progress.output_step();
    }

    fn item(&self, row: &ManifestRow) {
        self.current.item(row);
        self.progress.item(row);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{self, AssertUnwindSafe};

    use super::*;

    const CONFIG: WatchdogConfig = WatchdogConfig {
        times_usual: 20.0,
        min: Duration::from_secs(60),
        first: Duration::from_secs(900),
    };

    async fn hangs_after(watchdog: &Watchdog, most: u64) -> Option<u64> {
        for second in 0..most {
            if watchdog.check().is_err() {
                return Some(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_hangs_when_it_takes_a_multiple_of_its_usual_time() {
        let watchdog = Watchdog::new(CONFIG, CurrentShard::unseen(), Arc::new(()));
        watchdog.begin(Stage::OutputStep);
        for _ in 0..30 {
            tokio::time::advance(Duration::from_secs(10)).await;
            watchdog.output_step();
        }
        assert_eq!(hangs_after(&watchdog, 300).await, Some(201));
        let error = watchdog.check().unwrap_err();
        assert!(error.ends_engine());
        assert!(error.to_string().contains("denoising"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_step_is_given_longer_and_quick_ones_never_less_than_the_least() {
        let watchdog = Watchdog::new(CONFIG, CurrentShard::unseen(), Arc::new(()));
        watchdog.begin(Stage::StyleStep);
        assert_eq!(hangs_after(&watchdog, 1000).await, Some(901));
        watchdog.begin(Stage::Evaluate);
        watchdog.begin(Stage::Load);
        watchdog.begin(Stage::Evaluate);
        assert_eq!(hangs_after(&watchdog, 300).await, Some(61));
    }

    #[tokio::test(start_paused = true)]
    async fn reading_and_storing_are_given_no_less_than_a_first_step_however_quick_they_were() {
        let watchdog = Watchdog::new(CONFIG, CurrentShard::unseen(), Arc::new(()));
        for stage in [Stage::Load, Stage::Store] {
            for _ in 0..1000 {
                watchdog.begin(stage);
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            watchdog.begin(stage);
            assert_eq!(hangs_after(&watchdog, 1000).await, Some(901), "{stage:?}");
        }
        // What usually takes minutes is given a multiple of them all the same.
        let hour = Duration::from_secs(3600);
        assert_eq!(watchdog.allowed(Stage::Load, Some(hour)), 20 * hour);
        let min = Duration::from_secs(1000);
        let watchdog = Watchdog {
            config: WatchdogConfig { min, ..CONFIG },
            ..watchdog
        };
        assert_eq!(watchdog.allowed(Stage::Load, Some(Duration::ZERO)), min);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_watched_also_after_a_panic_while_a_time_was_taken() {
        let watchdog = Watchdog::new(CONFIG, CurrentShard::unseen(), Arc::new(()));
        watchdog.begin(Stage::OutputStep);
        let taken = panic::catch_unwind(AssertUnwindSafe(|| -> u8 {
            let _timer = watchdog.timer.lock().unwrap();
            panic!("while a time is taken");
        }));
        assert!(taken.is_err());
        assert_eq!(hangs_after(&watchdog, 1000).await, Some(901));
    }
}

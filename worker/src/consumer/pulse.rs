//! The watchdog: which part of an attempt is under way, since when, and how long it usually takes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::manifest::ManifestRow;
use shared::settings::WatchdogConfig;
use tokio::time::Instant;

use super::telling::InHand;
use crate::attempt::{AttemptError, Part, Progress};

/// Weight of the newest time in the usual time.
const NEWEST: f64 = 0.2;

/// What an attempt is doing and since when.
pub(super) struct Pulse {
    config: WatchdogConfig,
    beat: Mutex<Beat>,
    in_hand: InHand,
    progress: Arc<dyn Progress>,
}

struct Beat {
    part: Part,
    since: Instant,
    usual: [Option<Duration>; 6],
}

fn slot(part: Part) -> usize {
    match part {
        Part::Load => 0,
        Part::StyleStep => 1,
        Part::OutputStep => 2,
        Part::Store => 3,
        Part::Judge => 4,
        Part::Wait => 5,
    }
}

impl Beat {
    /// Notes that what was under way has ended.
    fn end(&mut self, now: Instant) {
        let took = now - self.since;
        let usual = &mut self.usual[slot(self.part)];
        *usual = Some(match *usual {
            None => took,
            Some(usual) => usual.mul_f64(1.0 - NEWEST) + took.mul_f64(NEWEST),
        });
        self.since = now;
    }
}

impl Pulse {
    pub(super) fn new(
        config: WatchdogConfig,
        in_hand: InHand,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let beat = Beat {
            part: Part::Load,
            since: Instant::now(),
            usual: [None; 6],
        };
        Self {
            config,
            beat: Mutex::new(beat),
            in_hand,
            progress,
        }
    }

    /// Returns an error if what is under way hangs.
    pub(super) fn check(&self) -> Result<(), AttemptError> {
        let Ok(beat) = self.beat.lock() else {
            return Ok(());
        };
        // How long an input is waited for is for the attempt to say.
        if beat.part == Part::Wait {
            return Ok(());
        }
        let allowed = self.allowed(beat.part, beat.usual[slot(beat.part)]);
        let elapsed = beat.since.elapsed();
        if elapsed <= allowed {
            return Ok(());
        }
        Err(AttemptError::Hung {
            part: beat.part,
            elapsed,
            allowed,
        })
    }

    /// Returns how long a part may take whose usual time is this, if it is known.
    fn allowed(&self, part: Part, usual: Option<Duration>) -> Duration {
        let WatchdogConfig {
            times_usual,
            min,
            first,
        } = self.config;
        let Some(usual) = usual else {
            return first;
        };
        let least = match part {
            // A disk or a share that was quick a thousand times may take minutes once, and hangs no more for that.
            Part::Load | Part::Store => min.max(first),
            Part::Wait | Part::StyleStep | Part::OutputStep | Part::Judge => min,
        };
        let allowed = Duration::try_from_secs_f64(usual.as_secs_f64() * times_usual);
        allowed.unwrap_or(Duration::MAX).max(least)
    }

    fn step(&self, part: Part) {
        if let Ok(mut beat) = self.beat.lock() {
            beat.part = part;
            beat.end(Instant::now());
        }
    }
}

impl Progress for Pulse {
    fn begin(&self, part: Part) {
        if let Ok(mut beat) = self.beat.lock() {
            let now = Instant::now();
            match beat.part {
                Part::Load | Part::Wait | Part::Store | Part::Judge => beat.end(now),
                // Steps end one by one; what follows the last one is decoding.
                Part::StyleStep | Part::OutputStep => beat.since = now,
            }
            beat.part = part;
        }
        self.in_hand.begins(part);
        self.progress.begin(part);
    }

    fn waits(&self, why: &str) {
        self.begin(Part::Wait);
        self.in_hand.waits(why);
        self.progress.waits(why);
    }

    fn style_step(&self) {
        self.step(Part::StyleStep);
        self.progress.style_step();
    }

    fn output_step(&self) {
        self.step(Part::OutputStep);
        self.progress.output_step();
    }

    fn item(&self, row: &ManifestRow) {
        self.in_hand.item(row);
        self.progress.item(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::telling::InHand;

    const CONFIG: WatchdogConfig = WatchdogConfig {
        times_usual: 20.0,
        min: Duration::from_secs(60),
        first: Duration::from_secs(900),
    };

    async fn hangs_after(pulse: &Pulse, most: u64) -> Option<u64> {
        for second in 0..most {
            if pulse.check().is_err() {
                return Some(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_hangs_when_it_takes_a_multiple_of_its_usual_time() {
        let pulse = Pulse::new(CONFIG, InHand::nobody(), Arc::new(()));
        pulse.begin(Part::OutputStep);
        for _ in 0..30 {
            tokio::time::advance(Duration::from_secs(10)).await;
            pulse.output_step();
        }
        assert_eq!(hangs_after(&pulse, 300).await, Some(201));
        let error = pulse.check().unwrap_err();
        assert!(error.ends_engine());
        assert!(error.to_string().contains("denoising"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_step_is_given_longer_and_quick_ones_never_less_than_the_least() {
        let pulse = Pulse::new(CONFIG, InHand::nobody(), Arc::new(()));
        pulse.begin(Part::StyleStep);
        assert_eq!(hangs_after(&pulse, 1000).await, Some(901));
        pulse.begin(Part::Judge);
        pulse.begin(Part::Load);
        pulse.begin(Part::Judge);
        assert_eq!(hangs_after(&pulse, 300).await, Some(61));
    }

    #[tokio::test(start_paused = true)]
    async fn reading_and_storing_are_given_no_less_than_a_first_step_however_quick_they_were() {
        let pulse = Pulse::new(CONFIG, InHand::nobody(), Arc::new(()));
        for part in [Part::Load, Part::Store] {
            for _ in 0..1000 {
                pulse.begin(part);
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            pulse.begin(part);
            assert_eq!(hangs_after(&pulse, 1000).await, Some(901), "{part:?}");
        }
        // What usually takes minutes is given a multiple of them all the same.
        let hour = Duration::from_secs(3600);
        assert_eq!(pulse.allowed(Part::Load, Some(hour)), 20 * hour);
        let min = Duration::from_secs(1000);
        let pulse = Pulse {
            config: WatchdogConfig { min, ..CONFIG },
            ..pulse
        };
        assert_eq!(pulse.allowed(Part::Load, Some(Duration::ZERO)), min);
    }
}

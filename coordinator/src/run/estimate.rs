//! How long some items take, by what the run's items took so far.

use std::fmt;
use std::time::Duration;

use shared::queue::WorkQueue;

use crate::run::tally::Counts;
use shared::wording::human;

/// How long some items take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Time that one image takes one worker; none if none is known.
    one: Option<Duration>,
    num_items: usize,
    /// Workers that wait for shards.
    workers: u64,
}

impl Estimate {
    /// Returns how long `num_items` take on the workers that wait at `queue`.
    pub async fn of(num_items: usize, counts: &Counts, queue: Option<&dyn WorkQueue>) -> Self {
        let workers = match queue {
            Some(queue) => queue.depth().await.map_or(0, |depth| depth.consumers),
            None => 0,
        };
        Self::with(num_items, counts, workers)
    }

    /// Returns how long `num_items` take on as many workers.
    #[must_use]
    pub fn with(num_items: usize, counts: &Counts, workers: u64) -> Self {
        // Counts are read from a file; of what is no time nothing is known.
        let seconds = counts.busy_ms / 1000.0 / counts.converted as f64;
        let one = Duration::try_from_secs_f64(seconds).ok();
        Self {
            one,
            num_items,
            workers,
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(one) = self.one else {
            return f.write_str(
                "how long that takes is not known: no image was made yet, `probe` measures",
            );
        };
        let total = one.as_secs_f64() * self.num_items as f64;
        let total = Duration::try_from_secs_f64(total).unwrap_or(Duration::MAX);
        write!(
            f,
            "{} on one worker at {:.1} s an image",
            human(total),
            one.as_secs_f64()
        )?;
        if self.workers > 1 {
            let share = total.div_f64(self.workers as f64);
            write!(f, ", {} on the {} that wait", human(share), self.workers)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_counts_that_are_no_time_nothing_is_known() {
        for busy_ms in [-1.0, 1e300, f64::NAN, f64::INFINITY] {
            let counts = Counts {
                converted: 1,
                busy_ms,
                ..Counts::default()
            };
            let said = Estimate::with(7, &counts, 2).to_string();
            assert!(said.contains("not known"), "{busy_ms}: {said}");
        }
        let counts = Counts {
            converted: 1,
            busy_ms: 1e21,
            ..Counts::default()
        };
        assert!(
            !Estimate::with(usize::MAX, &counts, 2)
                .to_string()
                .is_empty()
        );
    }

    #[test]
    fn work_is_divided_among_the_workers_that_wait() {
        let counts = Counts {
            converted: 10,
            busy_ms: 20_000.0,
            ..Counts::default()
        };
        let said = |workers| Estimate::with(120, &counts, workers).to_string();
        assert_eq!(said(1), "4 min 0 s on one worker at 2.0 s an image");
        assert_eq!(
            said(4),
            "4 min 0 s on one worker at 2.0 s an image, 1 min 0 s on the 4 that wait"
        );
        // Shards are committed, and all of their items are quarantined.
        let quarantined = Counts {
            quarantined: 60,
            ..Counts::default()
        };
        let unknown = Estimate::with(1, &quarantined, 4).to_string();
        assert_eq!(
            unknown,
            "how long that takes is not known: no image was made yet, `probe` measures"
        );
    }
}

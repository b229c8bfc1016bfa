//! How fast a run goes: out of when its shards were made and how many images each of them brought.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The newest shards that say how fast a run goes now.
const NEWEST: usize = 40;
/// After this long without a shard a run is taken to have paused: what came before does not say how fast it goes now.
const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// A shard that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When work on it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Images that were converted in it.
    pub images: usize,
    /// Items that have their row since.
    pub ended: usize,
}

/// How fast a run goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// Images a minute.
    pub per_minute: f64,
    /// Time until the last image; none if nothing moves.
    pub left: Option<Duration>,
}

/// A stretch of a run's history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Its middle.
    pub at: Timestamp,
    /// Images a minute.
    pub per_minute: f64,
    /// Time that the rest would have taken at the pace of this stretch and the few before it.
    pub left: Option<Duration>,
}

/// Returns the pace of a run whose `spans` are sorted by their ends and which has `remaining` items to make; none if
/// too little was made lately to tell.
#[must_use]
pub fn pace(spans: &[Span], remaining: usize, now: Timestamp) -> Option<Pace> {
    let newest = spans.last()?;
    if now.duration_since(newest.end) > PAUSE {
        return None;
    }
    let (mut images, mut since) = (0, newest.start);
    for span in spans.iter().rev().take(NEWEST) {
        if since.duration_since(span.end) > PAUSE {
            break;
        }
        images += span.images;
        since = since.min(span.start);
    }
    let minutes = now.duration_since(since).as_secs_f64() / 60.0;
    if images == 0 || minutes <= 0.0 {
        return None;
    }
    let per_minute = images as f64 / minutes;
    Some(Pace {
        per_minute,
        left: left(remaining, per_minute),
    })
}

fn left(remaining: usize, per_minute: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(60.0 * remaining as f64 / per_minute).ok()
}

/// Returns the history of a run of `num_items` in `count` stretches of equal length, up to `end`. A shard's images are
/// spread over the time it took.
#[must_use]
pub fn history(spans: &[Span], num_items: usize, count: usize, end: Timestamp) -> Vec<Stretch> {
    let Some(start) = spans.iter().map(|span| span.start).min() else {
        return Vec::new();
    };
    let second = |at: Timestamp| at.duration_since(start).as_secs_f64();
    let length = (second(end) / count as f64).max(0.001);
    let mut images = vec![0.0; count];
    let mut ended = vec![0; count];
    let place = |second: f64| ((second / length) as usize).min(count - 1);
    for span in spans {
        let (from, to) = (second(span.start), second(span.end));
        ended[place(to)] += span.ended;
        let (first, last) = (place(from), place(to));
        for (stretch, images) in images.iter_mut().enumerate().take(last + 1).skip(first) {
            let begins = from.max(stretch as f64 * length);
            let ends = to.min((stretch + 1) as f64 * length);
            let share = if to > from {
                (ends - begins).max(0.0) / (to - from)
            } else {
                1.0
            };
            *images += span.images as f64 * share;
        }
    }
    let mut remaining = num_items;
    let smooth = (count / 4).max(1);
    (0..count)
        .map(|stretch| {
            remaining = remaining.saturating_sub(ended[stretch]);
            let lately = &images[(stretch + 1).saturating_sub(smooth)..=stretch];
            let pace = 60.0 * lately.iter().sum::<f64>() / (length * lately.len() as f64);
            let middle = (stretch as f64 + 0.5) * length;
            Stretch {
                at: start + SignedDuration::from_millis((1000.0 * middle) as i64),
                per_minute: 60.0 * images[stretch] / length,
                left: left(remaining, pace),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn span(start: i64, end: i64, images: usize) -> Span {
        Span {
            start: at(start),
            end: at(end),
            images,
            ended: images,
        }
    }

    #[test]
    fn the_pace_is_that_of_the_newest_shards() {
        let spans = [span(0, 30, 2), span(30, 60, 2), span(60, 90, 2)];
        let pace = pace(&spans, 12, at(90)).unwrap();
        assert_eq!(pace.per_minute, 4.0);
        assert_eq!(pace.left, Some(Duration::from_secs(180)));
    }

    #[test]
    fn a_pause_does_not_count_and_after_a_long_one_there_is_no_pace() {
        let hour = 3600;
        let spans = [span(0, 30, 2), span(hour, hour + 60, 4)];
        assert_eq!(pace(&spans, 1, at(hour + 60)).unwrap().per_minute, 4.0);
        assert_eq!(pace(&spans, 1, at(2 * hour)), None);
        assert_eq!(pace(&[], 1, at(0)), None);
    }

    #[test]
    fn history_spreads_a_shard_over_its_time_and_loses_no_image() {
        let spans = [span(0, 60, 6), span(60, 120, 12)];
        let history = history(&spans, 20, 4, at(120));
        let paces: Vec<f64> = history.iter().map(|stretch| stretch.per_minute).collect();
        assert_eq!(paces, [6.0, 6.0, 12.0, 12.0]);
        // Two are left after the last stretch, at twelve a minute.
        assert_eq!(history[3].left, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_run_without_shards_has_no_history() {
        assert_eq!(history(&[], 20, 4, at(120)), []);
    }
}

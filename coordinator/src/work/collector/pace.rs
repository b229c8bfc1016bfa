//! How fast a run goes: out of when its shards were made, how many images each of them brought, and how much work these
//! were. Images of contents that have few styles are more work than those of contents that have many.
//!
//! Those times come from the clocks of many machines, which may be set to anything: a shard that ended before it began took
//! no time, and one that is said to end later than now does not say how fast the run goes.

use std::time::Duration;

use jiff::Timestamp;
use shared::clock::{earlier, later, passed};

/// The stretch of time that says how fast a run goes now.
const WINDOW: Duration = Duration::from_mins(15);
/// Where nothing is heard of the shards in hand, the stretch is as many times as long as the newest shard took: a
/// shorter one would miss most of what a fleet has under way.
const SHARDS_LONG: u32 = 4;
/// A run that is not worked on for longer pauses: what came before does not say how fast it goes now.
const PAUSE: Duration = Duration::from_mins(2);
/// After this long without a shard, or twice what the newest one took, it is not known how fast a run goes.
const STALE: Duration = Duration::from_mins(15);
/// How far a machine's clock may be ahead and still say how fast the run goes now.
const AHEAD: Duration = Duration::from_mins(2);
/// What would take longer is not told: something is wrong with the pace, or it is of no use. Ten years.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

/// A shard that was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// When work on it began; where that is later than its end, it took no time.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Images that were converted in it.
    pub images: usize,
    /// The work that they were, in any unit.
    pub made: f64,
    /// The work of the plan that has ended since, in the same unit.
    pub ended: f64,
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

/// Returns the pace of a run whose `spans` are sorted by their ends and which has `remaining` work to do, in their unit; none
/// if too little was made lately to tell.
///
/// It is what all workers together made over a stretch of time, back to the last pause at most. A shard's images are
/// spread over the time it took, so that it does not matter how many of them end at once. What is said to end later than
/// now does not count.
#[must_use]
pub fn pace(spans: &[Span], remaining: f64, now: Timestamp) -> Option<Pace> {
    let latest = later(now, AHEAD);
    let spans = &spans[..spans.partition_point(|span| span.end <= latest)];
    let newest = spans.last()?;
    let took = newest.took();
    if passed(newest.end, now) > STALE.max(took * 2) {
        return None;
    }
    // What is in hand ends now; if nothing does, it is not known what was made since.
    let window = if newest.end < now {
        WINDOW.max(took * SHARDS_LONG)
    } else {
        WINDOW
    };
    let from = earlier(newest.end, window).max(resumed(spans)?);
    let (mut images, mut made) = (0.0, 0.0);
    for span in spans.iter().rev().take_while(|span| span.end > from) {
        let share = span.share_since(from);
        images += span.images as f64 * share;
        made += span.made * share;
    }
    let minutes = passed(from, newest.end).as_secs_f64() / 60.0;
    if images <= 0.0 || minutes <= 0.0 {
        return None;
    }
    Some(Pace {
        per_minute: images / minutes,
        left: left(remaining, made / minutes),
    })
}

impl Span {
    /// Returns when work on it began, at its end at the latest.
    fn began(&self) -> Timestamp {
        self.start.min(self.end)
    }

    fn took(&self) -> Duration {
        passed(self.start, self.end)
    }

    /// Returns which part of it was made since a time.
    fn share_since(&self, from: Timestamp) -> f64 {
        let took = self.took().as_secs_f64();
        let since = passed(self.start.max(from), self.end).as_secs_f64();
        if took > 0.0 { since / took } else { 1.0 }
    }
}

/// Returns when work began that has not paused since; none without spans, which are sorted by their ends.
fn resumed(spans: &[Span]) -> Option<Timestamp> {
    let mut since = spans.last()?.began();
    for span in spans.iter().rev() {
        if passed(span.end, since) > PAUSE {
            break;
        }
        since = since.min(span.began());
    }
    Some(since)
}

/// Returns the time in which a run was worked on, without pauses. The `spans` are sorted by their ends.
#[must_use]
pub fn worked(spans: &[Span]) -> Duration {
    let mut worked = Duration::ZERO;
    // The newest stretch without a pause that is not added yet.
    let mut stretch: Option<(Timestamp, Timestamp)> = None;
    for span in spans.iter().rev() {
        stretch = match stretch {
            Some((since, until)) if passed(span.end, since) <= PAUSE => {
                Some((since.min(span.began()), until))
            }
            before => {
                worked = worked.saturating_add(length(before));
                Some((span.began(), span.end))
            }
        };
    }
    worked.saturating_add(length(stretch))
}

fn length(stretch: Option<(Timestamp, Timestamp)>) -> Duration {
    stretch.map_or(Duration::ZERO, |(since, until)| passed(since, until))
}

/// Returns how long some work takes at a pace in its unit; none if that cannot be told or is out of all proportion.
#[must_use]
pub fn left(remaining: f64, per_minute: f64) -> Option<Duration> {
    let left = Duration::try_from_secs_f64(60.0 * remaining / per_minute).ok();
    left.filter(|&left| left <= LONGEST)
}

/// Returns the history of a run of so much `planned` work in `count` stretches of equal length, up to `end`; nothing if no
/// time passed until then. A shard's images are spread over the time it took, and those of one that began after `end` are left out.
#[must_use]
pub fn history(spans: &[Span], planned: f64, count: usize, end: Timestamp) -> Vec<Stretch> {
    let Some(start) = spans.iter().map(Span::began).min() else {
        return Vec::new();
    };
    let second = |at: Timestamp| passed(start, at).as_secs_f64();
    let whole = second(end);
    if count == 0 || whole <= 0.0 {
        return Vec::new();
    }
    let length = (whole / count as f64).max(0.001);
    let mut images = vec![0.0; count];
    let (mut made, mut ended) = (images.clone(), images.clone());
    let place = |second: f64| ((second / length) as usize).min(count - 1);
    for span in spans {
        let (from, to) = (second(span.began()), second(span.end));
        let (first, last) = (place(from), place(to));
        ended[last] += span.ended;
        if from > whole {
            continue;
        }
        let stretches = images.iter_mut().zip(&mut made).enumerate();
        for (stretch, (images, made)) in stretches.take(last + 1).skip(first) {
            let begins = from.max(stretch as f64 * length);
            let ends = to.min((stretch + 1) as f64 * length);
            let share = if to > from {
                (ends - begins).max(0.0) / (to - from)
            } else {
                1.0
            };
            *images += span.images as f64 * share;
            *made += span.made * share;
        }
    }
    let mut remaining = planned;
    let smooth = (count / 4).max(1);
    (0..count)
        .map(|stretch| {
            remaining = (remaining - ended[stretch]).max(0.0);
            let lately = &made[(stretch + 1).saturating_sub(smooth)..=stretch];
            let pace = 60.0 * lately.iter().sum::<f64>() / (length * lately.len() as f64);
            let middle = Duration::try_from_secs_f64((stretch as f64 + 0.5) * length);
            Stretch {
                at: later(start, middle.unwrap_or(Duration::ZERO)),
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
            made: images as f64,
            ended: images as f64,
        }
    }

    #[test]
    fn the_pace_is_that_of_the_newest_shards() {
        let spans = [span(0, 30, 2), span(30, 60, 2), span(60, 90, 2)];
        let pace = pace(&spans, 12.0, at(90)).unwrap();
        assert_eq!(pace.per_minute, 4.0);
        assert_eq!(pace.left, Some(Duration::from_secs(180)));
        let slow = [span(0, 6000, 100), span(6000, 7000, 100)];
        let lately = super::pace(&slow, 12.0, at(7000)).unwrap();
        assert!((lately.per_minute - 6.0).abs() < 1e-9, "{lately:?}");
    }

    #[test]
    fn the_pace_of_a_fleet_counts_every_worker_however_its_shards_end() {
        // 100 workers make 60 images in half an hour each, which is 200 a minute, for five hours.
        let (workers, took, rounds) = (100, 1800, 10);
        let fleet = |apart: i64| {
            let spans = (0..rounds * workers).map(|number| {
                let start = took * (number / workers) + apart * (number % workers);
                span(start, start + took, 60)
            });
            spans.collect::<Vec<_>>()
        };
        let (at_once, staggered) = (fleet(0), fleet(took / workers));
        let now = took * rounds;
        let whole = pace(&at_once, 2000.0, at(now)).unwrap();
        assert!((whole.per_minute - 200.0).abs() < 1e-9, "{whole:?}");
        assert_eq!(whole.left, Some(Duration::from_secs(600)));

        let mut heard = staggered.clone();
        heard.retain(|span| span.end <= at(now));
        let in_hand = staggered.iter().filter(|span| span.end > at(now));
        let in_hand: Vec<Span> = in_hand
            .map(|whole| Span {
                end: at(now),
                images: (60 * at(now).duration_since(whole.start).as_secs() / took) as usize,
                made: (60 * at(now).duration_since(whole.start).as_secs() / took) as f64,
                ..*whole
            })
            .collect();
        let silent = pace(&heard, 2000.0, at(now + 5)).unwrap();
        assert!((170.0..=200.0).contains(&silent.per_minute), "{silent:?}");
        heard.extend(in_hand);
        let heard = pace(&heard, 2000.0, at(now)).unwrap();
        assert!((194.0..=200.0).contains(&heard.per_minute), "{heard:?}");
    }

    #[test]
    fn work_that_is_dearer_than_what_was_made_takes_longer_than_as_many_images_would() {
        // Three images of a content were four units of work: one for the content, and one for each.
        let shard = |start| Span {
            made: 4.0,
            ended: 4.0,
            ..span(start, start + 60, 3)
        };
        let spans = [shard(0), shard(60)];
        // Two images of two contents are four units, too.
        let pace = pace(&spans, 4.0, at(120)).unwrap();
        assert_eq!(pace.per_minute, 3.0);
        assert_eq!(pace.left, Some(Duration::from_secs(60)));
        let history = history(&spans, 12.0, 2, at(120));
        assert_eq!(history[1].left, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_pause_does_not_count_and_after_a_long_one_there_is_no_pace() {
        let hour = 3600;
        for resumed in [300, hour] {
            let spans = [span(0, 30, 2), span(resumed, resumed + 60, 4)];
            let pace = pace(&spans, 1.0, at(resumed + 60)).unwrap();
            assert_eq!(pace.per_minute, 4.0);
            assert_eq!(worked(&spans), Duration::from_secs(90));
        }
        let spans = [span(0, 30, 2), span(hour, hour + 60, 4)];
        assert_eq!(pace(&spans, 1.0, at(2 * hour)), None);
        assert_eq!(pace(&[], 1.0, at(0)), None);
        assert_eq!(worked(&[]), Duration::ZERO);
    }

    #[test]
    fn history_spreads_a_shard_over_its_time_and_loses_no_image() {
        let spans = [span(0, 60, 6), span(60, 120, 12)];
        let history = history(&spans, 20.0, 4, at(120));
        let paces: Vec<f64> = history.iter().map(|stretch| stretch.per_minute).collect();
        assert_eq!(paces, [6.0, 6.0, 12.0, 12.0]);
        // Two are left after the last stretch, at twelve a minute.
        assert_eq!(history[3].left, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_run_without_shards_has_no_history() {
        assert_eq!(history(&[], 20.0, 4, at(120)), []);
        assert_eq!(history(&[span(0, 60, 6)], 20.0, 0, at(120)), []);
        assert_eq!(history(&[span(0, 60, 6)], 20.0, 4, at(0)), []);
    }

    #[test]
    fn a_shard_whose_clock_was_set_back_took_no_time() {
        let back = [span(3600, 30, 2)];
        assert_eq!(worked(&back), Duration::ZERO);
        assert_eq!(pace(&back, 12.0, at(31)), None);
        assert_eq!(history(&back, 20.0, 4, at(30)), []);
        let among_others = [span(0, 30, 2), span(3600, 40, 2), span(30, 60, 2)];
        assert_eq!(worked(&among_others), Duration::from_secs(60));
        let pace = pace(&among_others, 12.0, at(60)).unwrap();
        assert_eq!(pace.per_minute, 6.0);
        let at_once = [span(5, 5, 2), span(5, 5, 2)];
        assert_eq!(worked(&at_once), Duration::ZERO);
    }

    #[test]
    fn the_end_of_the_times_that_there_are_stops_nothing() {
        let forever = Span {
            start: Timestamp::MIN,
            end: Timestamp::MAX,
            images: usize::MAX,
            made: f64::MAX,
            ended: f64::MAX,
        };
        let first = Span {
            end: Timestamp::MIN,
            ..forever
        };
        let spans = [first, span(0, 30, 2), forever, forever];
        assert!(worked(&spans) <= forever.took());
        for now in [Timestamp::MIN, at(30), Timestamp::MAX] {
            let pace = pace(&spans, f64::MAX, now);
            assert!(
                pace.is_none_or(|pace| pace.per_minute.is_finite()),
                "{pace:?}"
            );
            for stretch in history(&spans, f64::MAX, 4, now) {
                assert!(stretch.per_minute.is_finite(), "{stretch:?}");
            }
        }
    }

    #[test]
    fn what_ends_a_day_from_now_says_nothing_about_the_pace() {
        let day = 24 * 3600;
        let spans = [span(0, 30, 2), span(30, 60, 2), span(day, day + 30, 1000)];
        let pace = pace(&spans, 8.0, at(60)).unwrap();
        assert_eq!(pace.per_minute, 4.0);
        let history = history(&spans, 1004.0, 4, at(60));
        let paces: Vec<f64> = history.iter().map(|stretch| stretch.per_minute).collect();
        assert_eq!(paces, [4.0; 4]);
        // A clock that is a little ahead is not left out.
        let ahead = [span(0, 30, 2), span(30, 65, 2)];
        assert!(super::pace(&ahead, 8.0, at(60)).is_some());
    }

    #[test]
    fn a_time_that_nobody_waits_for_is_not_told() {
        assert_eq!(left(60.0, 60.0), Some(Duration::from_secs(60)));
        assert_eq!(left(1e6, 1e-9), None);
        for no_pace in [0.0, -1.0, f64::NAN] {
            assert_eq!(left(60.0, no_pace), None, "{no_pace}");
        }
    }
}

//! How fast a run goes by the clocks of its workers, which may be set to anything.

use std::ops::RangeInclusive;
use std::time::Duration;

use coordinator::work::collector::pace::{Span, history, pace, worked};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use shared::clock::{later, passed};

/// While nobody works for longer a run pauses.
const PAUSE: Duration = Duration::from_mins(2);

/// Returns times: most of them of one hour, some of any year.
fn times() -> impl Strategy<Value = Timestamp> {
    let seconds =
        |range: RangeInclusive<i64>| range.prop_map(|at| Timestamp::from_second(at).unwrap());
    let any_second = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![
        8 => seconds(1_000_000..=1_003_600),
        1 => seconds(any_second),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

/// Returns spans sorted by their ends, some of which end before they begin, or as they begin.
fn spans() -> impl Strategy<Value = Vec<Span>> {
    let images = || prop_oneof![9 => 0_usize..100, 1 => any::<usize>()];
    let span = (times(), times(), any::<bool>(), images(), images());
    let span = span.prop_map(|(start, end, at_once, images, ended)| Span {
        start: if at_once { end } else { start },
        end,
        images,
        made: images as f64,
        ended: ended as f64,
    });
    vec(span, 0..20).prop_map(|mut spans| {
        spans.sort_by_key(|span| span.end);
        spans
    })
}

#[test]
fn whatever_clocks_say_a_pace_is_a_figure_and_nobody_worked_longer_than_spans_last() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&(spans(), times()), |(spans, now)| {
        check(&spans, now);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn check(spans: &[Span], now: Timestamp) {
    let lengths = spans.iter().map(|span| passed(span.start, span.end));
    let lasting: Duration = lengths.sum();
    // Short pauses between them belong to the work.
    assert!(worked(spans) <= lasting + PAUSE * spans.len() as u32);
    if let Some(pace) = pace(spans, 1000.0, now) {
        assert!(
            pace.per_minute.is_finite() && pace.per_minute > 0.0,
            "{pace:?}"
        );
    }
    let ends = [now, spans.last().map_or(now, |span| span.end)];
    for end in ends {
        let history = history(spans, 1000.0, 40, end);
        assert!(history.is_empty() || history.len() == 40);
        for stretch in history {
            let rate = stretch.per_minute;
            assert!(rate.is_finite() && rate >= 0.0, "{stretch:?}");
            assert!(
                stretch.at <= later(end, Duration::from_secs(1)),
                "{stretch:?}"
            );
        }
    }
}

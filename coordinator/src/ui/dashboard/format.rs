//! Text for pages: numbers, times and durations as people read them, and parts of addresses.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use shared::clock::passed;
use shared::wording::human;

use crate::run::cost;

/// The sign for an unknown value.
pub(super) const NOTHING: &str = "–";

/// Returns a number with its thousands set apart: `250,000`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number of things: `1 shard`, `2,000 shards`.
pub(super) fn things(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

/// Returns a share in percent, rounded down, so that 100 means all of them.
pub(super) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return NOTHING.to_owned();
    }
    let tenths = (1000 * part as u128) / whole as u128;
    match tenths {
        0 | 1000 => format!("{} %", tenths / 10),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// Returns a pace per minute, or per hour if it is slow.
pub(super) fn rate(per_minute: f64) -> String {
    match per_minute {
        slow if slow < 1.0 => format!("{:.1} / h", 60.0 * slow),
        some if some < 100.0 => format!("{some:.1} / min"),
        fast => format!("{} / min", count(fast as usize)),
    }
}

/// Returns the time that is left, or that it is unknown.
pub(super) fn left(left: Option<Duration>) -> String {
    left.map_or_else(|| NOTHING.to_owned(), human)
}

/// Returns device-hours: `12.3 h`.
pub(super) fn device_hours(hours: f64) -> String {
    format!("{} h", cost::shown(hours))
}

/// Returns a time in milliseconds with a unit that fits.
pub(super) fn millis(millis: f64) -> String {
    match millis {
        little if little < 1000.0 => format!("{little:.0} ms"),
        some if some < 60_000.0 => format!("{:.2} s", some / 1000.0),
        much => {
            Duration::try_from_secs_f64(much / 1000.0).map_or_else(|_| NOTHING.to_owned(), human)
        }
    }
}

/// Returns a figure with so many decimals, or that it is unknown.
pub(super) fn figure(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(
        || NOTHING.to_owned(),
        |figure| format!("{figure:.decimals$}"),
    )
}

/// Returns how long ago something was: `4 min ago`; a time in the future counts as now.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    match passed(at, now).as_secs() {
        0..5 => "just now".to_owned(),
        seconds @ 5..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// A timestamp as a page shows it: how long ago it was, with the exact time as its title. Displayed as HTML.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimestampLabel {
    at: Timestamp,
    now: Timestamp,
}

impl TimestampLabel {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }
}

impl fmt::Display for TimestampLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        let iso = self.at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let ago = ago(self.at, self.now);
        write!(f, r#"<time datetime="{iso}" title="{exact}">{ago}</time>"#)
    }
}

// It is made of numbers and fixed words alone.
impl askama::filters::HtmlSafe for TimestampLabel {}

/// Returns text as part of an address: all but letters, digits and `-._~` as `%XX`.
pub(super) fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn numbers_are_set_apart_by_thousands() {
        assert_eq!(
            [0, 999, 1000, 250_000].map(count),
            ["0", "999", "1,000", "250,000"]
        );
    }

    #[test]
    fn text_in_an_address_ends_no_part_of_it() {
        assert_eq!(url_encoded("a-b_c.d~9"), "a-b_c.d~9");
        assert_eq!(url_encoded("a b/?&=#%ü"), "a%20b%2F%3F%26%3D%23%25%C3%BC");
    }

    #[test]
    fn one_hundred_percent_means_all_of_them() {
        assert_eq!(percent(249_999, 250_000), "99.9 %");
        assert_eq!(percent(250_000, 250_000), "100 %");
        assert_eq!(percent(1, 250_000), "0 %");
        assert_eq!(percent(0, 0), NOTHING);
    }

    #[test]
    fn paces_and_times_have_a_unit_that_fits() {
        assert_eq!(
            [0.5, 12.34, 1234.0].map(rate),
            ["30.0 / h", "12.3 / min", "1,234 / min"]
        );
        assert_eq!(
            [12.0, 1234.0, 200_000.0].map(millis),
            ["12 ms", "1.23 s", "3 min 20 s"]
        );
    }

    #[test]
    fn many_device_hours_have_fewer_decimals() {
        assert_eq!([4.5, 12.34].map(device_hours), ["4.50 h", "12.3 h"]);
    }

    #[test]
    fn a_timestamp_is_shown_as_how_long_ago_it_was_with_the_exact_time_as_its_title() {
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let later = |seconds| ago(at, at + SignedDuration::from_secs(seconds));
        assert_eq!(
            [-9, 4, 59, 3599, 86_399, 864_000].map(later),
            [
                "just now",
                "just now",
                "59 s ago",
                "59 min ago",
                "23 h ago",
                "10 d ago"
            ]
        );
        assert_eq!(
            TimestampLabel::new(at, at).to_string(),
            r#"<time datetime="2001-09-09T01:46:40Z" title="2001-09-09 01:46:40 UTC">just now</time>"#
        );
    }
}

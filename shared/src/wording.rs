//! Wording that messages share, so that none grows with a dataset.
//!
//! **The rule:** what a message of the queue, a name, a file, a store or a library says is never repeated without limit. It
//! is bounded where it becomes words of ours, once: an error with its causes in [`chain`](crate::failure::chain), a failed
//! attempt as it is [stored](crate::failure::FailedAttempt::to_json), a row's texts where it is made, a name in the error
//! that refuses it. What is stored and longer than we write is damage.
//!
//! Such a text is part of [`one_line`], in which all of it is seen: the name of a file cannot pass for a line of ours.

use std::time::Duration;

use std::borrow::Cow;
use std::fmt::{self, Display};

/// Names that a message shows at most.
pub const MOST_NAMES: usize = 10;
/// Bytes of a message that people read: an error with all its causes, why an item is quarantined, what is odd about one.
pub const MOST_MESSAGE_BYTES: usize = 4000;
/// Bytes of a text of others in it, such as what a server or a library says.
pub const MOST_TEXT_BYTES: usize = 1000;
/// Bytes of a stored text of ours: far more than any message has.
pub const MOST_STORED_BYTES: usize = 16 << 10;
/// Bytes that they may take together: the paths of some datasets are long.
const MOST_BYTES: usize = 1200;

/// Returns names separated by commas: the first ten, and how many more there are.
#[must_use]
pub fn first_names<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    first_of(names, ", ")
}

/// Returns texts with something between them: the first ten, and how many more there are.
#[must_use]
pub fn first_of<T: Display>(texts: impl IntoIterator<Item = T>, between: &str) -> String {
    let mut texts = texts.into_iter();
    let mut shown = String::new();
    for position in 0..MOST_NAMES {
        let Some(text) = texts.next() else {
            return shown;
        };
        let text = shortened(&one_line(&text.to_string()), MOST_BYTES / 2);
        if position > 0 && shown.len() + text.len() > MOST_BYTES {
            return more(shown, between, 1 + texts.count());
        }
        if position > 0 {
            shown.push_str(between);
        }
        shown.push_str(&text);
    }
    more(shown, between, texts.count())
}

/// Returns names of which one is to be chosen: `gta5, cityscapes or acdc`.
#[must_use]
pub fn one_of<T: Display>(names: &[T]) -> String {
    let mut shown = String::new();
    for (position, name) in names.iter().enumerate() {
        shown.push_str(match position {
            0 => "",
            last if last + 1 == names.len() => " or ",
            _ => ", ",
        });
        shown.push_str(&name.to_string());
    }
    shown
}

fn more(shown: String, between: &str, left: usize) -> String {
    match left {
        0 => shown,
        left => format!("{shown}{between}and {} more", Thousands(left)),
    }
}

/// Returns a text without its middle if it is longer than `max_bytes`.
#[must_use]
pub fn shortened(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let half = max_bytes.saturating_sub("...".len()) / 2;
    let head = (0..=half).rev().find(|&end| text.is_char_boundary(end));
    let tail = (text.len() - half..=text.len()).find(|&start| text.is_char_boundary(start));
    format!(
        "{}...{}",
        &text[..head.unwrap_or(0)],
        &text[tail.unwrap_or(text.len())..]
    )
}

/// Returns a text as a part of one line in which everything is seen: ends of lines and all other characters that show
/// nothing, or show what is around them otherwise, stand there as they are written in a program, such as `\n` and `\u{202e}`.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_unseen(letter) {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    Cow::Owned(line)
}

/// Control characters, ends of lines and paragraphs, marks of the direction of writing, and what has no width.
fn is_unseen(letter: char) -> bool {
    match letter {
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => true,
        letter => letter.is_control(),
    }
}

/// A number that is shown with a comma after each three digits: `24,966`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thousands(pub usize);

impl Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Returns a number with the noun that fits it: `1 picture`, `1,525 pictures`.
#[must_use]
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        Thousands(count),
        if count == 1 { one } else { many }
    )
}

/// Returns a duration as people say it: `42 s`, `3 min 20 s`, `5 h 12 min`, `3 d 4 h`.
#[must_use]
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_names_one_is_to_be_chosen() {
        for (names, shown) in [
            (&["a"][..], "a"),
            (&["a", "b"], "a or b"),
            (&["a", "b", "c"], "a, b or c"),
        ] {
            assert_eq!(one_of(names), shown);
        }
    }

    #[test]
    fn ten_names_are_shown_and_the_others_counted() {
        assert_eq!(first_names(["a", "b"]), "a, b");
        assert_eq!(first_names(Vec::<String>::new()), "");
        assert_eq!(first_names(1..=10), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
        assert_eq!(
            first_of(1..=1234, "; "),
            "1; 2; 3; 4; 5; 6; 7; 8; 9; 10; and 1,224 more"
        );
    }

    #[test]
    fn long_names_do_not_make_a_long_message() {
        let name = "ü".repeat(5000);
        let shown = first_names(vec![name.as_str(); 1525]);
        assert!(shown.len() < 2000, "{} bytes", shown.len());
        assert!(shown.ends_with(" more"), "{shown}");
        let path = format!("{}/last.png", "folder/".repeat(40));
        let shown = first_names(vec![path; 50]);
        assert!(shown.len() < 2000 && shown.contains("last.png"), "{shown}");
    }

    #[test]
    fn a_text_of_others_is_a_part_of_one_line_in_which_everything_is_seen() {
        for (text, expected) in [
            ("日本語 é ünïcödé \"a\\b\"", "日本語 é ünïcödé \"a\\b\""),
            ("a\nrun small is complete\r", "a\\nrun small is complete\\r"),
            ("a\tb\u{1b}[2K\u{9b}m", "a\\tb\\u{1b}[2K\\u{9b}m"),
            ("gpj\u{202e}.exe", "gpj\\u{202e}.exe"),
            ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
            (
                "a\u{200b}b\u{feff}c\u{2066}",
                "a\\u{200b}b\\u{feff}c\\u{2066}",
            ),
        ] {
            assert_eq!(one_line(text), expected);
            assert_eq!(one_line(expected), expected, "once is enough");
        }
        assert_eq!(first_names(["a\nb", "c"]), "a\\nb, c");
    }

    #[test]
    fn numbers_are_read_by_people() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1525, "1,525"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(Thousands(number).to_string(), text);
        }
        assert_eq!(counted(1, "picture", "pictures"), "1 picture");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let spoken = [5, 200, 18_720, 273_600].map(|seconds| human(Duration::from_secs(seconds)));
        assert_eq!(spoken, ["5 s", "3 min 20 s", "5 h 12 min", "3 d 4 h"]);
    }
}

//! An error and its causes as one line of bounded length.

use crate::wording::{MOST_MESSAGE_BYTES, one_line, shortened};

/// Bytes of one error of a chain.
const MOST_LINK_BYTES: usize = MOST_MESSAGE_BYTES / 2;

/// Returns an error and its causes on one line, each named once: many errors of other crates say their cause themselves.
///
/// Whatever they quote, it is one line in which everything is seen, and no longer than a message may be: of each, and of
/// all, the middle is left out.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let bounded = |error: &dyn std::error::Error| shortened(&error.to_string(), MOST_LINK_BYTES);
    let mut text = bounded(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let said = bounded(cause);
        if !says(&text, &said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    shortened(&one_line(&text.replace('\n', " ")), MOST_MESSAGE_BYTES)
}

/// Returns whether a text says a cause, in words of its own and not as a part of a path or of another word.
fn says(text: &str, cause: &str) -> bool {
    let is_edge = |next: Option<char>| {
        next.is_none_or(|letter| !letter.is_alphanumeric() && !matches!(letter, '/' | '_' | '-'))
    };
    let is_whole = |at: usize| {
        let (before, after) = (&text[..at], &text[at + cause.len()..]);
        is_edge(before.chars().next_back()) && is_edge(after.chars().next())
    };
    cause.is_empty() || text.match_indices(cause).any(|(at, _)| is_whole(at))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// An error of a text, and its cause.
    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Said>>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Said {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            let cause: &Said = self.1.as_deref()?;
            Some(cause)
        }
    }

    /// Returns the chain of errors, the first of which is caused by the second, and so on.
    fn chained(texts: &[&'static str]) -> String {
        let error = texts
            .iter()
            .rev()
            .fold(None, |cause, &text| Some(Box::new(Said(text, cause))));
        chain(&*error.unwrap())
    }

    #[test]
    fn what_errors_quote_makes_no_long_line() {
        let long: &'static str = Box::leak("ü".repeat(5_000_000).into_boxed_str());
        for texts in [
            &["it failed", long][..],
            &[long, "why"],
            &[long, long, long],
        ] {
            let told = chained(texts);
            assert!(told.len() <= MOST_MESSAGE_BYTES, "{} bytes", told.len());
        }
        let told = chained(&["it failed", long, "the disk is full"]);
        assert!(told.starts_with("it failed: ü"), "{told}");
        assert!(told.ends_with(": the disk is full"), "{told}");
    }

    #[test]
    fn a_chain_is_one_line_in_which_everything_is_seen() {
        let told = chained(&["a\r: \u{202e}gpj.exe", "no\ntag\u{1b}[2K"]);
        assert_eq!(told, "a\\r: \\u{202e}gpj.exe: no tag\\u{1b}[2K");
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        for (texts, expected) in [
            (&["a", "b", "c"][..], "a: b: c"),
            (&["a.png", "CRC error", "CRC error"], "a.png: CRC error"),
            (
                &["a", "Format error: no tag", "no tag"],
                "a: Format error: no tag",
            ),
            (&["a: no\ntag", "no\ntag", "b"], "a: no tag: b"),
            (&["a", ""], "a"),
            // Parts of names say nothing.
            (
                &["cannot read images/timeout/a", "timeout"],
                "cannot read images/timeout/a: timeout",
            ),
            (
                &["cannot read timeouts", "timeout"],
                "cannot read timeouts: timeout",
            ),
        ] {
            assert_eq!(chained(texts), expected);
        }
    }
}

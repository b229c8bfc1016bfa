//! Removes control characters from text before it reaches a terminal.
//!
//! A file's name may hold any character, and a terminal takes some of them for commands: to change its title, to show
//! other text than there is, to answer as if it had been typed.

use std::borrow::Cow;

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{fffd}';

/// Returns text without characters that a terminal obeys, but for the ends of lines and tabs.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let shown = |letter| {
        if is_command(letter) {
            REPLACEMENT
        } else {
            letter
        }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// Returns JSON in which no such character stands for itself.
pub(super) fn plain_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_command) {
        return Cow::Borrowed(json);
    }
    let mut plain = String::with_capacity(json.len() + 16);
    for letter in json.chars() {
        if is_command(letter) {
            plain.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            plain.push(letter);
        }
    }
    Cow::Owned(plain)
}

/// Control characters, and those that have the text around them shown in another order.
fn is_command(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        letter => letter.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_replaced_and_everything_else_stays() {
        for (text, expected) in [
            ("a.png: done\n\tb.png", "a.png: done\n\tb.png"),
            ("日本語 é ünïcödé", "日本語 é ünïcödé"),
            ("a\u{1b}]0;title\u{7}.png", "a\u{fffd}]0;title\u{fffd}.png"),
            ("one\rtwo\u{8}\u{7f}", "one\u{fffd}two\u{fffd}\u{fffd}"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("gpj\u{202e}.exe", "gpj\u{fffd}.exe"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn json_says_the_same_without_it() {
        for name in ["a\u{1b}]0;t\u{7}", "\u{9b}\u{7f}\u{202e}", "plain"] {
            let json = serde_json::to_string_pretty(&[name]).unwrap();
            let plain = plain_json(&json);
            assert!(!plain.contains(is_command), "{plain}");
            let read: Vec<String> = serde_json::from_str(&plain).unwrap();
            assert_eq!(read, [name]);
        }
    }
}

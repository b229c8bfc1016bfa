//! Which items of a comparison are shown: all of few, or some that are far apart.

use shared::spread;

use super::Comparison;

/// Contents that are shown at most.
const MAX_CONTENTS: usize = 6;
/// Styles that are shown at most.
const MAX_STYLES: usize = 4;

/// An item that every run of a comparison makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownItem<'a> {
    /// Its style.
    pub style: &'a str,
    /// Its content.
    pub content: &'a str,
}

/// Returns the items that are shown, those of a style together.
#[must_use]
pub fn shown_items(comparison: &Comparison) -> Vec<ShownItem<'_>> {
    let mut items = Vec::new();
    for style in some_of(&comparison.styles, MAX_STYLES) {
        for content in some_of(&comparison.contents, MAX_CONTENTS) {
            items.push(ShownItem { style, content });
        }
    }
    items
}

fn some_of(all: &[String], most: usize) -> impl Iterator<Item = &str> {
    spread::positions(all.len(), most).map(move |at| all[at].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_items_some_are_shown_that_are_far_apart() {
        let names = |letter: char, count: usize| -> Vec<String> {
            (0..count)
                .map(|number| format!("{letter}{number}"))
                .collect()
        };
        let mut comparison = Comparison::new("demo".parse().unwrap(), String::new());
        assert!(shown_items(&comparison).is_empty());
        comparison.contents = names('c', 60);
        comparison.styles = names('s', 2);
        let items = shown_items(&comparison);
        let shown: Vec<String> = items
            .iter()
            .map(|item| format!("{}/{}", item.style, item.content))
            .collect();
        assert_eq!(shown.len(), 12);
        assert_eq!(shown[..3], ["s0/c0", "s0/c10", "s0/c20"]);
        assert_eq!(shown[11], "s1/c50");
    }
}

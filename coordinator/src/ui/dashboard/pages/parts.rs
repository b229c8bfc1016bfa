//! Parts that several pages show: bars, pagers and ranges of names, and the numbers that their addresses hold.

use std::fmt::Write as _;

use crate::ui::dashboard::error::PageError;
use crate::ui::dashboard::format::NOTHING;
use crate::work::collector::run_view::StyleCounts;

/// Width of a bar in the units of its drawing.
const WIDE: usize = 1000;

/// A progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) parts: Vec<BarPart>,
    /// The same in words.
    pub(super) label: String,
}

/// A stretch of a bar in one colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BarPart {
    pub(super) class: &'static str,
    pub(super) x: usize,
    pub(super) width: usize,
}

impl Bar {
    /// Returns a bar of `counts`, with `in_hand` items that have ended in shards that are still open.
    pub(super) fn of(counts: StyleCounts, in_hand: usize) -> Self {
        let whole = counts.planned.max(1);
        let (mut parts, mut ended) = (Vec::new(), 0);
        for (class, count) in [
            ("done", counts.done),
            ("quarantined", counts.quarantined),
            ("failed", counts.failed),
            ("in-hand", in_hand),
        ] {
            let x = WIDE * ended / whole;
            ended = (ended + count).min(whole);
            // A single item among many is wide enough to be seen.
            let width = (WIDE * ended / whole).saturating_sub(x);
            let width = if count > 0 { width.max(3) } else { 0 };
            if width > 0 {
                parts.push(BarPart { class, x, width });
            }
        }
        let mut label = format!("{} of {} done", counts.done, counts.planned);
        for (count, what) in [
            (counts.quarantined, "quarantined"),
            (counts.failed, "failed"),
        ] {
            if count > 0 {
                let _ = write!(label, ", {count} {what}");
            }
        }
        Self { parts, label }
    }
}

/// The links through a list that is shown in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pager {
    /// From 1.
    pub(super) page: usize,
    pub(super) num_pages: usize,
    /// What stands before the page's number in an address.
    pub(super) address: String,
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) total: usize,
}

impl Pager {
    /// Returns the page of `total` things that was asked for, or the nearest one that there is.
    pub(super) fn new(total: usize, length: usize, wanted: usize, address: String) -> Self {
        let num_pages = total.div_ceil(length).max(1);
        let page = wanted.clamp(1, num_pages);
        let first = (page - 1) * length;
        Self {
            page,
            num_pages,
            address,
            first,
            last: total.min(first + length),
            total,
        }
    }

    /// Returns the part that the page shows of the list that the pager was made for.
    pub(super) fn part<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        list.get(self.first..self.last).unwrap_or_default()
    }

    /// Returns whether there is more than one page.
    pub(super) fn is_needed(&self) -> bool {
        self.num_pages > 1
    }

    /// Returns the number of the page before this one.
    pub(super) fn before(&self) -> Option<usize> {
        (self.page > 1).then(|| self.page - 1)
    }

    /// Returns the number of the page after this one.
    pub(super) fn after(&self) -> Option<usize> {
        (self.page < self.num_pages).then_some(self.page + 1)
    }
}

/// Returns the number that a parameter of an address holds; none if it is left out or empty.
///
/// # Errors
///
/// [`PageError::BadRequest`] if it is anything else.
pub(super) fn number(parameter: &str, text: &str) -> Result<Option<usize>, PageError> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<usize>() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(PageError::BadRequest(format!(
            "{parameter}={text:?} must be a number"
        ))),
    }
}

/// Returns the first and the last of some names.
pub(super) fn range<'a>(name: impl Fn(usize) -> &'a str, positions: &[usize]) -> String {
    let name = |&position: &usize| name(position);
    match positions {
        [] => NOTHING.to_owned(),
        [one] => name(one).to_owned(),
        [first, second] => format!("{}, {}", name(first), name(second)),
        [first, .., last] => format!("{} … {}", name(first), name(last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_an_address_is_left_out_or_refused_unless_it_is_one() {
        assert_eq!(number("page", "").unwrap(), None);
        assert_eq!(number("page", "12").unwrap(), Some(12));
        for text in ["two", "-1", "1.5", "99999999999999999999999"] {
            let error = number("page", text).unwrap_err();
            assert!(matches!(error, PageError::BadRequest(_)), "{error:?}");
            assert_eq!(error.to_string(), format!("page={text:?} must be a number"));
        }
    }

    #[test]
    fn many_names_are_told_by_the_first_and_the_last() {
        let names = ["a", "b", "c", "d"];
        let range = |positions: &[usize]| range(|position| names[position], positions);
        assert_eq!(range(&[1]), "b");
        assert_eq!(range(&[0, 3]), "a, d");
        assert_eq!(range(&[0, 1, 3]), "a … d");
        assert_eq!(range(&[]), NOTHING);
    }

    #[test]
    fn a_bar_is_full_when_all_is_done_and_shows_the_smallest_loss() {
        let all = StyleCounts {
            planned: 3,
            done: 3,
            ..StyleCounts::default()
        };
        let whole = BarPart {
            class: "done",
            x: 0,
            width: 1000,
        };
        assert_eq!(Bar::of(all, 0).parts, [whole]);
        let nearly = StyleCounts {
            planned: 250_000,
            done: 100_000,
            quarantined: 1,
            failed: 0,
        };
        let bar = Bar::of(nearly, 0);
        assert_eq!(bar.parts[1].width, 3);
        assert_eq!(bar.label, "100000 of 250000 done, 1 quarantined");
        assert_eq!(Bar::of(StyleCounts::default(), 0).parts, []);
    }

    #[test]
    fn a_page_that_is_not_there_is_the_nearest_one() {
        let list: Vec<usize> = (0..101).collect();
        let pager = |wanted| Pager::new(list.len(), 50, wanted, String::new());
        assert_eq!(pager(0).part(&list).first(), Some(&0));
        assert_eq!(pager(3).part(&list), [100]);
        assert_eq!(pager(99).page, 3);
        assert_eq!((pager(1).before(), pager(1).after()), (None, Some(2)));
        let none = Pager::new(0, 50, 1, String::new());
        assert!(none.part::<usize>(&[]).is_empty());
    }
}

//! Zeros in an image's bits: what a preallocated download and a lost write leave, and what encoders write for areas of
//! one colour, by the thousand.
//!
//! Zeros are codes like any others, so a decoder makes pixels of them. But an encoder writes as many as an image needs,
//! and a loss leaves as many as were lost, which were mostly longer codes. So zeros at the end stand in for something
//! else if the image is another one without them, and still the same with fewer of them. Those that follow a whole image
//! change nothing, and those that an encoder wrote are all needed. Zeros in the middle make too many pixels, so that the
//! image is whole before its bits are: it is still the same with other bits at its end, where an encoder writes none for
//! nothing. (Where they make too few, a decoder finds that bits are missing.)
//!
//! Pixels that are not compressed are zeros where they are black, so that a loss cannot be told from black: see
//! [`super::uncompressed`].

use std::ops::Range;

/// Fewer zeros than these are no hole.
const LEAST: usize = 64;
/// So many zeros more than an image needs were written by no encoder, which fills up a byte at most.
const TOO_MANY: usize = 32;
/// So many bytes at the end of an image, or of a part of it that is coded by itself, are never all needless.
const TAIL: usize = 8;

/// Returns whether an image was lost from where its last zeros begin. The bits of an image begin at `start`, and
/// `is_same` tells whether it is still the same if it ends as given and other bits follow.
pub(super) fn stand_in(bytes: &[u8], start: usize, is_same: impl Fn(&[u8]) -> bool) -> bool {
    let bits = bytes.get(start..).unwrap_or_default();
    let zeros = bits.iter().rev().take_while(|&&byte| byte == 0).count();
    let end = bytes.len() - zeros;
    zeros >= LEAST && !is_same(&bytes[..end]) && is_same(&bytes[..bytes.len() - TOO_MANY])
}

/// Returns whether an image, or a part of it that is coded by itself, lost what a long run of zeros within its bits
/// stands in for; `is_same` tells whether it is still the same with other bits in a range.
pub(super) fn hide_a_loss(bits: &[u8], is_same: impl Fn(Range<usize>) -> bool) -> bool {
    // What fills up a part behind its last code is no end of an image.
    let filling = bits.iter().rev();
    let filling = filling.take_while(|byte| matches!(byte, 0 | 0xff)).count();
    let bits = &bits[..bits.len() - filling];
    let Some(run) = run_within(bits).filter(|run| run.end + TAIL <= bits.len()) else {
        return false;
    };
    // What follows a whole image is not looked at, zeros or not.
    let is_needed = || !is_same(run.start..run.start + TAIL);
    is_same(bits.len() - TAIL..bits.len()) && is_needed()
}

/// Returns the longest run of zeros that something follows, if it is long enough to be a hole.
pub(super) fn run_within(bits: &[u8]) -> Option<Range<usize>> {
    let mut longest = 0..0;
    let mut start = 0;
    for (at, _) in bits.iter().enumerate().filter(|(_, byte)| **byte != 0) {
        if at - start > longest.len() {
            longest = start..at;
        }
        start = at + 1;
    }
    (longest.len() >= LEAST).then_some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_zeros_is_the_longest_that_something_follows() {
        let bits = |zeros: [usize; 3]| {
            let [first, second, last] = zeros.map(|zeros| vec![0_u8; zeros]);
            [&first[..], &[7], &second, &[7, 7], &last].concat()
        };
        assert_eq!(run_within(&bits([64, 80, 900])), Some(65..145));
        assert_eq!(run_within(&bits([100, 80, 0])), Some(0..100));
        assert_eq!(run_within(&bits([63, 63, 900])), None);
        assert_eq!(run_within(&[]), None);
    }

    #[test]
    fn zeros_in_the_middle_are_a_loss_if_they_are_needed_and_the_end_is_not() {
        let bits: Vec<u8> = [&[7; 20][..], &[0; 300], &[9; 40]].concat();
        let hides = |needed: Range<usize>| {
            hide_a_loss(&bits, |other| {
                other.end <= needed.start || needed.end <= other.start
            })
        };
        assert!(hides(0..340), "the image is whole before its end");
        assert!(!hides(0..360), "the end is needed");
        assert!(!hides(0..20), "the image is whole before the zeros");
        let without = [7; 400];
        assert!(!hide_a_loss(&without, |_| true), "there are no zeros");
    }

    /// An image of three bytes and then so many zeros that its end is needed, and so many more.
    fn is_hole(needed: usize, more: usize) -> bool {
        let image: Vec<u8> = [&[7, 8, 9][..], &vec![0_u8; needed + more]].concat();
        stand_in(&image, 2, |part| part.len() >= 3 + needed)
    }

    #[test]
    fn zeros_are_a_hole_if_some_are_needed_and_more_are_there() {
        assert!(is_hole(40, 40));
        assert!(is_hole(1, 5000));
        for (needed, more) in [(0, 0), (0, 5000), (40, 4), (5000, 0), (5000, 3)] {
            assert!(!is_hole(needed, more), "{needed} and {more} more");
        }
        assert!(!stand_in(&[0; 9], 40, |_| true));
        assert!(!stand_in(&[0; 900], 900, |_| true));
    }
}

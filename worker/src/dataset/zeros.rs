//! Zeros at the end of an image's bits: what a preallocated download and a lost write leave, and what an image of one
//! colour may end in.
//!
//! Zeros are codes like any others, so a decoder makes pixels of them. But whoever encodes an image writes as many as it
//! needs, and whoever loses a part of one leaves as many as were lost, which were mostly longer codes. So zeros stand in
//! for something else if the image is another one without them, and still the same with fewer of them. Those that follow
//! a whole image change nothing, and those that an encoder wrote are all needed.

/// Fewer zeros than these are no hole.
const LEAST: usize = 64;
/// So many zeros more than an image needs were written by no encoder, which fills up a byte at most.
const TOO_MANY: usize = 32;

/// Returns whether an image was lost from where its last zeros begin. The bits of an image begin at `start`, and
/// `is_same` tells whether it is still the same if it ends as given and other bits follow.
pub(super) fn stand_in(bytes: &[u8], start: usize, is_same: impl Fn(&[u8]) -> bool) -> bool {
    let bits = bytes.get(start..).unwrap_or_default();
    let zeros = bits.iter().rev().take_while(|&&byte| byte == 0).count();
    let end = bytes.len() - zeros;
    zeros >= LEAST && !is_same(&bytes[..end]) && is_same(&bytes[..bytes.len() - TOO_MANY])
}

#[cfg(test)]
mod tests {
    use super::*;

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

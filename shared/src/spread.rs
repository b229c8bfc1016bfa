//! Some of many, spread evenly over all: neighbours of a dataset show the same street.

/// Returns the positions of `wanted` among `count`, in rising order; all of them if there are no more.
pub fn positions(count: usize, wanted: usize) -> impl Iterator<Item = usize> + Clone {
    let wanted = wanted.min(count);
    (0..wanted).map(move |at| at * count / wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_spread_over_all_there_is() {
        let chosen = |count, wanted| positions(count, wanted).collect::<Vec<_>>();
        assert_eq!(chosen(10, 4), [0, 2, 5, 7]);
        assert_eq!(chosen(24_966, 3), [0, 8_322, 16_644]);
        assert_eq!(chosen(2, 20), [0, 1]);
        assert!(chosen(0, 3).is_empty() && chosen(3, 0).is_empty());
    }
}

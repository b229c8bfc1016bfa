//! Which contents are for validation: a share of all that were planned, the same whatever is chosen of a run.

use shared::digest;

use super::options::Share;

/// Returns of each content whether it is for validation. All items of a content are of one split, so that no scene is
/// trained on and validated with; at least one content is on either side, if there are two.
pub(super) fn of_contents<'a>(
    names: impl ExactSizeIterator<Item = &'a str>,
    seed: u64,
    share: Option<Share>,
) -> Vec<bool> {
    let count = names.len();
    let mut chosen = vec![false; count];
    let Some(share) = share else {
        return chosen;
    };
    let mut ranked: Vec<(String, usize)> = names
        .enumerate()
        .map(|(position, name)| (rank(name, seed), position))
        .collect();
    ranked.sort_unstable();
    let wanted = (share.get() * count as f64).round() as usize;
    let wanted = wanted.clamp(count.min(1), count.saturating_sub(1).max(1));
    for (_, position) in ranked.into_iter().take(wanted) {
        chosen[position] = true;
    }
    chosen
}

/// Returns by what contents are in an order that has nothing to do with their names: the same in every run of a seed.
pub(super) fn rank(name: &str, seed: u64) -> String {
    digest::sha256(format!("{seed}\n{name}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[String], seed: u64, share: &str) -> Vec<bool> {
        let names = names.iter().map(String::as_str);
        of_contents(names, seed, Some(share.parse().unwrap()))
    }

    #[test]
    fn a_share_of_the_contents_is_chosen_by_name_and_seed_alone() {
        let names: Vec<String> = (0..200).map(|n| format!("{n:05}")).collect();
        let tenth = chosen(&names, 42, "0.1");
        let count = |chosen: &[bool]| chosen.iter().filter(|&&it| it).count();
        assert_eq!(count(&tenth), 20);
        assert_eq!(chosen(&names, 42, "0.1"), tenth);
        assert_ne!(chosen(&names, 43, "0.1"), tenth);
        let fifth = chosen(&names, 42, "0.2");
        assert_eq!(count(&fifth), 40);
        assert!(
            tenth.iter().zip(&fifth).all(|(&less, &more)| more || !less),
            "what is for validation stays so when more is"
        );
        let all = of_contents(names.iter().map(String::as_str), 42, None);
        assert_eq!(count(&all), 0);
    }

    #[test]
    fn both_sides_have_a_content_if_there_are_two() {
        let names = |count: usize| -> Vec<String> { (0..count).map(|n| n.to_string()).collect() };
        for share in ["0.001", "0.999"] {
            let of_two = chosen(&names(2), 1, share);
            assert_eq!(of_two.iter().filter(|&&it| it).count(), 1, "{share}");
        }
        assert_eq!(chosen(&names(1), 1, "0.5"), [true]);
        assert_eq!(chosen(&names(0), 1, "0.5"), [false; 0]);
    }
}

//! A plan's shards in parts of equal work, each for a process of its own.

use std::fmt;
use std::str::FromStr;

use shared::plan::Shard;

/// Why a text names no part of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// It is no `K/N`.
    #[error("a part is K/N, two numbers such as 3/8, which is the third of eight")]
    Malformed,
    /// There is no such part of so many.
    #[error("there is no part {number} of {num_parts}: parts are numbered from 1 to {num_parts}")]
    Absent {
        /// The part.
        number: u32,
        /// Of how many.
        num_parts: NumParts,
    },
    /// No run is divided so.
    #[error("a run is divided into 1 to {} parts", u32::MAX)]
    NumParts,
}

/// Into how many parts a run is divided: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumParts(u32);

/// One part of a run, written as `K/N`: `3/8` is the third of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    number: u32,
    num_parts: NumParts,
}

impl FromStr for NumParts {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        match number(text) {
            Some(0) | None => Err(PartError::NumParts),
            Some(count) => Ok(Self(count)),
        }
    }
}

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let (of_part, of_all) = text.split_once('/').ok_or(PartError::Malformed)?;
        let (Some(number), Some(_)) = (number(of_part), number(of_all)) else {
            return Err(PartError::Malformed);
        };
        let num_parts: NumParts = of_all.parse()?;
        if (1..=num_parts.0).contains(&number) {
            Ok(Self { number, num_parts })
        } else {
            Err(PartError::Absent { number, num_parts })
        }
    }
}

/// Returns a number that is written in digits alone.
fn number(text: &str) -> Option<u32> {
    let is_of_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_of_digits)
}

impl fmt::Display for NumParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.num_parts)
    }
}

impl Part {
    /// Returns into how many parts the run is divided.
    #[must_use]
    pub fn num_parts(self) -> NumParts {
        self.num_parts
    }

    /// Returns the shards of this part, in the order of the plan.
    pub fn shards(self, shards: &[Shard]) -> impl Iterator<Item = &Shard> {
        let numbers = part_numbers(shards, self.num_parts);
        let of_shards = shards.iter().zip(numbers);
        of_shards.filter_map(move |(shard, number)| (number == self.number).then_some(shard))
    }
}

/// Returns the number of the part of each shard, from 1, in the order of the plan: the same wherever it is asked for.
///
/// Shards of the same list of contents are in one part, so that each of these is read in one place; contents that are near
/// in the plan are near. Where styles have contents of their own, as with uniform and rare-class pairing, a content may be in
/// several lists, and so in several parts, each of which reads and inverts it. No part has more work than its equal share and
/// that of one such group. Of more parts than groups, some have nothing.
#[must_use]
pub fn part_numbers(shards: &[Shard], num_parts: NumParts) -> Vec<u32> {
    let mut order: Vec<usize> = (0..shards.len()).collect();
    order.sort_by(|&a, &b| shards[a].contents.cmp(&shards[b].contents));
    let total = shards.iter().map(work).sum::<u128>().max(1);
    let num_parts = u128::from(num_parts.0);
    let mut numbers = vec![1; shards.len()];
    let mut before = 0;
    for group in order.chunk_by(|&a, &b| shards[a].contents == shards[b].contents) {
        let work: u128 = group.iter().map(|&at| work(&shards[at])).sum();
        // A group is of the part in which the middle of its work lies.
        let part = ((2 * before + work) * num_parts / (2 * total)).min(num_parts - 1);
        let number = u32::try_from(part + 1).expect("there are no more parts than such numbers");
        for &at in group {
            numbers[at] = number;
        }
        before += work;
    }
    numbers
}

/// Returns the work of a shard: its outputs, and what they share of each content, which takes about as long as an output.
fn work(shard: &Shard) -> u128 {
    shard.contents.len() as u128 * (1 + shard.styles.len() as u128)
}

#[cfg(test)]
mod tests {
    use shared::ids::ShardId;
    use shared::settings::ShardSize;

    use super::*;
    use crate::run::plan::group;

    fn parts(shards: &[Shard], num_parts: u32) -> Vec<Vec<u32>> {
        let numbers = part_numbers(shards, NumParts(num_parts));
        let of_part = |part| {
            let shards = shards.iter().zip(&numbers);
            let shards = shards.filter(|&(_, &number)| number == part);
            shards.map(|(shard, _)| shard.id.0).collect()
        };
        (1..=num_parts).map(of_part).collect()
    }

    /// Returns the shards of contents that all meet all styles, some of each in a shard.
    fn planned(contents: usize, styles: usize, size: (usize, usize)) -> Vec<Shard> {
        let size = ShardSize {
            contents: size.0,
            styles: size.1,
        };
        group(&vec![(0..contents).collect(); styles], size)
    }

    #[test]
    fn a_part_is_written_as_its_number_and_how_many_there_are() {
        let part: Part = "3/8".parse().unwrap();
        assert_eq!(part.to_string(), "3/8");
        assert_eq!(part.num_parts(), "8".parse().unwrap());
        for malformed in [
            "",
            "/",
            "3",
            "3/",
            "/8",
            "3/8/9",
            "3-8",
            "-1/8",
            "+3/8",
            "3/ 8",
            "3.0/8",
            "a/b",
            "1/99999999999",
        ] {
            let refused = malformed.parse::<Part>();
            assert_eq!(refused, Err(PartError::Malformed), "{malformed:?}");
        }
        for (text, told) in [
            (
                "0/8",
                "there is no part 0 of 8: parts are numbered from 1 to 8",
            ),
            (
                "9/8",
                "there is no part 9 of 8: parts are numbered from 1 to 8",
            ),
            ("0/0", "a run is divided into 1 to 4294967295 parts"),
            ("1/0", "a run is divided into 1 to 4294967295 parts"),
        ] {
            let refused = text.parse::<Part>().unwrap_err();
            assert_eq!(refused.to_string(), told, "{text}");
        }
        for text in ["", "0", "-1", "+1", "1/2", "4294967296"] {
            assert_eq!(
                text.parse::<NumParts>(),
                Err(PartError::NumParts),
                "{text:?}"
            );
        }
    }

    #[test]
    fn shards_of_the_same_contents_are_in_one_part() {
        // Two shards of styles for each of four groups of contents: 0 and 4 are of the first.
        let shards = planned(8, 4, (2, 2));
        assert_eq!(shards[0].contents, shards[4].contents);
        let expected: [&[&[u32]]; 3] = [
            &[&[0, 1, 2, 3, 4, 5, 6, 7]],
            &[&[0, 1, 4, 5], &[2, 3, 6, 7]],
            &[&[0, 4], &[1, 5], &[2, 6], &[3, 7]],
        ];
        for (num_parts, expected) in [1, 2, 4].into_iter().zip(expected) {
            assert_eq!(parts(&shards, num_parts), expected);
        }
        let of_eight = parts(&shards, 8);
        let with_work = of_eight.iter().filter(|shards| !shards.is_empty());
        assert_eq!(with_work.count(), 4, "{of_eight:?}");
    }

    #[test]
    fn parts_are_of_equal_work_and_not_of_equal_numbers_of_shards() {
        // One shard with eight times the work of each of eight others.
        let shard = |id: usize, contents: Vec<usize>| Shard {
            id: ShardId(id as u32),
            contents,
            styles: vec![0],
        };
        let mut shards = vec![shard(0, (0..8).collect())];
        shards.extend((1..9).map(|id| shard(id, vec![7 + id])));
        let expected: [Vec<u32>; 2] = [vec![0], (1..9).collect()];
        assert_eq!(parts(&shards, 2), expected);
    }

    #[test]
    fn the_shards_of_a_part_are_those_with_its_number() {
        let shards = planned(5, 3, (1, 2));
        let part: Part = "2/3".parse().unwrap();
        let of_part: Vec<u32> = part.shards(&shards).map(|shard| shard.id.0).collect();
        assert_eq!(of_part, parts(&shards, 3)[1]);
        assert!(!of_part.is_empty());
        let numbers = part_numbers(&[], NumParts(4));
        assert!(numbers.is_empty());
    }
}

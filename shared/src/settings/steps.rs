//! Sets of executed steps, written as `5..15`, `1..` or `0,2..`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// No schedule has more steps.
const MAX_STEP: usize = 1000;
/// Nor a set more parts.
const MAX_PARTS: usize = 1000;

/// A set of steps (executed indices, from 0) as half-open ranges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepSet {
    ranges: Vec<(usize, Option<usize>)>,
}

impl StepSet {
    /// Returns the set of every step.
    #[must_use]
    pub fn all() -> Self {
        Self::from_step(0)
    }

    /// Returns the set of `first` and every later step.
    #[must_use]
    pub fn from_step(first: usize) -> Self {
        Self {
            ranges: vec![(first, None)],
        }
    }

    /// Returns the set of the steps in `range`.
    #[must_use]
    pub fn range(range: Range<usize>) -> Self {
        Self {
            ranges: vec![(range.start, Some(range.end))],
        }
    }

    /// Returns whether `step` is in the set.
    #[must_use]
    pub fn contains(&self, step: usize) -> bool {
        self.ranges
            .iter()
            .any(|&(start, end)| step >= start && end.is_none_or(|end| step < end))
    }
}

impl FromStr for StepSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "step set {text:?} must be steps and half-open ranges such as 5..15, 1.. or 0,2.."
            )
        };
        if text.split(',').count() > MAX_PARTS {
            return Err(format!(
                "step set must not have more than {MAX_PARTS} parts"
            ));
        }
        let number = |digits: &str| {
            let step = digits.trim().parse::<usize>().map_err(|_| wrong())?;
            if step > MAX_STEP {
                return Err(format!(
                    "step set {text:?} must not go beyond {MAX_STEP}: no schedule has more steps"
                ));
            }
            Ok(step)
        };
        let ranges = text
            .split(',')
            .map(|part| match part.split_once("..") {
                None => number(part).map(|step| (step, Some(step + 1))),
                Some((start, end)) => {
                    let start = if start.trim().is_empty() {
                        0
                    } else {
                        number(start)?
                    };
                    let end = if end.trim().is_empty() {
                        None
                    } else {
                        Some(number(end)?)
                    };
                    if end.is_some_and(|end| end < start) {
                        Err(wrong())
                    } else {
                        Ok((start, end))
                    }
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { ranges })
    }
}

impl TryFrom<String> for StepSet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<StepSet> for String {
    fn from(set: StepSet) -> Self {
        set.to_string()
    }
}

impl fmt::Display for StepSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (start, end)) in self.ranges.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            match end {
                Some(end) if *end == start + 1 => write!(f, "{start}")?,
                Some(end) => write!(f, "{start}..{end}")?,
                None => write!(f, "{start}..")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_sets_read_as_they_are_written() {
        for text in ["5..15", "1..", "0,2..", "3", "0.."] {
            assert_eq!(
                text.parse::<StepSet>().expect("a step set").to_string(),
                text
            );
        }
        let leak: StepSet = "0,2..".parse().expect("a step set");
        assert_eq!(
            [0, 1, 2, 19].map(|step| leak.contains(step)),
            [true, false, true, true]
        );
        let class: StepSet = "5..15".parse().expect("a step set");
        assert_eq!(
            [4, 5, 14, 15].map(|step| class.contains(step)),
            [false, true, true, false]
        );
    }

    #[test]
    fn what_is_no_step_set_is_refused() {
        let long = "1,".repeat(2000);
        for text in [
            "",
            "a",
            "5..3",
            "1,,2",
            "-1..",
            "1001",
            "5..18446744073709551615",
            &long,
        ] {
            assert!(text.parse::<StepSet>().is_err(), "{text:?} was accepted");
        }
    }
}

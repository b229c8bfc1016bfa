//! The share of each class in a class map, by which people tell at a glance whether it can be right.

use std::fmt;

use ndarray::ArrayView2;
use shared::dataset::classes::{CLASSES, NUM_CLASSES};
use shared::warning::{ItemWarning, WarningKind};

/// A class of which a map shows more is said of the whole photograph.
const NEARLY_ALL: f64 = 0.99;
/// Shares that a line of text shows.
const MOST_SHOWN: usize = 6;
/// What would be rounded to no share at all, in percent.
const LEAST_TOLD: f64 = 0.05;
/// What is of no class, in words.
const NO_CLASS: &str = "no class";

/// The shares of the classes of a class map.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassShares {
    /// Names of classes, and of none of them, with their shares: the greatest first, those that are not shown left out.
    pub shares: Vec<(&'static str, f64)>,
}

impl ClassShares {
    /// Returns the shares of train ids `(height, width)`.
    #[must_use]
    pub fn of(train_ids: ArrayView2<'_, u8>) -> Self {
        let mut pixels = [0_usize; NUM_CLASSES + 1];
        for &train_id in train_ids {
            pixels[usize::from(train_id).min(NUM_CLASSES)] += 1;
        }
        let all = train_ids.len().max(1) as f64;
        let names = CLASSES.iter().map(|class| class.name).chain([NO_CLASS]);
        let shares = names.zip(pixels).filter(|(_, pixels)| *pixels > 0);
        let mut shares: Vec<_> = shares
            .map(|(name, pixels)| (name, pixels as f64 / all))
            .collect();
        shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        Self { shares }
    }

    /// Returns each class with its share in words.
    pub fn told(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let shares = self.shares.iter();
        shares.map(|&(name, share)| (name, told(share)))
    }

    /// Returns a warning if a map that was made of a photograph says nearly everywhere the same, which tells little of a
    /// street.
    #[must_use]
    pub fn warning(&self, photograph: &str) -> Option<ItemWarning> {
        let (_, greatest) = self.shares.first()?;
        (*greatest > NEARLY_ALL).then(|| ItemWarning {
            kind: WarningKind::UniformClassMap,
            text: format!(
                "the class map of {photograph} says nearly everywhere the same ({self}): look whether it is right; a label of \
                 its own beside it goes before the map"
            ),
        })
    }
}

impl fmt::Display for ClassShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, share)) in self.told().take(MOST_SHOWN).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {share}")?;
        }
        match self.shares.len().checked_sub(MOST_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, ", {more} more"),
        }
    }
}

/// Returns a share in words: a class that is shown is never told as nothing.
fn told(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < LEAST_TOLD {
        "under 0.1 %".to_owned()
    } else {
        format!("{percent:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn shares_are_told_with_the_greatest_first_and_what_is_of_no_class() {
        let shares = ClassShares::of(array![[0, 0, 10, 255], [0, 0, 10, 0]].view());
        assert_eq!(
            shares.to_string(),
            "road 62.5 %, sky 25.0 %, no class 12.5 %"
        );
        assert_eq!(shares.warning("a.png"), None);
        let many = Array2::from_shape_fn((1, 19), |(_, x)| x as u8);
        let told = ClassShares::of(many.view()).to_string();
        assert!(told.ends_with(", 13 more"), "{told}");
        let mut little = Array2::<u8>::zeros((100, 100));
        little[(0, 0)] = 18;
        let shares = ClassShares::of(little.view());
        assert_eq!(shares.to_string(), "road 100.0 %, bicycle under 0.1 %");
        let (class, share) = shares.told().last().unwrap();
        assert_eq!((class, share.as_str()), ("bicycle", "under 0.1 %"));
        for place in 1..10 {
            little[(0, place)] = 18;
        }
        let told = ClassShares::of(little.view()).to_string();
        assert_eq!(told, "road 99.9 %, bicycle 0.1 %");
        let nothing = ClassShares::of(Array2::zeros((0, 0)).view());
        assert!(nothing.shares.is_empty());
    }

    #[test]
    fn a_map_that_says_nearly_everywhere_the_same_is_warned_of_with_its_shares() {
        let mut map = Array2::from_elem((10, 20), 2);
        map[(0, 0)] = 0;
        let warning = ClassShares::of(map.view()).warning("images/night.png");
        let warning = warning.unwrap();
        assert_eq!(warning.kind, WarningKind::UniformClassMap);
        let words = "the class map of images/night.png says nearly everywhere the same (building 99.5 %, road 0.5 %)";
        assert!(warning.text.contains(words), "{warning}");
        map[(0, 1)] = 0;
        map[(0, 2)] = 0;
        assert_eq!(ClassShares::of(map.view()).warning("a.png"), None);
    }
}

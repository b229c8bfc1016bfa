//! Class maps of an image without labels: what its features resemble most, of the prototypes of classes.
//!
//! The score of a cell for a class is the cosine of its features and the class's prototype, 0 for a class that has none; a
//! pixel's are those of the cells around it, blended. Beside the classes there is a slot of zeros, [`NO_CLASS`]: where
//! every score is negative, the first class without a prototype is the greatest, or the slot.
//!
//! - The **prior** is made of an image once: the class of the greatest score.
//! - A **vote** is made by a layer of the UNet at a step, and abstains where that score is not great enough.
//! - The prior is **refined** by votes where they all are for one other class.
//!
//! **Source:** Yao et al. 2026 (arXiv:2606.29286), the released code.
//! **Differs:** nothing.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::cells::{Between, between};
use super::prototypes::{ClassMapError, Prototypes, UnitFeatures};
use shared::dataset::classes::{NUM_CLASSES, UNKNOWN};

/// The slot beside the classes, whose score is always 0.
pub const NO_CLASS: u8 = NUM_CLASSES as u8;

const NUM_SLOTS: usize = NUM_CLASSES + 1;

/// Scores of a cell or a pixel.
type Scores = [f32; NUM_SLOTS];

impl Prototypes {
    /// Returns the class that each pixel of an image of `size` (height, width) resembles most, [`NO_CLASS`] if it resembles
    /// none.
    ///
    /// # Errors
    ///
    /// [`ClassMapError::Width`] if features have other numbers than the prototypes.
    pub fn prior(
        &self,
        features: &UnitFeatures,
        size: (usize, usize),
    ) -> Result<Array2<u8>, ClassMapError> {
        self.map(features, size, |class, _| class)
    }

    /// Returns as [`prior`](Self::prior), but 255 where the greatest score is below `confidence`.
    ///
    /// # Errors
    ///
    /// [`ClassMapError::Width`] if features have other numbers than the prototypes.
    pub fn vote(
        &self,
        features: &UnitFeatures,
        size: (usize, usize),
        confidence: f32,
    ) -> Result<Array2<u8>, ClassMapError> {
        self.map(features, size, |class, score| {
            if score < confidence { UNKNOWN } else { class }
        })
    }

    /// Returns what is made of the greatest score of each pixel and its class.
    fn map(
        &self,
        features: &UnitFeatures,
        size: (usize, usize),
        label: impl Fn(u8, f32) -> u8 + Sync,
    ) -> Result<Array2<u8>, ClassMapError> {
        let scores = self.scores(features)?;
        let (height, width) = features.size();
        let rows = between(size.0, height);
        let columns = between(size.1, width);
        let mut map = vec![UNKNOWN; size.0 * size.1];
        map.par_chunks_mut(size.1.max(1))
            .zip(&rows)
            .for_each(|(labels, row)| {
                let [low, high] = [row.low, row.high].map(|y| &scores[y * width..][..width]);
                let blends = low.iter().zip(high);
                let blends: Vec<Scores> = blends.map(|(a, b)| blend(a, b, row)).collect();
                for (labelled, column) in labels.iter_mut().zip(&columns) {
                    let scores = blend(&blends[column.low], &blends[column.high], column);
                    let (class, score) = greatest(&scores);
                    *labelled = label(class, score);
                }
            });
        Ok(Array2::from_shape_vec(size, map).expect("a label for each pixel"))
    }

    /// Returns the scores of each cell, row by row.
    fn scores(&self, features: &UnitFeatures) -> Result<Vec<Scores>, ClassMapError> {
        let (found, expected) = (features.width(), self.vectors.ncols());
        if found != expected {
            return Err(ClassMapError::Width { found, expected });
        }
        let (height, width) = features.size();
        let cells = features.view();
        let cells = cells.into_shape_with_order((height * width, found));
        let cells = cells.expect("unit features lie in order");
        let products = cells.dot(&self.vectors.t());
        let slots = products.axis_iter(Axis(0)).map(|products| {
            let mut slots = [0.0; NUM_SLOTS];
            for (class, product) in products.iter().enumerate() {
                if self.are_present[class] {
                    slots[class] = *product;
                }
            }
            slots
        });
        Ok(slots.collect())
    }
}

fn blend(low: &Scores, high: &Scores, place: &Between) -> Scores {
    let mut blended = [0.0; NUM_SLOTS];
    for slot in 0..NUM_SLOTS {
        blended[slot] = (1.0 - place.share) * low[slot] + place.share * high[slot];
    }
    blended
}

/// Returns the first slot with the greatest score, and the score.
fn greatest(scores: &Scores) -> (u8, f32) {
    let mut best = (0, scores[0]);
    for (slot, &score) in (0..=NO_CLASS).zip(scores) {
        if score > best.1 {
            best = (slot, score);
        }
    }
    best
}

/// Returns `prior` with the class that all `votes` are for, where they are for one other than the prior's and `labels`
/// show the prior's. All of them are `(height, width)`.
///
/// # Errors
///
/// [`ClassMapError::Size`] if they are not of one size.
pub fn refined(
    prior: ArrayView2<u8>,
    votes: &[Array2<u8>],
    labels: ArrayView2<u8>,
) -> Result<Array2<u8>, ClassMapError> {
    let expected = prior.dim();
    for found in votes.iter().map(Array2::dim).chain([labels.dim()]) {
        if found != expected {
            return Err(ClassMapError::Size { found, expected });
        }
    }
    let mut are_shown = [false; NUM_CLASSES];
    for &label in labels {
        if let Some(is_shown) = are_shown.get_mut(usize::from(label)) {
            *is_shown = true;
        }
    }
    let mut refined = prior.to_owned();
    let Some((first, others)) = votes.split_first() else {
        return Ok(refined);
    };
    for ((place, class), &vote) in refined.indexed_iter_mut().zip(first) {
        let is_shown = are_shown.get(usize::from(*class)).copied();
        let agree = || others.iter().all(|votes| votes[place] == vote);
        if is_shown.unwrap_or(false) && vote != UNKNOWN && agree() {
            *class = vote;
        }
    }
    Ok(refined)
}

/// Returns the class of each of so many tokens, row by row: that of the first pixel of its cell of `map`.
///
/// # Errors
///
/// [`ClassMapError::Tokens`] if tokens do not divide the map into squares.
pub fn token_classes(map: ArrayView2<u8>, tokens: usize) -> Result<Vec<u8>, ClassMapError> {
    let size = map.dim();
    let refused = ClassMapError::Tokens { size, tokens };
    let in_cell = map.len().checked_div(tokens).unwrap_or(0);
    let side = in_cell.isqrt();
    let divides = side > 0 && [size.0, size.1].iter().all(|length| length % side == 0);
    if !divides || map.len() != tokens * side * side {
        return Err(refused);
    }
    let step = side.cast_signed();
    let first = map.slice(ndarray::s![..;step, ..;step]);
    Ok(first.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_pixel_changes_where_all_votes_agree_on_another_class_than_one_that_is_shown() {
        let prior = array![[0_u8, 0, 0, 1, 19, 255]];
        let labels = array![[0_u8, 0, 5, 255, 5, 5]];
        let votes = [
            array![[5_u8, 5, 255, 5, 5, 5]],
            array![[5, 4, 255, 5, 5, 5]],
            array![[5, 5, 255, 5, 5, 5]],
        ];
        let found = refined(prior.view(), &votes, labels.view()).unwrap();
        assert_eq!(found, array![[5, 0, 0, 1, 19, 255]]);
        assert_eq!(refined(prior.view(), &[], labels.view()).unwrap(), prior);
        let short = array![[0_u8]];
        assert!(refined(prior.view(), &votes, short.view()).is_err());
    }

    #[test]
    fn a_token_has_the_class_of_its_first_pixel() {
        let map = array![[1_u8, 2, 3, 4], [5, 6, 7, 8]];
        assert_eq!(token_classes(map.view(), 2), Ok(vec![1, 3]));
        assert_eq!(token_classes(map.view(), 8).unwrap().len(), 8);
        for tokens in [0, 1, 3, 4, 9] {
            let (size, refused) = ((2, 4), token_classes(map.view(), tokens));
            assert_eq!(refused, Err(ClassMapError::Tokens { size, tokens }));
        }
    }

    #[test]
    fn where_every_score_is_negative_a_class_without_prototype_is_the_greatest() {
        let features = UnitFeatures::new(array![[[-1.0_f32, 0.0]]].view()).unwrap();
        let mut prototypes = Prototypes {
            vectors: Array2::zeros((NUM_CLASSES, 2)),
            are_present: [true; NUM_CLASSES],
        };
        prototypes.vectors.column_mut(0).fill(1.0);
        let size = (2, 2);
        let no_class = Array2::from_elem(size, NO_CLASS);
        assert_eq!(prototypes.prior(&features, size).unwrap(), no_class);
        prototypes.are_present[3] = false;
        let third = Array2::from_elem(size, 3);
        assert_eq!(prototypes.prior(&features, size).unwrap(), third);
        let abstains = prototypes.vote(&features, size, 0.5).unwrap();
        assert_eq!(abstains, Array2::from_elem(size, UNKNOWN));
    }
}

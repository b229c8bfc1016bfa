//! Prototypes of classes: the mean direction of a network's features where labels show a class.
//!
//! Features of cells are scaled to length one, blended to the pixels between them and scaled again; a prototype is the mean
//! of its class's pixels over all images, of length one as well.
//!
//! No pixel's features are made. The length of a blend `sum_i w_i F_i` of four cells is `sqrt(sum_ij w_i w_j F_i.F_j)`, for
//! which products of neighbouring cells are enough, and the sum over a class's pixels is one over cells, each times the
//! weights that it has in these pixels by their lengths.
//!
//! - `blends`: the weights of cells in the pixels of classes
//!
//! **Source:** Yao et al. 2026 (arXiv:2606.29286), the released code.
//! **Differs:** nothing but the order of sums.

mod blends;
#[cfg(test)]
mod tests;

use blends::class_weights;
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};
use thiserror::Error;

use shared::dataset::classes::NUM_CLASSES;

/// Keeps a vector of zeros from being divided by zero, as in PyTorch.
const EPSILON: f64 = 1e-12;

/// Arrays that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClassMapError {
    /// Features of two networks or layers.
    #[error("features have {found} numbers, {expected} are needed")]
    Width {
        /// The numbers of a cell's features.
        found: usize,
        /// Those of the prototypes.
        expected: usize,
    },
    /// Nothing to tell classes by.
    #[error("features of {0:?} (height, width, numbers) are empty")]
    Empty((usize, usize, usize)),
    /// Two class maps of one image.
    #[error("class maps of {found:?} and of {expected:?} (height, width) are not of one image")]
    Size {
        /// The size of the one.
        found: (usize, usize),
        /// The size of the other.
        expected: (usize, usize),
    },
    /// Tokens of another layer.
    #[error("{found} tokens are not those of a layer of {size:?} (height, width)")]
    Cells {
        /// The size of the layer.
        size: (usize, usize),
        /// The tokens.
        found: usize,
    },
    /// A class map that tokens do not divide.
    #[error("a class map of {size:?} (height, width) does not divide into {tokens} square tokens")]
    Tokens {
        /// The size of the map.
        size: (usize, usize),
        /// The tokens.
        tokens: usize,
    },
}

/// What a network says of each cell of an image, each as a vector of length one.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitFeatures(Array3<f32>);

impl UnitFeatures {
    /// Returns features `(height, width, numbers)`, scaled to length one.
    ///
    /// # Errors
    ///
    /// [`ClassMapError::Empty`] if there are none.
    pub fn new(features: ArrayView3<f32>) -> Result<Self, ClassMapError> {
        if features.is_empty() {
            return Err(ClassMapError::Empty(features.dim()));
        }
        let mut unit = features.as_standard_layout().into_owned();
        for mut cell in unit.lanes_mut(Axis(2)) {
            let length = dot(cell.view(), cell.view()).sqrt().max(EPSILON) as f32;
            cell.mapv_inplace(|number| number / length);
        }
        Ok(Self(unit))
    }

    /// Returns the features of tokens, `(tokens, numbers)`, of a layer of `size` (height, width), scaled to length one.
    ///
    /// # Errors
    ///
    /// [`ClassMapError::Empty`] if there are none, [`ClassMapError::Cells`] if they are not as many as the layer has.
    pub fn of_tokens(tokens: ArrayView2<f32>, size: (usize, usize)) -> Result<Self, ClassMapError> {
        let (found, width) = tokens.dim();
        let tokens = tokens.as_standard_layout();
        let features = tokens.view().into_shape_with_order((size.0, size.1, width));
        let features = features.map_err(|_| ClassMapError::Cells { size, found })?;
        Self::new(features)
    }

    /// Returns `(height, width, numbers)`.
    #[must_use]
    pub fn view(&self) -> ArrayView3<'_, f32> {
        self.0.view()
    }

    /// Returns the cells' size, height and width.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let (height, width, _) = self.0.dim();
        (height, width)
    }

    /// Returns the numbers of each cell.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.dim().2
    }

    fn cell(&self, y: usize, x: usize) -> ArrayView1<'_, f32> {
        self.0.slice(ndarray::s![y, x, ..])
    }
}

fn dot(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}

/// The sums of features over the pixels of each class, over all images that were added.
#[derive(Clone, Debug)]
pub struct ClassSums {
    /// `(classes, numbers)`
    sums: Array2<f64>,
    num_pixels: [u64; NUM_CLASSES],
}

impl ClassSums {
    /// Returns the sums of no image, for features of so many numbers.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            sums: Array2::zeros((NUM_CLASSES, width)),
            num_pixels: [0; NUM_CLASSES],
        }
    }

    /// Adds an image, of whose pixels `labels` `(height, width)` has the train ids.
    ///
    /// # Errors
    ///
    /// [`ClassMapError::Width`] if features have other numbers than those before.
    pub fn add(
        &mut self,
        features: &UnitFeatures,
        labels: ArrayView2<u8>,
    ) -> Result<(), ClassMapError> {
        let expected = self.sums.ncols();
        if features.width() != expected {
            let found = features.width();
            return Err(ClassMapError::Width { found, expected });
        }
        self.add_image(features, labels);
        Ok(())
    }

    /// Adds an image whose features have as many numbers as those before.
    fn add_image(&mut self, features: &UnitFeatures, labels: ArrayView2<u8>) {
        for &label in labels {
            if let Some(num) = self.num_pixels.get_mut(usize::from(label)) {
                *num += 1;
            }
        }
        let weights = class_weights(features, labels);
        let cells = features.0.lanes(Axis(2)).into_iter();
        for (cell, weights) in cells.zip(&weights) {
            for (mut sums, &weight) in self.sums.rows_mut().into_iter().zip(weights) {
                if weight > 0.0 {
                    sums.zip_mut_with(&cell, |sum, number| *sum += weight * f64::from(*number));
                }
            }
        }
    }

    /// Returns the prototype of each class that was shown.
    #[must_use]
    pub fn prototypes(&self) -> Prototypes {
        let mut prototypes = Prototypes {
            vectors: Array2::zeros(self.sums.raw_dim()),
            are_present: self.num_pixels.map(|num| num > 0),
        };
        for (class, &num) in self.num_pixels.iter().enumerate() {
            let mean = self.sums.row(class).mapv(|sum| sum / num.max(1) as f64);
            let length = mean.dot(&mean).sqrt().max(EPSILON);
            let unit = mean.mapv(|number| (number / length) as f32);
            prototypes.vectors.row_mut(class).assign(&unit);
        }
        prototypes
    }
}

/// The mean direction of each class's features.
#[derive(Clone, Debug, PartialEq)]
pub struct Prototypes {
    /// `(classes, numbers)`; zeros of a class that was not shown.
    pub vectors: Array2<f32>,
    /// Which classes were shown.
    pub are_present: [bool; NUM_CLASSES],
}

impl Prototypes {
    /// Returns those of a single image, of whose pixels `labels` `(height, width)` has the train ids.
    #[must_use]
    pub fn of(features: &UnitFeatures, labels: ArrayView2<u8>) -> Self {
        let mut sums = ClassSums::new(features.width());
        sums.add_image(features, labels);
        sums.prototypes()
    }
}

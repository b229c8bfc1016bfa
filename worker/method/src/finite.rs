//! Checks that the quantities of a conversion are finite, where they are computed: one that is not is never an image.
//!
//! A NaN spreads, and clamping to a range or rounding to a byte ends its spreading without a trace; so each quantity is
//! checked before anything is made of it.
//!
//! **Source:** none, the paper takes its numbers to be finite.
//! **Differs:** finite numbers are the same with it.

use std::fmt;

use ndarray::ArrayView3;
use thiserror::Error;

use super::denoise::At;
use kernels::finite::are_finite;

/// A quantity that a conversion computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The encoder's output of an image.
    EncodedLatent,
    /// The UNet's output at a step.
    NoisePrediction(At),
    /// A branch's latent after a step.
    Latent(At),
    /// The decoder's output of a latent.
    DecodedImage,
    /// A translator's output.
    TranslatedImage,
}

impl Quantity {
    /// Checks that all values are finite, in one pass without a branch for each.
    ///
    /// # Errors
    ///
    /// [`NotFinite`] if some are NaN or infinite.
    pub fn check(self, values: ArrayView3<'_, f32>) -> Result<(), NotFinite> {
        let are_finite = match values.as_slice_memory_order() {
            Some(values) => are_finite(values),
            None => values.iter().all(|value| value.is_finite()),
        };
        if are_finite {
            return Ok(());
        }
        Err(NotFinite {
            quantity: self,
            num_bad: values.iter().filter(|value| !value.is_finite()).count(),
            num_values: values.len(),
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EncodedLatent => f.write_str("the latent that the VAE's encoder made"),
            Self::NoisePrediction(at) => write!(f, "the noise prediction at {at}"),
            Self::Latent(at) => write!(f, "the latent after {at}"),
            Self::DecodedImage => f.write_str("the image that the VAE's decoder made"),
            Self::TranslatedImage => f.write_str("the image that the translator made"),
        }
    }
}

/// A quantity of which some values are NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{quantity} has {num_bad} of {num_values} values that are not finite")]
pub struct NotFinite {
    /// The quantity.
    pub quantity: Quantity,
    /// The number of values that are not finite.
    pub num_bad: usize,
    /// The number of all values.
    pub num_values: usize,
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    const AT: At = At {
        step: 3,
        timestep: 421,
    };

    #[test]
    fn one_value_that_is_not_finite_is_found_wherever_it_is() {
        let shape = (3, 40, 50);
        let whole = Array3::<f32>::from_elem(shape, f32::MAX);
        assert_eq!(Quantity::Latent(AT).check(whole.view()), Ok(()));
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [(0, 0, 0), (1, 20, 7), (2, 39, 49)] {
                let mut values = whole.clone();
                values[place] = bad;
                let found = Quantity::DecodedImage.check(values.view()).unwrap_err();
                assert_eq!((found.num_bad, found.num_values), (1, 6000));
                let reversed = values.permuted_axes([2, 0, 1]);
                let apart = reversed.slice(ndarray::s![..;1, .., ..]);
                assert!(Quantity::DecodedImage.check(apart).is_err());
                let every_other = reversed.slice(ndarray::s![place.2..;2, .., ..]);
                assert!(Quantity::DecodedImage.check(every_other).is_err());
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_named_with_its_step() {
        let values = Array3::from_elem((1, 2, 2), f32::NAN);
        let message = |quantity: Quantity| quantity.check(values.view()).unwrap_err().to_string();
        assert_eq!(
            message(Quantity::NoisePrediction(AT)),
            "the noise prediction at step 3 (timestep 421) has 4 of 4 values that are not finite"
        );
        assert!(message(Quantity::Latent(AT)).starts_with("the latent after step 3"));
        assert!(message(Quantity::EncodedLatent).contains("encoder"));
        assert!(message(Quantity::DecodedImage).contains("decoder"));
        assert!(message(Quantity::TranslatedImage).contains("translator"));
    }
}

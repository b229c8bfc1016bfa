//! What the products of a model are made of on a processor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What products are made of: a part of what a run is, as it decides bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// Single precision.
    #[default]
    F32,
    /// Numbers rounded to bfloat16, with sums of single precision.
    Bf16,
}

/// Text that names no products.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be f32, bf16 or auto")]
pub struct ProductsError;

impl Products {
    /// Returns whether they are those of single precision, which earlier runs have without saying so.
    #[must_use]
    pub fn are_single(&self) -> bool {
        *self == Self::F32
    }

    /// Returns those that a text names; `auto` are the faster ones here.
    ///
    /// # Errors
    ///
    /// [`ProductsError`] if it names none.
    pub fn named(text: &str) -> Result<Self, ProductsError> {
        match text {
            "auto" if multiplies_pairs() => Ok(Self::Bf16),
            "auto" => Ok(Self::F32),
            name => name.parse(),
        }
    }
}

impl FromStr for Products {
    type Err = ProductsError;

    fn from_str(text: &str) -> Result<Self, ProductsError> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(ProductsError),
        }
    }
}

impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

/// Returns whether this processor multiplies twice as many numbers of bfloat16 as of single precision in the same time:
/// AMD's with AVX-512 BF16. Intel's have half as many units for these products as for others.
fn multiplies_pairs() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        /// The first four letters of AMD's name, as the instruction gives them.
        const AMD: u32 = u32::from_le_bytes(*b"Auth");
        is_x86_feature_detected!("avx512bf16") && std::arch::x86_64::__cpuid(0).ebx == AMD
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_written_as_they_are_read_and_in_a_record_too() {
        for products in [Products::F32, Products::Bf16] {
            let text = products.to_string();
            assert_eq!(text.parse(), Ok(products));
            assert_eq!(Products::named(&text), Ok(products));
            let json = serde_json::to_string(&products).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Products>(&json).unwrap(), products);
        }
        for text in ["fp32", "BF16", "", "auto "] {
            assert_eq!(Products::named(text), Err(ProductsError));
        }
    }

    #[test]
    fn what_is_chosen_for_a_processor_is_one_of_both_and_always_the_same() {
        let chosen = Products::named("auto").unwrap();
        assert_eq!(Products::named("auto"), Ok(chosen));
        assert_eq!(chosen == Products::Bf16, multiplies_pairs());
    }
}

//! The SIMD vectors that kernels compute with: the widest of this CPU, unless others are pinned.
//!
//! No byte that our own loops write depends on them, so there is no reason to pin any but to prove that, or to find out
//! whether a reported error depends on them. `SYNTH2REAL_VECTORS` pins them for a process: `scalar` (one number at a
//! time), `v3` (AVX2), `v4` (AVX-512) or `v4-bf16` (AVX-512, and of bfloat16 products of pairs: see [`bf16`](crate::bf16)).
//! faer, which multiplies in [`pointwise`](crate::pointwise), chooses for itself, and nothing pins its vectors.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

use crate::bf16::dot_products;

/// The variable that pins vectors.
pub const VARIABLE: &str = "SYNTH2REAL_VECTORS";

/// The dispatch of every kernel of this process, from its first one on.
static IN_USE: OnceLock<Arch> = OnceLock::new();
/// The vectors that were pinned.
static PINNED: OnceLock<Vectors> = OnceLock::new();

/// Vectors that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// One number at a time.
    Scalar,
    /// AVX2: eight numbers.
    V3,
    /// AVX-512: sixteen.
    V4,
    /// AVX-512, with dot products of pairs of bfloat16.
    V4Bf16,
}

/// Why vectors cannot be pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VectorsError {
    /// There are none of this name.
    #[error(
        "{VARIABLE} ({0:?}) must be scalar, v3, v4 or v4-bf16; leave it unset for the widest vectors"
    )]
    Unknown(String),
    /// This CPU has none of them.
    #[error("{VARIABLE} ({}) names vectors that this processor does not have, which has {}", .0, here())]
    NotHere(&'static str),
    /// Kernels have computed with others.
    #[error("{VARIABLE} ({0}) comes too late: kernels have computed with vectors of {1} numbers")]
    TooLate(&'static str, usize),
}

impl Vectors {
    /// Every kind, in rising width.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::V3, Self::V4, Self::V4Bf16];

    /// Returns the name that pins them.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::V3 => "v3",
            Self::V4 => "v4",
            Self::V4Bf16 => "v4-bf16",
        }
    }

    /// Returns their lanes: the numbers of single precision that they hold.
    #[must_use]
    pub fn lanes(self) -> usize {
        match self {
            Self::Scalar => 1,
            Self::V3 => 8,
            Self::V4 | Self::V4Bf16 => 16,
        }
    }

    /// Returns those that this CPU has, in rising width.
    #[must_use]
    pub fn of_this_processor() -> Vec<Self> {
        let mut all = Self::ALL.to_vec();
        all.retain(|vectors| vectors.arch().is_some());
        all
    }

    /// Returns the dispatch to them, or none if this CPU does not have them.
    pub(crate) fn arch(self) -> Option<Arch> {
        match self {
            Self::Scalar => Some(Arch::Scalar),
            #[cfg(target_arch = "x86_64")]
            Self::V3 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(target_arch = "x86_64")]
            Self::V4 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(target_arch = "x86_64")]
            Self::V4Bf16 => Self::V4.arch().filter(|_| dot_products::are_here()),
            #[cfg(not(target_arch = "x86_64"))]
            Self::V3 | Self::V4 | Self::V4Bf16 => None,
        }
    }

    /// Returns whether products of bfloat16 are made of pairs with them.
    pub(crate) fn multiply_pairs(self) -> bool {
        self == Self::V4Bf16
    }

    /// Has every kernel of this process compute with them.
    ///
    /// # Errors
    ///
    /// [`VectorsError`] if this CPU does not have them, or kernels have computed with others.
    pub fn pin(self) -> Result<(), VectorsError> {
        let arch = self.arch().ok_or(VectorsError::NotHere(self.as_str()))?;
        let _ = IN_USE.set(arch);
        let _ = PINNED.set(self);
        let others = lanes();
        if others == self.lanes() && dot_products::are_used() == self.multiply_pairs() {
            Ok(())
        } else {
            Err(VectorsError::TooLate(self.as_str(), others))
        }
    }
}

/// Returns the names of the vectors that this CPU has.
fn here() -> String {
    let names = Vectors::of_this_processor().into_iter();
    names.map(Vectors::as_str).collect::<Vec<_>>().join(", ")
}

/// Pins the vectors that the environment names, and returns them; none if it names none.
///
/// # Errors
///
/// [`VectorsError`] if it names none that there are here, or kernels have computed with others.
pub fn pin_as_told() -> Result<Option<Vectors>, VectorsError> {
    let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let vectors = named(&name.to_string_lossy())?;
    vectors.pin()?;
    Ok(Some(vectors))
}

fn named(name: &str) -> Result<Vectors, VectorsError> {
    let mut all = Vectors::ALL.into_iter();
    let named = all.find(|vectors| vectors.as_str() == name);
    named.ok_or_else(|| VectorsError::Unknown(name.to_owned()))
}

/// Returns the vectors that were pinned, if any were.
pub(crate) fn pinned() -> Option<Vectors> {
    PINNED.get().copied()
}

/// Returns the dispatch of every kernel.
#[inline]
pub(crate) fn arch() -> Arch {
    *IN_USE.get_or_init(Arch::new)
}

/// Returns the lanes of the vectors in use, counted by a kernel of its own: numbers of single precision.
#[must_use]
pub fn lanes() -> usize {
    arch().dispatch(Lanes)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatching_by_vectors_computes_with_as_many_numbers_as_they_hold() {
        let here = Vectors::of_this_processor();
        assert_eq!(here[0], Vectors::Scalar);
        for vectors in here {
            let lanes = vectors.arch().unwrap().dispatch(Lanes);
            assert_eq!(lanes, vectors.lanes(), "{}", vectors.as_str());
        }
    }

    #[test]
    fn a_name_of_no_vectors_is_refused_with_those_that_there_are() {
        for vectors in Vectors::ALL {
            assert_eq!(named(vectors.as_str()), Ok(vectors));
        }
        for name in ["V4", "avx2", "", "4"] {
            let error = named(name).unwrap_err().to_string();
            for words in [VARIABLE, name, "scalar, v3, v4 or v4-bf16"] {
                assert!(error.contains(words), "{words}: {error}");
            }
        }
    }
}

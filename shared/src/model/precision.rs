//! The precisions of floating-point numbers in models.

use serde::Deserialize;

/// The largest finite number of fp16.
const LARGEST_FP16: f32 = 65_504.0;

/// A precision of floating-point numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, 32 bits.
    Fp32,
    /// Half precision, 16 bits.
    Fp16,
}

/// What a part of a model computes in, and what its weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartPrecision {
    /// Precision in which it computes.
    pub dtype: Precision,
    /// Precision in which weights are stored.
    pub weights: Precision,
}

impl Precision {
    /// Returns what ONNX and contracts call its numbers.
    #[must_use]
    pub fn tensor_dtype(self) -> &'static str {
        match self {
            Self::Fp32 => "float32",
            Self::Fp16 => "float16",
        }
    }

    /// Returns the bytes that a number takes.
    #[must_use]
    pub fn num_bytes(self) -> usize {
        match self {
            Self::Fp32 => 4,
            Self::Fp16 => 2,
        }
    }

    /// Returns the largest finite number.
    #[must_use]
    pub fn largest(self) -> f32 {
        match self {
            Self::Fp32 => f32::MAX,
            Self::Fp16 => LARGEST_FP16,
        }
    }
}

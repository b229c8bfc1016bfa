//! Why fused kernels do not compute some layers: those that are so at every attempt, and those that may pass.

use shared::model::Precision;

/// Kernels count the numbers of a tensor in 32 bits.
pub(super) const MAX_NUMBERS: usize = i32::MAX as usize;
/// Weights of float16 are multiplied by their total, which may be as large as the number of tokens: the largest float16.
pub(super) const MAX_TOKENS: usize = 65_504;

/// Why there is no fused attention.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotFused {
    /// There are no kernels: graphs may take their place.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// There are kernels and they cannot be used. If graphs took their place, bytes would depend on the attempt.
    #[error(transparent)]
    Failed(#[from] LoadFailure),
}

/// Why there are no kernels: a property of GPU, model, method and program, and the same at every attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsupported {
    /// None filter attention by class.
    #[error("no kernel filters by class, as method ast does")]
    ByClass,
    /// None are compiled for such a GPU.
    #[error("no kernel is for a GPU of compute capability {0}")]
    Capability(String),
    /// None are compiled for such a model.
    #[error("no kernel is for models in {}", .0.tensor_dtype())]
    Precision(Precision),
    /// None are compiled for heads of a layer's width.
    #[error("layer {layer} has heads of {columns} columns, and there is no kernel {kernel}")]
    HeadWidth {
        /// The layer.
        layer: String,
        /// The width.
        columns: usize,
        /// The kernel that it would need.
        kernel: String,
    },
    /// A layer has more tokens than sums in float16 allow.
    #[error("layer {layer} has {tokens} tokens, and kernels in float16 take {MAX_TOKENS} at most")]
    Tokens {
        /// The layer.
        layer: String,
        /// Its tokens.
        tokens: usize,
    },
    /// A layer's tensors are larger than kernels count.
    #[error("a tensor of layer {layer} has {numbers} numbers, and kernels count {MAX_NUMBERS}")]
    Size {
        /// The layer.
        layer: String,
        /// Of one of its tensors.
        numbers: usize,
    },
}

/// Why kernels that there are cannot be used: damage, or what another attempt may not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoadFailure {
    /// The driver does not say which kernels the GPU runs.
    #[error("the driver does not tell the GPU's compute capability")]
    NoCapability,
    /// The contract of an architecture's kernels is damaged or of another format.
    #[error("the contract of kernels for sm_{architecture} cannot be read: {reason}")]
    Contract {
        /// The architecture.
        architecture: u32,
        /// What is wrong.
        reason: String,
    },
    /// The archive of an architecture's kernels is damaged.
    #[error("the archive of kernels for sm_{architecture} cannot be read: {reason}")]
    Archive {
        /// The architecture.
        architecture: u32,
        /// What is wrong.
        reason: String,
    },
    /// A kernel in the archive is damaged.
    #[error("kernel {kernel} for sm_{architecture} is damaged: {reason}")]
    Damaged {
        /// The kernel.
        kernel: String,
        /// The architecture.
        architecture: u32,
        /// What is wrong.
        reason: String,
    },
    /// The driver does not give access to the GPU.
    #[error("the driver does not open the GPU: {0}")]
    Gpu(String),
    /// The driver does not take a kernel.
    #[error("the driver does not load kernel {kernel}: {message}")]
    Kernel {
        /// The kernel.
        kernel: String,
        /// What the driver says.
        message: String,
    },
}

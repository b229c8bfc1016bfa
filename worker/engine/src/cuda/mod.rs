//! CUDA's libraries in C, as safe functions: what a GPU's driver and cuDNN say of themselves, and launches of kernels of ours
//! on ONNX Runtime's tensors.
//!
//! `calls` is the one file for GPUs that opens `unsafe_code`: whatever is asked of those libraries is a function there. Nothing
//! is linked: libraries are loaded as ONNX Runtime does, and none of them need be there.
//!
//! Neither NVIDIA's management library nor files tell the same. That library numbers GPUs by their place on the bus and
//! CUDA by their speed, so one would be taken for another where they differ; and cuDNN's file has its version in its name
//! on some systems only.

mod calls;

pub(crate) use calls::{Argument, Kernel, launch, message};

/// What the driver says of a GPU, as far as it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its compute capability, such as `9.0`.
    pub(crate) compute_capability: Option<String>,
    /// The newest CUDA that the driver is for, such as `13.0`.
    pub(crate) cuda: Option<String>,
}

/// Returns what the driver says of a GPU by its number, as this process's CUDA counts; none without a driver or such a GPU.
pub(crate) fn gpu(number: u8) -> Option<Gpu> {
    let driver = calls::driver(number)?;
    let capability = driver.capability;
    Some(Gpu {
        name: driver.name,
        compute_capability: capability.map(|(major, minor)| format!("{major}.{minor}")),
        cuda: driver.version.map(cuda_version),
    })
}

/// Returns the version of cuDNN, such as `9.14.0`; none if it is not there.
pub(crate) fn cudnn() -> Option<String> {
    calls::cudnn().map(cudnn_version)
}

/// Returns a version of CUDA that the driver gives as one number.
fn cuda_version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

/// Returns a version of cuDNN 9 or later that it gives as one number.
fn cudnn_version(number: usize) -> String {
    format!(
        "{}.{}.{}",
        number / 10_000,
        number / 100 % 100,
        number % 100
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_as_others_write_them() {
        assert_eq!(cudnn_version(92801), "9.28.1");
        assert_eq!(cudnn_version(100_203), "10.2.3");
        assert_eq!(cuda_version(13_000), "13.0");
        assert_eq!(cuda_version(12_080), "12.8");
    }
}

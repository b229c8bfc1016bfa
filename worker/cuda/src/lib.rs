//! CUDA's libraries in C, as safe functions: what a GPU's driver and cuDNN say of themselves.
//!
//! `calls` is the one file of it that opens `unsafe_code`: whatever is asked of those libraries is a function there. Nothing
//! is linked: libraries are loaded as ONNX Runtime does, and none of them need be there. Kernels of a GPU are launched by the
//! engine, for they work on its tensors.
//!
//! Neither NVIDIA's management library nor files tell the same. That library numbers GPUs by their place on the bus and
//! CUDA by their speed, so one would be taken for another where they differ; and cuDNN's file has its version in its name
//! on some systems only.

#![forbid(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

mod calls;

/// What the driver says of a GPU, as far as it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpu {
    /// Its name.
    pub name: Option<String>,
    /// Its compute capability, such as `9.0`.
    pub compute_capability: Option<String>,
    /// The newest CUDA that the driver is for, such as `13.0`.
    pub cuda: Option<String>,
}

/// Returns what the driver says of a GPU by its number, as this process's CUDA counts; none without a driver or such a GPU.
#[must_use]
pub fn gpu(number: u8) -> Option<Gpu> {
    let told = calls::driver(number)?;
    let capability = told.capability;
    Some(Gpu {
        name: told.name,
        compute_capability: capability.map(|(major, minor)| format!("{major}.{minor}")),
        cuda: told.version.map(cuda_version),
    })
}

/// Returns the version of cuDNN, such as `9.14.0`; none if it is not there.
#[must_use]
pub fn cudnn() -> Option<String> {
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

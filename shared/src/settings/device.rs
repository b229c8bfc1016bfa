//! Devices that graphs run on: the CPU or an NVIDIA GPU.

use std::fmt;
use std::str::FromStr;

/// No machine has more GPUs.
const MAX_NUMBER: u8 = u8::MAX;

/// A device that graphs run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(u8),
}

/// Text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be cpu or cuda:N, N the number of an NVIDIA GPU, 0 to {MAX_NUMBER}")]
pub struct DeviceError;

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        if text == "cpu" {
            return Ok(Self::Cpu);
        }
        let number = text.strip_prefix("cuda:").ok_or(DeviceError)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(number) if digits => Ok(Self::Cuda(number)),
            Ok(_) | Err(_) => Err(DeviceError),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_written_as_it_is_read() {
        for text in ["cpu", "cuda:0", "cuda:7"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_no_device_is_refused() {
        let numbers = ["cuda:", "cuda:+1", "cuda:-1", "cuda:256", "cuda:4294967295"];
        for text in ["", "CPU", "cuda", "gpu:0"].into_iter().chain(numbers) {
            assert_eq!(text.parse::<Device>(), Err(DeviceError), "{text}");
        }
    }
}

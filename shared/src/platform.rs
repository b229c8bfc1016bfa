//! What a process computes with: a GPU, its driver, and libraries. The bytes of images depend on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wording::{MOST_TEXT_BYTES, one_line, shortened};

/// A GPU with its driver, and libraries by their versions, as far as they are known and used.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// The GPU's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Its compute capability, such as `9.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_capability: Option<String>,
    /// The version of its driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The version of cuDNN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cudnn: Option<String>,
    /// The version of ONNX Runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnxruntime: Option<String>,
    /// What computed the attention of injected layers: `fused sm_90` (kernels for GPUs of that architecture), `graph` or
    /// `host`; none where no layer is injected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injection: Option<String>,
}

impl Platform {
    /// Returns whether nothing is known of it, as of a method without a model.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Returns it with texts that are short and parts of a line, as one that others have sent is shown.
    #[must_use]
    pub fn shown(&self) -> Self {
        let shown = |text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| shortened(&one_line(text), MOST_TEXT_BYTES))
        };
        Self {
            gpu: shown(&self.gpu),
            compute_capability: shown(&self.compute_capability),
            driver: shown(&self.driver),
            cudnn: shown(&self.cudnn),
            onnxruntime: shown(&self.onnxruntime),
            injection: shown(&self.injection),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            ("", &self.gpu),
            ("compute capability ", &self.compute_capability),
            ("driver ", &self.driver),
            ("cuDNN ", &self.cudnn),
            ("ONNX Runtime ", &self.onnxruntime),
            ("injection ", &self.injection),
        ];
        let mut between = "";
        for (name, text) in named {
            if let Some(text) = text {
                write!(f, "{between}{name}{text}")?;
                between = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform() -> Platform {
        let known = |text: &str| Some(text.to_owned());
        Platform {
            gpu: known("NVIDIA L4"),
            compute_capability: known("8.9"),
            driver: known("580.65.06"),
            cudnn: known("9.28.1"),
            onnxruntime: known("1.31.0"),
            injection: known("fused sm_80"),
        }
    }

    #[test]
    fn what_is_known_is_told_in_one_line() {
        let told = "NVIDIA L4, compute capability 8.9, driver 580.65.06, cuDNN 9.28.1, ONNX Runtime 1.31.0, injection fused sm_80";
        assert_eq!(platform().to_string(), told);
        let on_cpu = Platform {
            onnxruntime: platform().onnxruntime,
            ..Platform::default()
        };
        assert_eq!(on_cpu.to_string(), "ONNX Runtime 1.31.0");
        assert!(!on_cpu.is_unknown());
        assert!(Platform::default().is_unknown());
    }

    #[test]
    fn one_that_an_earlier_program_stored_is_read_and_what_it_did_not_tell_is_unknown() {
        let earlier = r#"{"gpu": "NVIDIA L4", "compute_capability": "8.9", "driver": "580.65.06", "cudnn": "9.28.1",
            "onnxruntime": "1.31.0"}"#;
        let expected = Platform {
            injection: None,
            ..platform()
        };
        assert_eq!(serde_json::from_str::<Platform>(earlier).unwrap(), expected);
        let json = serde_json::to_value(platform()).unwrap();
        assert_eq!(json["injection"], "fused sm_80");
        assert_eq!(
            serde_json::from_value::<Platform>(json).unwrap(),
            platform()
        );
    }

    #[test]
    fn texts_of_others_are_shown_as_parts_of_a_line() {
        let told = Platform {
            gpu: Some(format!("a\n{}", "x".repeat(100_000))),
            ..platform()
        };
        let shown = told.shown();
        assert!(shown.gpu.as_deref().unwrap().starts_with("a\\n"));
        assert!(shown.to_string().len() < 2 * MOST_TEXT_BYTES);
        assert_eq!(shown.driver, told.driver);
    }
}

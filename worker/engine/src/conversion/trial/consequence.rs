//! What becomes of a GPU that computes something else than it should.

use std::ffi::OsStr;

/// The variable of the environment that says so.
const VARIABLE: &str = "SYNTH2REAL_TRIAL";

/// What becomes of a GPU that fails its trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing is computed there.
    Refuse,
    /// It is reported, and the GPU is used all the same.
    Report,
}

impl Consequence {
    /// Returns what the environment says; if nothing, that it is refused.
    pub(super) fn told() -> Result<Self, String> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Self::Refuse),
            Some(text) => Self::of(&text),
        }
    }

    fn of(text: &OsStr) -> Result<Self, String> {
        match text.to_str() {
            Some("" | "refuse") => Ok(Self::Refuse),
            Some("report") => Ok(Self::Report),
            Some(_) | None => Err(format!(
                "{VARIABLE} is {text:?}, and must be \"refuse\" or \"report\""
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_for_it_has_a_gpu_reported_that_fails_its_trial() {
        let of = |text: &str| Consequence::of(OsStr::new(text));
        assert_eq!(of(""), Ok(Consequence::Refuse));
        assert_eq!(of("refuse"), Ok(Consequence::Refuse));
        assert_eq!(of("report"), Ok(Consequence::Report));
        let told = "SYNTH2REAL_TRIAL is \"0\", and must be \"refuse\" or \"report\"";
        assert_eq!(of("0"), Err(told.to_owned()));
    }
}

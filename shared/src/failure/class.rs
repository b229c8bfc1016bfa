//! The classes of failure: every error of an attempt has exactly one.

use std::fmt;

use serde::{Deserialize, Serialize};

crate::enumerated! {
    /// What a failure leads to. Every error of an attempt has exactly one class.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum FailureClass {
        /// Trouble outside that passes: tried again after a pause.
        Transient,
        /// An input that cannot be converted: its items are quarantined, the shard goes on.
        BadInput,
        /// An input that was listed and is gone while its neighbours are there: its items are quarantined, the shard goes on.
        Missing,
        /// An input that is another one than was listed: its items are quarantined, the shard goes on.
        Changed,
        /// An output that is no image, such as one of numbers that are not finite: its item is quarantined, the shard goes on.
        BadOutput,
        /// Not enough memory: tried again with fewer outputs in a pass.
        Resources,
        /// The run cannot be worked on as it is, and other runs can: its model, plan or a decision about it is not whole or
        /// damaged. The attempt counts, the worker lives.
        Unworkable,
        /// Nothing will work here, whatever the run: the worker stops, its shard goes back uncounted.
        Fatal,
    }
}

impl FailureClass {
    /// Returns the name in manifests and attempts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::BadInput => "bad-input",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::BadOutput => "bad-output",
            Self::Resources => "resources",
            Self::Unworkable => "unworkable",
            Self::Fatal => "fatal",
        }
    }

    /// Returns the class of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

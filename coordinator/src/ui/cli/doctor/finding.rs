//! What a check found, and how it is shown: as a table, or as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use shared::wording::{MOST_MESSAGE_BYTES, one_line, shortened};

/// Width of the first two columns of the table.
const CHECK: usize = 13;
const STATE: usize = 9;

/// Whether what a check is about can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It can, or nothing needs it.
    Ok,
    /// It can, and a person should know something about it.
    Warning,
    /// It is needed, and is not there or cannot be used.
    Missing,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Missing => "missing",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Finding {
    /// The check.
    pub(super) check: &'static str,
    pub(super) state: State,
    /// What is there, or is not, for people.
    pub(super) found: String,
    /// What to do about it.
    pub(super) helps: Option<String>,
    /// The same for programs.
    pub(super) facts: BTreeMap<&'static str, Value>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, State::Ok, found.into(), None)
    }

    pub(super) fn warning(
        check: &'static str,
        found: impl Into<String>,
        helps: impl Into<String>,
    ) -> Self {
        Self::new(check, State::Warning, found.into(), Some(helps.into()))
    }

    pub(super) fn missing(
        check: &'static str,
        found: impl Into<String>,
        helps: impl Into<String>,
    ) -> Self {
        Self::new(check, State::Missing, found.into(), Some(helps.into()))
    }

    fn new(check: &'static str, state: State, found: String, helps: Option<String>) -> Self {
        Self {
            check,
            state,
            found: shortened(&found, MOST_MESSAGE_BYTES),
            helps,
            facts: BTreeMap::new(),
        }
    }

    /// Returns the finding with something that programs read.
    #[must_use]
    pub(super) fn with(mut self, fact: &'static str, is: impl Into<Value>) -> Self {
        self.facts.insert(fact, is.into());
        self
    }
}

/// All findings.
#[derive(Debug, Serialize)]
pub(super) struct Examination {
    /// The program's version.
    version: &'static str,
    /// Whether the engine is in this program.
    engine: bool,
    /// The worst state of a check.
    pub(super) state: State,
    checks: Vec<Finding>,
}

impl Examination {
    pub(super) fn of(checks: Vec<Finding>) -> Self {
        let states = checks.iter().map(|finding| finding.state);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            engine: cfg!(feature = "embedded"),
            state: states.max().unwrap_or(State::Ok),
            checks,
        }
    }

    /// Returns the names of the checks that found something missing, each once.
    pub(super) fn missing(&self) -> String {
        let missing = self.checks.iter();
        let missing = missing.filter(|finding| finding.state == State::Missing);
        let mut names: Vec<&str> = missing.map(|finding| finding.check).collect();
        names.dedup();
        names.join(", ")
    }

    /// Returns a line for each check, and one below it for what helps.
    pub(super) fn table(&self) -> String {
        let mut lines = Vec::new();
        for finding in &self.checks {
            let (check, state) = (finding.check, finding.state.as_str());
            let found = one_line(&finding.found);
            lines.push(format!("{check:<CHECK$}{state:<STATE$}{found}"));
            if let Some(helps) = &finding.helps {
                lines.push(format!("{:width$}-> {helps}", "", width = CHECK + STATE));
            }
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examination() -> Examination {
        Examination::of(vec![
            Finding::ok("memory", "16 GiB").with("bytes", 1_u64 << 34),
            Finding::warning("clock", "40 s behind", "set it"),
            Finding::missing("broker", "no answer\nat all", "start it"),
            Finding::missing("broker", "none", "start it"),
        ])
    }

    #[test]
    fn a_table_has_a_line_for_each_check_and_one_for_what_helps() {
        let expected = [
            "memory       ok       16 GiB",
            "clock        warning  40 s behind",
            "                      -> set it",
            "broker       missing  no answer\\nat all",
            "                      -> start it",
            "broker       missing  none",
            "                      -> start it",
        ];
        assert_eq!(examination().table(), expected.join("\n"));
        assert_eq!(examination().missing(), "broker");
    }

    /// What programs read, word by word.
    #[test]
    fn the_document_has_the_worst_state_and_the_facts_of_each_check() {
        let told = serde_json::to_value(examination()).unwrap();
        assert_eq!(told["state"], "missing");
        assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(told["engine"], cfg!(feature = "embedded"));
        assert_eq!(
            told["checks"][0],
            serde_json::json!({
                "check": "memory", "state": "ok", "found": "16 GiB", "helps": null,
                "facts": {"bytes": 1_u64 << 34},
            })
        );
        assert_eq!(told["checks"][1]["helps"], "set it");
        assert_eq!(Examination::of(Vec::new()).state, State::Ok);
    }
}

//! Raises the limit on open files and connections of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than anything here needs; a limit far above it slows down programs that close all they might have.
const ENOUGH: u64 = 65_536;

/// How many files this process may have open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Now; none if there is no limit.
    pub current: Option<u64>,
    /// Once it asks for more; none if there is no limit.
    pub maximum: Option<u64>,
}

impl Limit {
    /// Returns that of this process.
    #[must_use]
    pub fn this() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        Self { current, maximum }
    }
}

/// Raises the limit to what the system permits; returns what it is then.
///
/// Many systems start programs with 1,024 and let them take more.
#[must_use]
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let now = limit.current.unwrap_or(ENOUGH);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if now >= wanted {
        return now;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(_) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_once_and_stays() {
        let raised = raise();
        assert_eq!(raise(), raised);
        assert_eq!(Limit::this().current.unwrap_or(ENOUGH), raised);
        assert_eq!(
            getrlimit(Resource::Nofile).current.unwrap_or(ENOUGH),
            raised
        );
    }
}

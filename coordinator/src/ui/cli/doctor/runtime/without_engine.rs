//! In a program that was built without the engine there is nothing to look for.

use shared::settings::EngineConfig;

use super::{LIBRARY, Vectors};
use crate::ui::cli::doctor::finding::Finding;

/// Returns that there is no engine.
pub(in crate::ui::cli::doctor) async fn check(_: &EngineConfig) -> Vec<Finding> {
    vec![Finding::ok(
        LIBRARY,
        "not needed: this program was built without the engine, it hands out, watches and shows, and converts nothing",
    )]
}

/// Returns none: there are no kernels.
pub(in crate::ui::cli::doctor) fn vectors() -> Option<Vectors> {
    None
}

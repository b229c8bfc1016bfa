//! Settings files, and arguments that override them.

use shared::settings::MethodConfig;
use shared::settings::raw::RawMethod;

use super::outcome::{Outcome, outcome};

/// Writes bytes into a settings file and loads it.
pub(super) fn settings<T, E: std::error::Error + 'static>(
    bytes: &[u8],
    load: impl Fn(&std::path::Path) -> Result<T, E>,
) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, bytes).unwrap();
    outcome(load(&path))
}

pub(super) fn overrides(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    let arguments: Vec<String> = text.lines().map(str::to_owned).collect();
    let raw = RawMethod::default().with_overrides(&arguments);
    let config = raw.and_then(MethodConfig::try_from);
    if let Ok(config) = &config {
        // What is frozen comes back as it was.
        let json = serde_json::to_string(config).unwrap();
        assert_eq!(
            &serde_json::from_str::<MethodConfig>(&json).unwrap(),
            config
        );
        if let Some(config) = config.diffusion() {
            for step in 0..config.num_executed() {
                std::hint::black_box(config.injected_steps.contains(step));
            }
        }
    }
    outcome(config)
}

//! Folders, buckets and files that settings name, as they are relative to the settings file.

use std::path::Path;

use super::SettingsError;
use crate::location::Location;
use crate::paths;

/// Returns the storage root that `--root` or `SYNTH2REAL_ROOT` names.
///
/// # Errors
///
/// [`SettingsError::Value`] if it is neither a folder nor a bucket.
pub fn resolve_root(text: &str) -> Result<Location, SettingsError> {
    location("--root", text, Path::new(""))
}

/// Returns where a folder or a bucket is that a text names.
pub(super) fn location(
    field: &'static str,
    text: &str,
    base: &Path,
) -> Result<Location, SettingsError> {
    Location::given(text, base)
        .map_err(|error| SettingsError::value(field, format!("{text:?}"), error.to_string()))
}

/// Returns where a file is that a text names, under its own name: a link to a file is not followed.
pub(super) fn file_location(
    field: &'static str,
    text: &str,
    base: &Path,
) -> Result<Location, SettingsError> {
    let refused = |error: String| SettingsError::value(field, format!("{text:?}"), error);
    match location(field, text, base)? {
        Location::Folder(_) => {
            let meant = paths::expand(text).map_err(|error| refused(error.to_string()))?;
            Ok(Location::Folder(paths::place(&base.join(meant))))
        }
        bucket @ Location::Bucket(_) => Ok(bucket),
    }
}

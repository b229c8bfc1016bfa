//! What is said of files that are refused, and the checks that need no decoder.

use super::MAX_PIXELS;
use crate::decode::tiff;
use crate::error::InputError;
use crate::files::NamedBytes;

pub(crate) fn check_not_empty(file: NamedBytes<'_>) -> Result<(), InputError> {
    if file.bytes.is_empty() {
        return Err(InputError::Empty {
            name: file.name.to_owned(),
        });
    }
    Ok(())
}

pub(crate) fn check_not_too_large(
    file: NamedBytes<'_>,
    width: u32,
    height: u32,
) -> Result<(), InputError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(InputError::TooLarge {
            name: file.name.to_owned(),
            width,
            height,
            max_pixels: MAX_PIXELS,
        });
    }
    Ok(())
}

pub(crate) fn undecodable(
    file: NamedBytes<'_>,
    expected: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> InputError {
    InputError::Undecodable {
        name: file.name.to_owned(),
        expected,
        source,
    }
}

pub(super) fn unread_kind(
    file: NamedBytes<'_>,
    found: String,
    expected: &'static str,
) -> InputError {
    InputError::UnreadKind {
        name: file.name.to_owned(),
        found,
        expected,
    }
}

pub(super) fn unread_tiff(file: NamedBytes<'_>) -> InputError {
    InputError::UnreadTiff {
        name: file.name.to_owned(),
        found: tiff::describe(file.bytes),
    }
}

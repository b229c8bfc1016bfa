//! What is said of pictures that were not taken as their files have them.

use image::ColorType;
use shared::warning::{ItemWarning, WarningKind};

use super::MAX_METADATA;
use crate::decode::exif::Told;
use crate::decode::png_file;
use crate::decode::uncompressed::Uncompressed;
use crate::files::NamedBytes;

/// Says what becomes of an image that is not RGB of 8 bits.
pub(super) fn lost(file: NamedBytes<'_>, colour: ColorType) -> Vec<ItemWarning> {
    let mut warnings = Vec::new();
    if !colour.has_color() {
        warnings.push(greyscale(file));
    }
    if colour.has_alpha() {
        let change = "has an alpha channel, which was dropped";
        warnings.push(warning(file, WarningKind::AlphaDropped, change));
    }
    if colour.bytes_per_pixel() > colour.channel_count() {
        let change = "has more than 8 bits per channel and was scaled to 8";
        warnings.push(warning(file, WarningKind::DepthReduced, change));
    }
    warnings
}

pub(super) fn greyscale(file: NamedBytes<'_>) -> ItemWarning {
    let change = "is greyscale and was converted to RGB";
    warning(file, WarningKind::Greyscale, change)
}

pub(super) fn cmyk(file: NamedBytes<'_>) -> ItemWarning {
    let change = "is CMYK and was converted to RGB without a colour profile";
    warning(file, WarningKind::ColourSpace, change)
}

/// Says that a picture was not turned as its file may mean it.
pub(super) fn unturned(file: NamedBytes<'_>, told: &Told) -> Option<ItemWarning> {
    let change = told.unapplied.as_deref()?;
    Some(warning(file, WarningKind::Orientation, change))
}

/// Says that a colour profile was not applied, unless it is that of sRGB by its description.
pub(super) fn unapplied(file: NamedBytes<'_>, profile: Option<&[u8]>) -> Option<ItemWarning> {
    let wide: Vec<u8> = "sRGB".bytes().flat_map(|letter| [0, letter]).collect();
    let names = |profile: &[u8], text: &[u8]| profile.windows(text.len()).any(|at| at == text);
    let profile = profile.filter(|it| !it.is_empty())?;
    let is_srgb = names(profile, b"sRGB") || names(profile, &wide);
    (!is_srgb).then(|| {
        let change = "has a colour profile other than sRGB, which was not applied";
        warning(file, WarningKind::ColourSpace, change)
    })
}

/// Says what a PNG tells of its colours that was not applied.
pub(super) fn unapplied_of_png(file: NamedBytes<'_>) -> Vec<ItemWarning> {
    let colours = png_file::other_colours(file.bytes);
    let warning_of = |change: String| warning(file, WarningKind::ColourSpace, &change);
    let mut warnings: Vec<ItemWarning> = colours.map(warning_of).into_iter().collect();
    if png_file::has_too_large_profile(file.bytes) {
        let change =
            format!("has a colour profile of more than {MAX_METADATA}, which was not applied");
        warnings.push(warning(file, WarningKind::ColourSpace, &change));
    }
    warnings
}

/// Says that a part of a picture may have been lost.
pub(super) fn trailing_zeros(
    file: NamedBytes<'_>,
    pixels: &Uncompressed<'_>,
) -> Option<ItemWarning> {
    let percent = pixels.percent_of_zeros()?;
    let change = format!(
        "is not compressed and has zeros alone in the last {percent} % of its pixels: an edge, or a part that was lost"
    );
    Some(warning(file, WarningKind::TrailingZeros, &change))
}

fn warning(file: NamedBytes<'_>, kind: WarningKind, change: &str) -> ItemWarning {
    ItemWarning {
        kind,
        text: format!("{} {change}", file.name),
    }
}

//! What is other about one input, told by its files.

use shared::dataset::entry::{DatasetEntry, DatasetFile, LabelReading};
use shared::json;
use shared::wording::Thousands;

/// What is other about an input.
pub(super) struct Other {
    pub(super) what: String,
    pub(super) of_label: bool,
}

/// Returns what is other about an input; nothing if it is the same. Digests of all its bytes are compared where there
/// are any: before, and now.
pub(super) fn change(
    before: &DatasetEntry,
    now: &DatasetEntry,
    digests: Option<(&str, &str)>,
) -> Option<Other> {
    let label = |of: &DatasetEntry| of.label.as_ref().map(|label| label.file.clone());
    let reading = |of: &DatasetEntry| of.label.as_ref().map(|label| label.reading);
    let of_label = file_change("label", label(before).as_ref(), label(now).as_ref())
        .or_else(|| reading_change(now.name(), reading(before), reading(now)));
    let of_image = file_change("image", Some(&before.image), Some(&now.image));
    let is_label = of_label.is_some();
    let parts: Vec<String> = of_image.into_iter().chain(of_label).collect();
    if !parts.is_empty() {
        return Some(Other {
            what: parts.join(" and "),
            of_label: is_label,
        });
    }
    match digests {
        Some((before, now_sha256)) if before != now_sha256 => Some(Other {
            what: format!(
                "{} or its label has other bytes of the same number",
                now.image.path.display()
            ),
            of_label: true,
        }),
        Some(_) | None => None,
    }
}

fn file_change(
    what: &str,
    before: Option<&DatasetFile>,
    now: Option<&DatasetFile>,
) -> Option<String> {
    match (before, now) {
        (Some(before), Some(now)) if before.path != now.path => Some(format!(
            "{} was {}",
            now.path.display(),
            before.path.display()
        )),
        // What is empty, or a link that leads nowhere, tells nothing of the file: workers find out.
        (Some(_), Some(now)) if now.size_bytes == 0 => None,
        (Some(before), Some(now)) if before.size_bytes != now.size_bytes => Some(format!(
            "{} had {} bytes and has {}",
            now.path.display(),
            Thousands(before.size_bytes as usize),
            Thousands(now.size_bytes as usize)
        )),
        (None, Some(now)) => Some(format!("{what} {} is new", now.path.display())),
        (Some(before), None) => Some(format!("{what} {} is gone", before.path.display())),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn reading_change(
    name: &str,
    before: Option<LabelReading>,
    now: Option<LabelReading>,
) -> Option<String> {
    let named = |reading: Option<LabelReading>| {
        reading.map_or_else(|| "none".to_owned(), |reading| json::name(&reading.kind))
    };
    (before != now).then(|| {
        format!(
            "label of {name} was read as {} and is as {}",
            named(before),
            named(now)
        )
    })
}

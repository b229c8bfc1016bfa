//! What people are told of counts: reasons for quarantine and failure, the most frequent first, and doubtful labels.

use std::collections::BTreeMap;

use shared::wording::{MOST_NAMES, Thousands, one_line, shortened};

/// Bytes of a reason in a line that people are told.
const MOST_REASON_BYTES: usize = 1000;

/// Returns what people are told of reasons for quarantine and failure: a line for each of the ten most frequent, and one
/// for the others.
#[must_use]
pub fn reason_lines(reasons: &BTreeMap<String, usize>) -> Vec<String> {
    let frequent = most_frequent(reasons);
    let (shown, others) = frequent.split_at(frequent.len().min(MOST_NAMES));
    let line = |&(reason, number): &(&String, usize)| {
        format!(
            "not converted ({number}): {}",
            shortened(&one_line(reason), MOST_REASON_BYTES)
        )
    };
    let mut lines: Vec<String> = shown.iter().map(line).collect();
    if !others.is_empty() {
        let items = others.iter().map(|&(_, number)| number);
        let items = items.fold(0, usize::saturating_add);
        lines.push(format!(
            "not converted ({items}): {} other reasons, in the manifest",
            Thousands(others.len())
        ));
    }
    lines
}

/// Returns what people are told of items whose labels are doubtful; nothing if there are none.
#[must_use]
pub fn doubtful_line(doubtful: usize) -> Option<String> {
    (doubtful > 0).then(|| {
        format!(
            "done with doubtful labels ({}): outputs keep less of the agreement that their contents have than \
             quality.min_label_agreement asks for",
            Thousands(doubtful)
        )
    })
}

pub(super) fn most_frequent(reasons: &BTreeMap<String, usize>) -> Vec<(&String, usize)> {
    let mut found: Vec<_> = reasons
        .iter()
        .map(|(reason, &number)| (reason, number))
        .collect();
    found.sort_by_key(|&(_, number)| std::cmp::Reverse(number));
    found
}

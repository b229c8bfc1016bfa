//! Files of a dataset that are not used: a reason, a count and an example for each.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::globs::Globs;
use crate::wording::{Thousands, counted};

use super::naming::WantedLabels;
use super::picture_kind::PictureKind;

/// Why files of a dataset are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// A picture without a label.
    NoLabel,
    /// A label of another kind than the settings say, of a picture that has none of that kind.
    OtherLabel(WantedLabels),
    /// A label without a picture.
    NoImage,
    /// A picture of the test split, where the setting of this name does not ask for it.
    TestSplit(&'static str),
    /// A picture that is no photograph.
    Kind(PictureKind),
    /// A picture whose name is none of the layout's.
    OtherName(String),
    /// A picture with fog or rain made into it, beside the one as it was taken.
    SyntheticWeather,
    /// A picture in a format that is not read.
    Format,
    /// A pattern of the setting of this name that matches nothing.
    NoMatch(&'static str),
}

/// Files of a dataset that are left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The reason.
    pub reason: LeftOutReason,
    /// How many they are.
    pub count: usize,
    /// The first of them, or the pattern.
    pub first: PathBuf,
}

impl LeftOut {
    /// Notes a file that is left out for a reason.
    pub fn note(all: &mut Vec<Self>, reason: LeftOutReason, file: &Path) {
        match all.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.count += 1,
            None => all.push(Self {
                reason,
                count: 1,
                first: file.to_owned(),
            }),
        }
    }

    /// Notes the patterns of a setting whose positions are not among those that matched anything.
    pub(super) fn note_unmatched(
        all: &mut Vec<Self>,
        field: &'static str,
        globs: &Globs,
        matched: &BTreeSet<usize>,
    ) {
        for (position, pattern) in globs.patterns().iter().enumerate() {
            if !matched.contains(&position) {
                Self::note(all, LeftOutReason::NoMatch(field), Path::new(pattern));
            }
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, first) = (self.count, self.first.display());
        let one = count == 1;
        let pictures = || counted(count, "picture", "pictures");
        let are = if one { "is" } else { "are" };
        let have = if one { "has" } else { "have" };
        match &self.reason {
            LeftOutReason::NoLabel => write!(f, "{} {have} no label and {are}", pictures())?,
            LeftOutReason::OtherLabel(wanted) => write!(
                f,
                "{} {have} labels, but none that is named for {wanted}, and {are}",
                pictures()
            )?,
            LeftOutReason::NoImage => {
                let labels = counted(count, "label", "labels");
                write!(f, "{labels} {have} no image and {are}")?;
            }
            LeftOutReason::TestSplit(field) => {
                return write!(
                    f,
                    "{} of the test split, whose labels are not published, {are} left out unless {field} names it \
                     (first: {first})",
                    pictures()
                );
            }
            LeftOutReason::Kind(kind) => {
                let count = Thousands(count);
                return write!(f, "{kind} are left out: {count} (first: {first})");
            }
            LeftOutReason::OtherName(expected) => {
                write!(f, "{} {are} not named {expected} and {are}", pictures())?;
            }
            LeftOutReason::SyntheticWeather => {
                return write!(
                    f,
                    "{} with made fog or rain {are} left out beside those without (first: {first})",
                    pictures()
                );
            }
            LeftOutReason::Format => {
                write!(
                    f,
                    "{} {are} of a format that is not read and {are}",
                    pictures()
                )?;
            }
            LeftOutReason::NoMatch(field) => {
                let patterns = counted(count, "pattern", "patterns");
                return write!(
                    f,
                    "{patterns} of {field} {}: {first}",
                    if one {
                        "matches nothing"
                    } else {
                        "match nothing, the first"
                    }
                );
            }
        }
        write!(f, " left out (first: {first})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_with_its_first_file() {
        let mut all = Vec::new();
        for name in ["images/3.png", "images/4.png"] {
            LeftOut::note(&mut all, LeftOutReason::NoLabel, Path::new(name));
        }
        let kind = LeftOutReason::Kind(PictureKind::Reference);
        LeftOut::note(&mut all, kind, Path::new("a_rgb_ref_anon.png"));
        let lines: Vec<String> = all.iter().map(LeftOut::to_string).collect();
        assert_eq!(
            lines,
            [
                "2 pictures have no label and are left out (first: images/3.png)",
                "reference pictures of another condition are left out: 1 (first: a_rgb_ref_anon.png)"
            ]
        );
    }
}

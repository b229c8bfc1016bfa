//! How a picture is to be turned, from all that its file says about it.
//!
//! Decoders give the first EXIF data that they find, and of those an orientation of one type. Here all of them count: an
//! orientation that cannot be understood, or several that disagree, is not applied, and neither is one that only XMP data
//! tell, as most viewers leave that alone.

use image::metadata::Orientation;

use super::tiff::{self, Directory};

/// What some cameras write that do not know.
const NOT_KNOWN: u32 = 0;

/// How a picture is to be turned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) orientation: Orientation,
    /// What the file says and was not applied, for messages.
    pub(super) unapplied: Option<String>,
}

impl Told {
    /// Nothing is told.
    pub(super) const NOTHING: Self = Self {
        orientation: Orientation::NoTransforms,
        unapplied: None,
    };

    fn unapplied(what: String) -> Self {
        Self {
            unapplied: Some(what),
            ..Self::NOTHING
        }
    }
}

/// Returns what EXIF data and XMP data of a file tell.
pub(super) fn orientation<'a>(
    exif: impl IntoIterator<Item = &'a [u8]>,
    xmp: impl IntoIterator<Item = &'a [u8]>,
) -> Told {
    let mut all: Vec<Option<u32>> = exif.into_iter().flat_map(in_exif).collect();
    all.retain(|value| *value != Some(NOT_KNOWN));
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [] => {
            let mut in_xmp = xmp.into_iter().filter_map(in_xmp);
            match in_xmp.find(|value| !matches!(value, 0 | 1)) {
                Some(value) => Told::unapplied(format!(
                    "has orientation {value} in its XMP data and none in EXIF data, which was not applied"
                )),
                None => Told::NOTHING,
            }
        }
        [Some(value)] => {
            let known = u8::try_from(*value).ok().and_then(Orientation::from_exif);
            match known {
                Some(orientation) => Told {
                    orientation,
                    unapplied: None,
                },
                None => Told::unapplied(format!(
                    "has EXIF orientation {value}, which is none of 1 to 8 and was not applied"
                )),
            }
        }
        [None] => Told::unapplied(
            "has an EXIF orientation that is no number, which was not applied".to_owned(),
        ),
        several => {
            let shown = |value: &Option<u32>| {
                value.map_or_else(|| "no number".to_owned(), |value| value.to_string())
            };
            let shown: Vec<String> = several.iter().map(shown).collect();
            Told::unapplied(format!(
                "has EXIF orientations that disagree ({}), of which none was applied",
                shown.join(", ")
            ))
        }
    }
}

/// Returns the orientations of EXIF data; none for one that is no number.
fn in_exif(exif: &[u8]) -> Vec<Option<u32>> {
    let directory = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Directory::of(directory).map_or_else(Vec::new, |it| it.numbers(tiff::ORIENTATION))
}

/// Returns the orientation of an XMP packet, an attribute or an element.
fn in_xmp(xmp: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"tiff:Orientation";
    let at = xmp.windows(NAME.len()).position(|part| part == NAME)?;
    let between = |byte: &u8| byte.is_ascii_whitespace() || b"=\"'>".contains(byte);
    let value = xmp[at + NAME.len()..].iter().copied().skip_while(between);
    let mut digits = value.take_while(u8::is_ascii_digit).map(|it| it - b'0');
    let first = u32::from(digits.next()?);
    Some(digits.fold(first, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u32::from(digit))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(kind: u8, value: u8) -> Vec<u8> {
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01".to_vec();
        exif.extend([kind, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]);
        exif
    }

    fn told(exif: &[Vec<u8>], xmp: &[&[u8]]) -> Told {
        orientation(exif.iter().map(Vec::as_slice), xmp.iter().copied())
    }

    #[test]
    fn an_orientation_of_every_type_is_understood_wherever_it_is() {
        for kind in [1, 3, 4] {
            let prefixed = [&b"Exif\0\0"[..], &exif(kind, 6)].concat();
            for all in [
                vec![exif(kind, 6)],
                vec![prefixed.clone()],
                vec![b"nothing".to_vec(), exif(3, 0), prefixed, exif(3, 6)],
            ] {
                let found = told(&all, &[b"tiff:Orientation=\"3\""]);
                assert_eq!(found.orientation, Orientation::Rotate90, "{kind}");
                assert_eq!(found.unapplied, None, "{kind}");
            }
        }
    }

    #[test]
    fn what_cannot_be_understood_is_told_and_not_applied() {
        for (exif, words) in [
            (vec![exif(3, 9)], "orientation 9"),
            (vec![exif(2, 6)], "no number"),
            (vec![exif(3, 6), exif(3, 3)], "disagree (3, 6)"),
            (vec![exif(3, 1), exif(3, 3)], "disagree (1, 3)"),
            (vec![exif(3, 3), exif(2, 3)], "disagree (no number, 3)"),
        ] {
            let found = told(&exif, &[]);
            assert_eq!(found.orientation, Orientation::NoTransforms, "{words}");
            let unapplied = found.unapplied.unwrap();
            assert!(unapplied.contains(words), "{words}: {unapplied}");
            assert!(unapplied.contains("EXIF orientation"), "{unapplied}");
        }
    }

    #[test]
    fn an_orientation_of_xmp_data_alone_is_told() {
        for (xmp, expected) in [
            (&b"<rdf:Description tiff:Orientation=\"3\"/>"[..], true),
            (b"<tiff:Orientation>6</tiff:Orientation>", true),
            (b"<rdf:Description tiff:Orientation='99999999999'/>", true),
            (b"<rdf:Description tiff:Orientation=\"1\"/>", false),
            (b"tiff:Orientation", false),
            (b"", false),
        ] {
            let found = told(&[], &[xmp]);
            assert_eq!(found.orientation, Orientation::NoTransforms);
            assert_eq!(found.unapplied.is_some(), expected, "{xmp:?}");
            // What EXIF data tell counts.
            assert_eq!(told(&[exif(3, 1)], &[xmp]), Told::NOTHING);
        }
    }
}

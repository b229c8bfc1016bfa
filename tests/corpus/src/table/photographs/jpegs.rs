//! JPEGs of each kind, with zeros and other things at their end.

use shared::warning::WarningKind::Greyscale;

use super::{IMAGE, jpeg, progressive, read};
use crate::files::exif;
use crate::files::jpeg::{Jpeg, ending_in_zeros};
use crate::read::Reads;
use crate::table::Row;

/// Returns a JPEG with something behind its end.
fn behind(name: &str, more: &[u8]) -> Row {
    read(name, [&jpeg().file()[..], more].concat())
}

/// JPEGs of each kind.
pub(super) fn jpeg_rows() -> Vec<Row> {
    vec![
        read("a JPEG", jpeg().file()),
        read("a progressive JPEG", progressive().file()),
        read(
            "a JPEG with restart markers",
            Jpeg {
                restart_every: 2,
                ..jpeg()
            }
            .file(),
        ),
        read(
            "a JPEG whose colour has half the resolution",
            Jpeg {
                subsampled: true,
                ..jpeg()
            }
            .file(),
        ),
        Row::warned(
            "a grey JPEG",
            Reads::Photograph,
            Jpeg {
                components: 1,
                ..jpeg()
            }
            .file(),
            &[Greyscale],
        )
        .says(&[IMAGE]),
    ]
}

/// JPEGs whose bits end in zeros, or that have something behind their end.
pub(super) fn jpeg_end_rows() -> Vec<Row> {
    vec![
        // A motion photo: the video lies behind the picture.
        behind(
            "a JPEG with a video behind it",
            b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\xff\xda\xff\xd8\0\0mdat",
        ),
        behind("a JPEG with zeros behind it", &[0; 512]),
        read("a JPEG whose bits end in zeros", ending_in_zeros(jpeg())),
        read("a JPEG whose bits end in zeros, without an end marker", {
            let file = ending_in_zeros(jpeg());
            file[..file.len() - 2].to_vec()
        }),
        read(
            "a progressive JPEG whose bits end in zeros",
            Jpeg {
                plain: Some(-50),
                ..progressive()
            }
            .file(),
        ),
        read(
            "a JPEG with restart markers whose bits end in zeros",
            Jpeg {
                plain: Some(-50),
                restart_every: 3,
                ..jpeg()
            }
            .file(),
        ),
        read(
            "a progressive JPEG with restart markers",
            Jpeg {
                restart_every: 3,
                ..progressive()
            }
            .file(),
        ),
        read(
            "a JPEG with restart markers whose colour has half the resolution",
            Jpeg {
                restart_every: 3,
                subsampled: true,
                ..jpeg()
            }
            .file(),
        ),
    ]
}

/// JPEGs with zeros at their end marker, and with segments that are no picture.
pub(super) fn jpeg_segment_rows() -> Vec<Row> {
    let whole = jpeg().file();
    vec![
        read("a JPEG with zeros before its end marker", {
            [&whole[..whole.len() - 2], &[0; 512], &[0xff, 0xd9]].concat()
        }),
        read("a JPEG with zeros in place of its end marker", {
            [&whole[..whole.len() - 2], &[0; 4096]].concat()
        }),
        behind("a JPEG with another one behind it", &whole),
        read(
            "a JPEG with a thumbnail",
            exif::segment_in_jpeg(&whole, 0xe2, &[b"MPF\0", &whole[..400]].concat()),
        ),
        read(
            "a JPEG with a comment",
            exif::segment_in_jpeg(&whole, 0xfe, b"a camera"),
        ),
    ]
}

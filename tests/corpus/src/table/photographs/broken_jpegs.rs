//! JPEGs that are cut short, lost a part, or end in zeros.

use super::{jpeg, progressive, refused};
use crate::files::jpeg::{Jpeg, cut_and_closed, cut_and_zeroed, last_scan};
use crate::table::Row;

pub(super) fn broken_jpeg_rows() -> Vec<Row> {
    let whole = jpeg().file();
    let progressive = progressive().file();
    let start = last_scan(&whole);
    let refused = |name: String, bytes| refused(name, bytes).says(&["cannot be decoded"]);
    let mut rows = vec![
        refused(
            "a JPEG without scans".into(),
            [&whole[..20], &[0xff, 0xd9]].concat(),
        ),
        refused("a JPEG without tables".into(), {
            let at = whole
                .windows(2)
                .position(|pair| pair == [0xff, 0xc4])
                .unwrap();
            [&whole[..at], &whole[start - 14..]].concat()
        }),
    ];
    let restarting = Jpeg {
        restart_every: 2,
        ..jpeg()
    }
    .file();
    for (what, file) in [
        ("JPEG", &whole),
        ("progressive JPEG", &progressive),
        ("JPEG with restart markers", &restarting),
    ] {
        for share in [0.0, 0.25, 0.5, 0.75] {
            let zeroed = cut_and_zeroed(file, share, 4096);
            rows.push(refused(
                format!("a {what} that is zeros from {share} of its last scan"),
                zeroed.clone(),
            ));
            rows.push(refused(
                format!("a {what} that is zeros from {share} of its last scan, and closed"),
                [&zeroed[..], &[0xff, 0xd9]].concat(),
            ));
        }
    }
    rows.push(refused(
        "a JPEG without one of its restart markers".into(),
        {
            let at = restarting
                .windows(2)
                .rposition(|pair| pair[0] == 0xff && matches!(pair[1], 0xd0..=0xd7));
            let at = at.unwrap();
            [&restarting[..at], &restarting[at + 2..]].concat()
        },
    ));
    for share in [0.0, 0.1, 0.25, 0.5, 0.75, 0.9] {
        rows.push(refused(
            format!("a JPEG cut short at {share} of its scan"),
            {
                let closed = cut_and_closed(&whole, share);
                closed[..closed.len() - 2].to_vec()
            },
        ));
        rows.push(refused(
            format!("a JPEG cut short at {share} of its scan and closed"),
            cut_and_closed(&whole, share),
        ));
        rows.push(refused(
            format!("a progressive JPEG cut short at {share} of its last scan and closed"),
            cut_and_closed(&progressive, share),
        ));
    }
    rows
}

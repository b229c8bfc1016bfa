//! Manifests of shards.

use shared::manifest::{self, MAX_ROWS};

use super::Row;
use crate::files::parquet::{
    contradicting, counts, doubtful_row, doubtful_with, doubtful_without, long_texts, manifest_row,
    number, only, replaced, text, times, with_footer,
};
use crate::read::Reads;

/// Returns a manifest of two items, one with features.
fn whole() -> Vec<u8> {
    let rows = vec![
        manifest_row("fog", "00001", true),
        manifest_row("night", "00001", false),
    ];
    manifest::write(rows).unwrap()
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = file_rows();
    rows.extend(column_rows());
    rows.extend(label_rows());
    rows.extend(damaged_rows());
    rows
}

/// What a segmenter finds, whole and altered.
fn label_rows() -> Vec<Row> {
    let whole = vec![
        doubtful_row("fog", "00001"),
        manifest_row("night", "00001", false),
    ];
    let mut rows = vec![Row::read(
        "a shard with what a segmenter finds",
        Reads::Shard,
        manifest::write(whole).unwrap(),
    )];
    for (column, words) in [
        ("label_miou", "column label_miou"),
        ("content_label_accuracy", "column content_label_accuracy"),
    ] {
        let altered = doubtful_with(column, number(0.75));
        let name = format!("a shard whose {column} is another one than its pixels give");
        rows.push(refused(&name, altered).says(&[words, "counted pixels", "altered"]));
    }
    for column in ["content_confusion", "doubtful", "label_iou"] {
        let name = format!("a shard that has lost its {column} and not the rest of it");
        rows.push(refused(&name, doubtful_without(column)).says(&[column]));
    }
    rows.extend([
        refused(
            "a shard with a share of pixels that is none",
            doubtful_with("label_accuracy", number(7.5)),
        )
        .says(&["column label_accuracy"]),
        refused(
            "a shard with counts of three kinds of pixels",
            doubtful_with("output_confusion", counts(&[1, 2, 3])),
        )
        .says(&["column output_confusion"]),
        refused(
            "a shard with counts of other pixels",
            doubtful_with("output_confusion", counts(&[u32::MAX; 380])),
        )
        .says(&["column"]),
    ]);
    rows
}

fn refused(name: &str, bytes: Vec<u8>) -> Row {
    Row::refused(name, Reads::Shard, bytes).says(&["manifest"])
}

/// Files that are whole, or no Parquet.
fn file_rows() -> Vec<Row> {
    let whole = whole();
    vec![
        Row::read("a shard", Reads::Shard, whole.clone()),
        Row::read(
            "a shard of no items",
            Reads::Shard,
            manifest::write(Vec::new()).unwrap(),
        ),
        refused("a shard of no bytes", Vec::new()),
        refused(
            "a shard that is a page of HTML",
            b"<html>404</html>".to_vec(),
        ),
        refused(
            "a shard whose end is cut off",
            whole[..whole.len() - 1].to_vec(),
        ),
        refused("a shard whose beginning is cut off", whole[4..].to_vec()),
        refused("a shard of nothing but magic numbers", b"PAR1PAR1".to_vec()),
        refused(
            "a shard with a footer that is longer than it",
            b"PAR1\xff\xff\xff\x7fPAR1".to_vec(),
        ),
        refused("a shard whose footer ends at once", with_footer(&[0])),
        refused(
            "a shard whose schema claims two thousand million columns",
            {
                // A list of structures with as many elements as 31 bits count.
                with_footer(&[0x15, 4, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07])
            },
        ),
        refused(
            "a shard whose footer is nested without end",
            with_footer(&[0x1c; 100_000]),
        ),
        refused(
            "a shard whose schema is nested without end",
            with_footer(&nested_schema(10_000)),
        ),
    ]
}

/// Columns that are missing, or hold what no manifest has.
fn column_rows() -> Vec<Row> {
    vec![
        refused("a shard without columns", only("run")).says(&["column"]),
        refused(
            "a shard whose shard column is text",
            replaced("shard", text("one")),
        )
        .says(&["column shard"]),
        refused(
            "a shard with a run that is no run's name",
            replaced("run", text("../other")),
        )
        .says(&["column run"]),
        refused(
            "a shard with a status of another version",
            replaced("status", text("maybe")),
        )
        .says(&["column status"]),
        refused(
            "a shard with an error class of another version",
            replaced("error_class", text("unlucky")),
        )
        .says(&["column error_class"]),
        refused(
            "a shard with a time before all time",
            replaced("started_at", times(i64::MIN)),
        )
        .says(&["column"]),
        refused(
            "a shard whose column has values and counts none",
            contradicting(),
        )
        .says(&["contradicts itself"]),
        refused("a shard of more rows than any has", {
            manifest::write(vec![manifest_row("fog", "00001", true); MAX_ROWS + 1]).unwrap()
        })
        .says(&["rows"]),
        refused(
            "a shard whose texts unpack to more than memory",
            long_texts(),
        )
        .says(&["bytes"]),
    ]
}

fn damaged_rows() -> Vec<Row> {
    let whole = whole();
    let mut rows = Vec::new();
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    rows.push(refused("a shard with a flipped bit", flipped));
    for share in [1, 2, 3] {
        let cut = whole.len() * share / 4;
        rows.push(refused(
            &format!("a shard cut to {share} of 4 parts"),
            whole[..cut].to_vec(),
        ));
    }
    rows
}

/// Returns a footer whose schema has groups of one group each.
fn nested_schema(depth: usize) -> Vec<u8> {
    let count = u32::try_from(depth).unwrap();
    // Version 2, then a list of structures with as many elements.
    let mut bytes = vec![0x15, 4, 0x19, 0xfc];
    let mut left = count;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    for _ in 0..depth {
        // 4: name "a", 5: one child.
        bytes.extend([0x48, 1, b'a', 0x15, 2, 0]);
    }
    bytes
}

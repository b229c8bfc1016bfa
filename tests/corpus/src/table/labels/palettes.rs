//! Labels of indices into a palette: of label ids, of train ids, renumbered, packed, or of other colours.

use super::{believed, read, refused, train_ids_and_255};
use crate::files::pngs::{Chunks, Header};
use crate::files::scene::{
    HEIGHT, WIDTH, each, label_id, label_png, palette_of_label_ids, palette_of_train_ids,
    palette_png, train_id,
};
use crate::read::Reads;
use crate::table::Row;

/// Returns a palette that has the colours of label ids in another order, and the scene in its indices.
fn renumbered() -> Vec<u8> {
    let order: Vec<u8> = each(label_id)
        .into_iter()
        .rev()
        .fold(Vec::new(), |mut seen, id| {
            if !seen.contains(&id) {
                seen.push(id);
            }
            seen
        });
    let all = palette_of_label_ids();
    let palette = order
        .iter()
        .flat_map(|&id| all[3 * usize::from(id)..][..3].to_vec());
    let index = |id: u8| order.iter().position(|&found| found == id).unwrap() as u8;
    palette_png(
        &each(|x, y| index(label_id(x, y))),
        &palette.collect::<Vec<u8>>(),
    )
}

/// Returns the scene's colours as a palette of few bits.
fn packed_palette(bits: u8) -> Vec<u8> {
    let classes = [0_u8, 2, 10, 13];
    let header = Header {
        width: WIDTH,
        height: HEIGHT,
        depth: bits,
        colour: 3,
        interlaced: false,
    };
    let indices = each(|x, y| {
        classes
            .iter()
            .position(|&class| class == train_id(x, y))
            .unwrap() as u8
    });
    let per_byte = usize::from(8 / bits);
    let pack = |indices: &[u8]| indices.iter().fold(0, |byte, &index| byte << bits | index);
    let rows: Vec<u8> = indices.chunks(per_byte).map(pack).collect();
    let all = palette_of_train_ids();
    let palette: Vec<u8> = classes
        .iter()
        .flat_map(|&class| all[3 * usize::from(class)..][..3].to_vec())
        .collect();
    Chunks::image(header, &rows).with(b"PLTE", &palette).file()
}

/// Returns a palette of greys.
fn ramp() -> Vec<u8> {
    (0..=255).flat_map(|level| [level; 3]).collect()
}

/// Palettes that are read, as promised or by their colours.
pub(super) fn palette_rows() -> Vec<Row> {
    let label = Reads::PaletteLabel;
    vec![
        read("a palette of label ids", label, label_png()),
        read(
            "a palette of label ids where grey ids are promised",
            Reads::IdLabel,
            label_png(),
        ),
        believed(
            "a palette of train ids where label ids are promised",
            label,
            palette_png(&each(train_id), &palette_of_train_ids()),
        )
        .says(&["train ids", "colours were believed"]),
        read(
            "a palette of train ids where they are promised",
            Reads::TrainIdLabel,
            palette_png(&each(train_id), &palette_of_train_ids()),
        ),
        believed("a palette that an editor renumbered", label, renumbered())
            .says(&["colours were believed"]),
        believed("a palette of 4 bits", label, packed_palette(4)),
        believed("a palette of 2 bits", label, packed_palette(2)),
        read(
            "label ids with a grey ramp for a palette",
            label,
            palette_png(&each(label_id), &ramp()),
        ),
        believed(
            "label ids that an optimiser made a palette of greys",
            label,
            {
                let mut used = each(label_id);
                used.sort_unstable();
                used.dedup();
                let index = |id: u8| used.iter().position(|&other| other == id).unwrap() as u8;
                let greys: Vec<u8> = used.iter().flat_map(|&id| [id; 3]).collect();
                palette_png(&each(|x, y| index(label_id(x, y))), &greys)
            },
        )
        .says(&["greys"]),
    ]
}

/// Palettes that do not say what the indices are, or are damaged.
pub(super) fn strange_palette_rows() -> Vec<Row> {
    let random: Vec<u8> = (0..34_u8)
        .flat_map(|index| [index * 7, 255 - index, index * 3 + 1])
        .collect();
    let label = Reads::PaletteLabel;
    vec![
        refused(
            "label ids with a palette of other colours",
            label,
            palette_png(&each(label_id), &random),
        )
        .says(&["labels = "]),
        refused(
            "train ids with a palette of other colours",
            label,
            palette_png(&each(train_id), &random),
        )
        .says(&["labels = "]),
        refused(
            "train ids with a grey ramp for a palette",
            label,
            palette_png(&each(train_id), &ramp()),
        )
        .says(&["labels = "]),
        refused("train ids with the palette of label ids", label, {
            let palette = [palette_of_label_ids(), vec![0; 3 * 222]].concat();
            palette_png(&train_ids_and_255(), &palette)
        })
        .says(&["255"]),
        refused("label ids with the palette of train ids", label, {
            let palette = [palette_of_train_ids(), vec![1; 3 * 20]].concat();
            palette_png(&each(label_id), &palette)
        }),
        read("a palette with transparency", label, {
            let transparency = [[0; 4], [255; 4]].concat();
            let mut chunks = Chunks::of(&label_png());
            chunks.0.insert(2, (*b"tRNS", transparency));
            chunks.file()
        }),
        refused(
            "a label without its palette",
            label,
            Chunks::of(&label_png()).without(b"PLTE").file(),
        ),
        refused("a label whose palette ends before its indices", label, {
            Chunks::of(&label_png())
                .mapped(b"PLTE", |palette| palette[..3 * 20].to_vec())
                .file()
        }),
        refused("a label whose palette ends within a colour", label, {
            Chunks::of(&label_png())
                .mapped(b"PLTE", |palette| palette[..3 * 34 - 1].to_vec())
                .file()
        }),
    ]
}

//! The photographs of the corpus through the built program, in one run: an item for each file.

use corpus::files::scene;
use corpus::read::Reads;
use corpus::table::{Expected, Row, rows};
use shared::failure::FailureClass;
use shared::manifest::{ManifestRow, Status};
use shared::warning::WarningKind;
use tests::project::{Project, STYLES};

/// Returns the ending that a file has by its first bytes.
fn ending(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => "jpg",
        [b'B', b'M', ..] => "bmp",
        [b'I', b'I', b'*', ..] => "tif",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        _ => "png",
    }
}

/// Returns whether a warning depends on the model, of which a row says nothing.
fn is_of_the_output(kind: WarningKind) -> bool {
    match kind {
        WarningKind::ConstantOutput
        | WarningKind::DisproportionateOutput
        | WarningKind::UniformClassMap
        | WarningKind::NotEvaluated => true,
        WarningKind::Greyscale
        | WarningKind::AlphaDropped
        | WarningKind::DepthReduced
        | WarningKind::Cropped
        | WarningKind::Enlarged
        | WarningKind::Orientation
        | WarningKind::ColourSpace
        | WarningKind::TrailingZeros
        | WarningKind::LabelEncoding
        | WarningKind::NoCommonClass
        | WarningKind::ConstantContent
        | WarningKind::ConstantStyle => false,
    }
}

/// Returns what is wrong with the row that the run has for a file.
fn complaint(row: &Row, found: &ManifestRow) -> Option<String> {
    let (status, class, mut kinds) = match &row.expected {
        Expected::Read => (Status::Done, None, Vec::new()),
        Expected::Warned(kinds) => (Status::Done, None, kinds.clone()),
        Expected::Refused => (
            Status::Quarantined,
            Some(FailureClass::BadInput),
            Vec::new(),
        ),
    };
    if status == Status::Done {
        // The scene is smaller than the model's images.
        kinds.push(WarningKind::Enlarged);
    }
    kinds.sort();
    kinds.dedup();
    let mut said = found.warning_kinds.clone();
    said.retain(|&kind| !is_of_the_output(kind));
    said.sort();
    let as_expected = (found.status, found.error_class) == (status, class)
        && said == kinds
        && found.output.is_some() == (status == Status::Done);
    (!as_expected).then(|| format!("{}: expected {:?}, found {found:?}", row.name, row.expected))
}

#[test]
fn every_photograph_of_the_corpus_is_done_or_quarantined_as_its_row_says_and_none_disturbs_another()
{
    let project = Project::new(0, 1);
    let rows: Vec<Row> = rows()
        .into_iter()
        .filter(|row| row.reads == Reads::Photograph)
        .collect();
    for (number, row) in rows.iter().enumerate() {
        let image = format!("gta5/images/{number:05}.{}", ending(&row.bytes));
        project.write(&image, &row.bytes);
        project.write(&format!("gta5/labels/{number:05}.png"), &scene::label_png());
    }
    let _ = project.run().exits(1);
    let found = project.rows();
    assert_eq!(found.len(), rows.len());
    let complaints: Vec<String> = rows
        .iter()
        .enumerate()
        .filter_map(|(number, row)| {
            let content = format!("{number:05}");
            let found = found
                .iter()
                .find(|found| found.item.content == content)
                .unwrap();
            assert_eq!(found.item.style, STYLES[0]);
            complaint(row, found)
        })
        .collect();
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        rows.len(),
        complaints.join("\n")
    );
    let _ = project.about_run(&["audit"]).exits(0);
}

//! Photographs and labels, read as those of one item.

use imaging::{InputError, LabelFile, NamedBytes, prepare};
use shared::dataset::LabelReading;
use shared::dataset::entry::LabelKind;
use shared::failure::chain;

use super::SIZE;
use super::outcome::{Outcome, refused};
use crate::files::scene;

fn named<'a>(name: &'a str, bytes: &'a [u8]) -> NamedBytes<'a> {
    NamedBytes { name, bytes }
}

pub(super) fn pair(image: &[u8], label: &[u8], kind: LabelKind) -> Outcome {
    let image = named("images/00001.png", image);
    prepared(prepare(image, Some(promised(label, kind)), SIZE))
}

/// Returns a label whose name promises something.
fn promised(bytes: &[u8], kind: LabelKind) -> LabelFile<'_> {
    let file = named("labels/00001.png", bytes);
    LabelFile::new(file, LabelReading::promised(kind))
}

pub(super) fn label(bytes: &[u8], kind: LabelKind) -> Outcome {
    let counts = imaging::count_classes(promised(bytes, kind));
    let outcome = pair(&scene::photograph_png(), bytes, kind);
    if let (Outcome::Read(..), Err(error)) = (&outcome, counts) {
        panic!("what can be prepared cannot be counted: {}", chain(&error));
    }
    outcome
}

fn prepared(result: Result<imaging::Prepared, InputError>) -> Outcome {
    match result {
        Ok(prepared) => {
            let kinds = prepared
                .warnings
                .iter()
                .map(|warning| warning.kind)
                .collect();
            let texts = prepared.warnings.iter().map(ToString::to_string);
            Outcome::Read(kinds, texts.collect::<Vec<_>>().join("; "))
        }
        Err(error) => refused(&error),
    }
}

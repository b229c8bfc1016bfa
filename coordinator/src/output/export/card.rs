//! The card of an export: what it is, what it was made of and by, under which terms, and how good it is. For people.

use std::fmt::{Display, Write as _};

use shared::item_metric::ItemMetric;
use shared::json;
use shared::run_record::Frozen;
use shared::settings::Pairing;
use shared::wording::{Thousands, counted, one_line};

use super::format::Layout;
use super::record::{ExportRecord, StyleFigures};
use super::{SUMS, Source, Written, croissant, table};

/// What stands where there is no figure.
const NONE: &str = "-";

/// Returns the card, with a header for programs where the layout has one.
pub(super) fn text(
    source: &Source<'_>,
    record: &ExportRecord,
    layout: &Layout,
    written: &Written,
) -> String {
    let mut card = match layout {
        Layout::Files(_) => String::new(),
        Layout::Packs(layout) => layout.card_header(record, &written.packs),
    };
    let sections = [
        beginning(record),
        usage(record, layout),
        left_out(record),
        figures(record),
        origin(source, record),
        licences(record),
        files(record),
    ];
    card.push_str(&sections.join("\n"));
    card
}

fn beginning(record: &ExportRecord) -> String {
    let splits = record.splits.iter();
    let splits: Vec<String> = splits
        .map(|(name, count)| format!("{} {name}", Thousands(*count)))
        .collect();
    let mut text = format!(
        "# {run}\n\n{items} of the run {run} of synth2real ({splits}): labelled synthetic images in the styles of real \
         photographs, with the labels of Cityscapes' 19 classes.\n",
        run = record.run,
        items = counted(record.num_items(), "image", "images"),
        splits = splits.join(", "),
    );
    if !record.complete {
        text.push_str(
            "\n**Partial:** the run was not complete when this was exported. It has only what was made until then.\n",
        );
    }
    text
}

fn usage(record: &ExportRecord, layout: &Layout) -> String {
    format!("## How to load it\n\n{}", layout.usage(record))
}

fn left_out(record: &ExportRecord) -> String {
    let mut text = "## What is in it\n\n".to_owned();
    let mut chosen = Vec::new();
    let all_of = |names: &[String]| {
        let names: Vec<_> = names.iter().map(code).collect();
        names.join(", ")
    };
    if !record.style_globs.is_empty() {
        chosen.push(format!("styles that match {}", all_of(&record.style_globs)));
    }
    if !record.classes.is_empty() {
        chosen.push(format!(
            "images that show one of {}",
            all_of(&record.classes)
        ));
    }
    for without in &record.without {
        chosen.push(format!("no items that are {without}"));
    }
    if let Some(share) = record.validation {
        chosen.push(format!(
            "a share of {share} of the contents, with all their images, for validation"
        ));
    }
    if chosen.is_empty() {
        chosen.push("all that the run has made".to_owned());
    }
    list(&mut text, chosen);
    let left_out = record.left_out.lines();
    if !left_out.is_empty() {
        text.push_str("\nLeft out of the run's items:\n\n");
        list(&mut text, left_out);
    }
    text
}

fn figures(record: &ExportRecord) -> String {
    let metrics = ItemMetric::ALL.into_iter();
    let metrics: Vec<ItemMetric> = metrics
        .filter(|metric| record.styles.iter().any(|style| has(style, *metric)))
        .collect();
    let mut text = "## Figures\n\n| style | images |".to_owned();
    for metric in &metrics {
        let _ = write!(text, " {} |", metric.title());
    }
    text.push_str(" FID | KID | labels | of images | reference |\n|---|---|");
    text.push_str(&"---|".repeat(metrics.len() + 5));
    text.push('\n');
    for style in &record.styles {
        let _ = write!(
            text,
            "| {} | {} |",
            cell(&style.style),
            Thousands(style.items)
        );
        for metric in &metrics {
            let mean = style.means.get(metric.as_str());
            let decimals = metric.decimals();
            let mean = mean.map(|mean| format!("{mean:.decimals$}"));
            let _ = write!(text, " {} |", shown(mean));
        }
        let reported = style.reported.as_ref();
        let fid = reported.and_then(|reported| reported.fid);
        let kid = reported.and_then(|reported| reported.kid);
        let agreement = reported.and_then(|reported| reported.label_agreement);
        let agreement =
            agreement.map(|of| format!("{:.1} -> {:.1}", 100.0 * of.content, 100.0 * of.output));
        let reference = reported.and_then(|reported| reported.reference.as_ref());
        let _ = writeln!(
            text,
            " {} | {} | {} | {} | {} |",
            shown(fid.map(|fid| format!("{fid:.2}"))),
            shown(kid.map(|kid| format!("{kid:.5}"))),
            shown(agreement),
            shown(reported.map(|reported| Thousands(reported.items))),
            shown(reference.map(|reference| cell(&reference.path))),
        );
    }
    let meanings = metrics.iter().map(|metric| {
        let better = metric.better().as_str();
        format!(
            "{}: {} to the content, {better} keeps more",
            metric.title(),
            metric.meaning()
        )
    });
    let meanings: Vec<String> = meanings.collect();
    let _ = writeln!(
        text,
        "\nMeans over the images that are in here ({}). The rest is of the run's report, over all images of a style \
         that it has made: FID and KID to the reference, and the mean IoU in percent of what a segmenter finds and the \
         labels, in contents and in images.",
        meanings.join("; ")
    );
    text
}

fn has(style: &StyleFigures, metric: ItemMetric) -> bool {
    style.means.contains_key(metric.as_str())
}

/// Returns what outputs were made with, and their size.
fn maker(frozen: &Frozen) -> String {
    let (width, height) = (frozen.model.width, frozen.model.height);
    match &frozen.model.sha256 {
        Some(sha256) => format!(
            "model of {width} x {height} pixels, contract {}",
            code(sha256)
        ),
        None => format!(
            "no model: {} at {width} x {height} pixels",
            frozen.method.method()
        ),
    }
}

fn origin(source: &Source<'_>, record: &ExportRecord) -> String {
    let run = &source.run.record;
    let frozen = &run.frozen;
    let evaluators = &frozen.evaluators;
    let mut lines = vec![
        format!(
            "run {}, planned at {}",
            code(&record.run),
            record.created_at
        ),
        format!("its plan: {}", code(&record.plan_hash)),
        format!(
            "contents: {} in the layout {}, listing {}",
            Thousands(frozen.content.count),
            frozen.content.layout,
            code(&frozen.content.listing_sha256)
        ),
        format!(
            "styles: {}",
            counted(frozen.styles.len(), "photograph", "photographs")
        ),
        pairing(&frozen.pairing),
        format!("seed: {}", frozen.method.seed()),
        maker(frozen),
    ];
    let features = evaluators.features.as_deref();
    lines.extend(features.map(|sha256| format!("network of FID and KID: {}", code(sha256))));
    let segmenter = evaluators.segmenter.as_deref();
    lines.extend(segmenter.map(|sha256| format!("segmenter: {}", code(sha256))));
    let maps = frozen.class_maps.as_ref();
    lines.extend(maps.map(|maps| {
        format!(
            "class maps of photographs without labels: by the network of {}, {}",
            maps.by.setting(),
            code(&maps.sha256)
        )
    }));
    lines.extend(ItemMetric::ALL.into_iter().filter_map(|metric| {
        let sha256 = evaluators.of_metric(metric)?;
        Some(format!("network of {}: {}", metric.title(), code(sha256)))
    }));
    let mut text = "## What it was made of\n\n".to_owned();
    list(&mut text, lines);
    text.push_str(
        "\nThe photographs, each with the digest of its image, and of its label if it has one:\n\n",
    );
    let styles = frozen.styles.iter();
    list(
        &mut text,
        styles.map(|(name, sha256)| format!("{}, {}", code(name), code(sha256))),
    );
    let _ = write!(
        text,
        "\nThe method's settings:\n\n```json\n{}\n```\n",
        json::lines(&frozen.method)
    );
    text
}

/// Returns which contents met which styles.
fn pairing(pairing: &Pairing) -> String {
    let of_each = match pairing.contents_per_style {
        Some(count) => format!("{} for each style", counted(count, "content", "contents")),
        None => "of all contents".to_owned(),
    };
    format!("pairing: {}, {of_each}", code(json::name(&pairing.mode)))
}

fn licences(record: &ExportRecord) -> String {
    let mut text = "## Licences\n\n".to_owned();
    if record.licences.is_empty() {
        text.push_str(
            "None was given. The terms of the synthetic images, of the photographs and of the model hold for what was \
             made of them.\n",
        );
    } else {
        list(
            &mut text,
            record.licences.iter().map(|it| one_line(it).into_owned()),
        );
    }
    text
}

fn files(record: &ExportRecord) -> String {
    let mut text = format!(
        "## Its files\n\n\
         - `{table}`: a line for each image, with its content, style and figures\n\
         - `{croissant}`: what all files hold, as Croissant 1.0 has it\n\
         - `{SUMS}`: the digests of all files; `sha256sum -c {SUMS}` compares them, and so does\n  \
         `synth2real export {run} --check --out DIR`, which also finds what does not belong here\n",
        table = table::FILE,
        croissant = croissant::FILE,
        run = record.run,
    );
    if !record.format.has_image_files() {
        text.push_str("- `.synth2real-export/`: what was finished, for an export that goes on\n");
    }
    text
}

fn list(text: &mut String, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
}

/// Returns a text of others as code.
fn code(text: impl Display) -> String {
    format!("`{}`", one_line(&text.to_string()).replace('`', "'"))
}

/// Returns a text of others as the cell of a table.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

fn shown(figure: Option<impl Display>) -> String {
    figure.map_or_else(|| NONE.to_owned(), |figure| figure.to_string())
}

#[cfg(test)]
mod tests {
    use shared::settings::PairingMode;

    use super::*;
    use crate::output::export::Format;
    use crate::output::export::LeftOut;
    use crate::output::export::options::Without;
    use crate::output::export::record::tests::record;

    #[test]
    fn a_card_says_what_is_in_it_and_what_is_not() {
        let whole = record(Format::Cityscapes, 3);
        let text = beginning(&whole);
        let expected = "6 images of the run demo of synth2real (4 train, 2 val)";
        assert!(
            text.contains(expected) && !text.contains("Partial"),
            "{text}"
        );
        let partial = ExportRecord {
            complete: false,
            style_globs: vec!["night_*".to_owned()],
            classes: vec!["rider".to_owned()],
            without: vec![Without::Warned],
            left_out: LeftOut {
                not_made: 1200,
                quarantined: 1,
                ..LeftOut::default()
            },
            ..whole
        };
        let text = format!("{}{}", beginning(&partial), left_out(&partial));
        for words in [
            "**Partial:**",
            "- styles that match `night_*`",
            "- images that show one of `rider`",
            "- no items that are warned",
            "a share of 0.25 of the contents",
            "- 1,200 items not made yet\n- 1 item quarantined\n",
        ] {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
    }

    #[test]
    fn the_figures_of_each_style_are_a_line_of_a_table() {
        let text = figures(&record(Format::Cityscapes, 3));
        for words in [
            "| style | images | SSIM | FID | KID | labels | of images | reference |",
            "|---|---|---|---|---|---|---|---|",
            "| `snow_2` | 3 | 1.500 | - | - | - | - | - |",
        ] {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
        assert_eq!(cell("a|b`c\n"), "`a\\|b'c\\n`");
    }

    #[test]
    fn a_card_says_which_contents_met_which_styles() {
        let mut of_run = Pairing {
            mode: PairingMode::RareClass,
            contents_per_style: Some(2500),
        };
        let expected = "pairing: `rare-class`, 2,500 contents for each style";
        assert_eq!(pairing(&of_run), expected);
        of_run.contents_per_style = None;
        assert_eq!(pairing(&of_run), "pairing: `rare-class`, of all contents");
    }

    #[test]
    fn licences_are_told_as_they_were_given_and_none_is_invented() {
        let given = licences(&record(Format::Cityscapes, 1));
        assert_eq!(given, "## Licences\n\n- CC BY 4.0\n");
        let none = ExportRecord {
            licences: Vec::new(),
            ..record(Format::Cityscapes, 1)
        };
        assert!(licences(&none).contains("None was given"));
    }
}

//! `items.csv`: a line for each item of an export.

use std::io::{self, Write};
use std::sync::Arc;

use super::Written;
use super::format::{FileLayout, Layout, PackLayout};
use super::set::{Item, Set, figure_names};

pub(super) const FILE: &str = "items.csv";

/// The columns before those of figures.
const COLUMNS: [&str; 8] = [
    "split", "style", "content", "file", "image", "label", "width", "height",
];

/// Where the pictures of an item are.
struct Pictures {
    /// The file that holds them; none where each is a file.
    file: String,
    image: String,
    label: String,
}

/// Returns what writes the table.
pub(super) fn writer(
    set: &Arc<Set>,
    layout: &Layout,
    written: &Arc<Written>,
) -> impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static + use<> {
    let (set, written) = (Arc::clone(set), Arc::clone(written));
    let layout = match layout {
        Layout::Files(layout) => Layout::Files(Arc::clone(layout)),
        Layout::Packs(layout) => Layout::Packs(Arc::clone(layout)),
    };
    move |to: &mut dyn Write| {
        let columns = COLUMNS.into_iter().chain(figure_names());
        let columns = columns.chain(["classes", "warnings", "doubtful"]);
        line(columns.map(str::to_owned), to)?;
        match &layout {
            Layout::Files(layout) => of_files(&set, &**layout, to),
            Layout::Packs(layout) => of_packs(&set, &**layout, &written, to),
        }
    }
}

fn of_files(set: &Set, layout: &dyn FileLayout, to: &mut dyn Write) -> io::Result<()> {
    for item in &set.items {
        let pictures = Pictures {
            file: String::new(),
            image: layout.image(set, item),
            label: layout.labels(set, item).swap_remove(0),
        };
        row(set, item, pictures, to)?;
    }
    Ok(())
}

fn of_packs(
    set: &Set,
    layout: &dyn PackLayout,
    written: &Written,
    to: &mut dyn Write,
) -> io::Result<()> {
    for pack in &written.packs {
        for &position in &pack.items {
            let item = &set.items[position as usize];
            let (image, label) = layout.members(set, item);
            let pictures = Pictures {
                file: pack.path.clone(),
                image,
                label,
            };
            row(set, item, pictures, to)?;
        }
    }
    Ok(())
}

fn row(set: &Set, item: &Item, pictures: Pictures, to: &mut dyn Write) -> io::Result<()> {
    let Pictures { file, image, label } = pictures;
    let places = [
        set.split_of(item).to_owned(),
        set.style(item).name.clone(),
        set.content(item).name.clone(),
        file,
        image,
        label,
        item.width.to_string(),
        item.height.to_string(),
    ];
    let figures = item.all_figures();
    let figures = figures.map(|figure| figure.map_or_else(String::new, |it| it.to_string()));
    let classes: Vec<&str> = item.class_names().collect();
    let told = [
        classes.join(", "),
        item.warning_names().join(", "),
        item.is_doubtful.to_string(),
    ];
    line(places.into_iter().chain(figures).chain(told), to)
}

fn line(cells: impl Iterator<Item = String>, to: &mut dyn Write) -> io::Result<()> {
    let cells: Vec<String> = cells.map(quoted).collect();
    writeln!(to, "{}", cells.join(","))
}

/// Returns a cell as RFC 4180 has it. No name has an end of a line.
fn quoted(cell: String) -> String {
    if cell.contains([',', '"']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use shared::item_metric::ItemMetric;

    use super::*;
    use crate::output::export::Format;
    use crate::output::export::packs::Pack;
    use crate::output::export::set::Split;
    use crate::output::export::set::tests::set;

    fn written_as(format: Format, written: Written) -> Vec<String> {
        let set = Arc::new(set(1));
        let mut table = Vec::new();
        let write = writer(&set, &format.layout(1 << 30), &Arc::new(written));
        write(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        table.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_says_where_the_pictures_of_an_item_are() {
        let lines = written_as(Format::Fiftyone, Written::default());
        let metrics = ItemMetric::ALL.map(ItemMetric::as_str).join(",");
        let columns = format!(
            "split,style,content,file,image,label,width,height,{metrics},label_miou,content_label_miou,\
             classes,warnings,doubtful"
        );
        assert_eq!(lines[0], columns);
        let figure = |metric: ItemMetric| {
            if metric == ItemMetric::Ssim {
                "1.5"
            } else {
                ""
            }
        };
        let figures = ItemMetric::ALL.map(figure).join(",");
        let mask = "fields/ground_truth/00000_snow-2.png";
        let expected = format!(
            "val,snow_2,00000,,data/00000_snow-2.png,{mask},4,2,{figures},0.25,,\"road, car\",,false"
        );
        assert_eq!(lines[2], expected);
        let mut pack = Pack::new("val-000000.tar".to_owned(), Split::Validation);
        pack.add(1, 10);
        let written = Written {
            packs: vec![pack],
            ..Written::default()
        };
        let lines = written_as(Format::Webdataset, written);
        let beginning = "val,snow_2,00000,val-000000.tar,00000_snow-2.png,00000_snow-2.label.png,";
        assert!(lines[1].starts_with(beginning), "{lines:?}");
    }

    #[test]
    fn a_cell_with_commas_or_quotes_is_one_cell() {
        assert_eq!(quoted("a, \"b\"".to_owned()), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("a b".to_owned()), "a b");
    }
}

//! How inputs that differ from the plan are told.

use shared::dataset::entry::{DatasetEntry, DatasetFile, DatasetLabel, LabelKind, LabelReading};
use shared::decision::ChangedInput;

use super::difference::difference;
use super::entry::change;

fn listing(name: &str, image_bytes: u64, label_bytes: Option<u64>) -> DatasetEntry {
    let file = |folder: &str, size_bytes| DatasetFile {
        path: format!("{folder}/{name}.png").into(),
        size_bytes,
    };
    DatasetEntry {
        name: name.to_owned(),
        image: file("images", image_bytes),
        label: label_bytes.map(|size_bytes| DatasetLabel {
            file: file("labels", size_bytes),
            reading: LabelReading::promised(LabelKind::PaletteIds),
        }),
    }
}

#[test]
fn what_is_other_about_an_input_is_told_by_its_files() {
    let before = listing("a", 1234, Some(10));
    let told = |now: &DatasetEntry| change(&before, now, None).map(|other| other.what);
    assert_eq!(told(&before), None);
    assert_eq!(
        told(&listing("a", 1240, Some(10))).unwrap(),
        "images/a.png had 1,234 bytes and has 1,240"
    );
    assert_eq!(
        told(&listing("a", 1240, Some(11))).unwrap(),
        "images/a.png had 1,234 bytes and has 1,240 and labels/a.png had 10 bytes and has 11"
    );
    assert_eq!(
        told(&listing("a", 1234, None)).unwrap(),
        "label labels/a.png is gone"
    );
    let mut renamed = before.clone();
    renamed.image.path = "images/a.jpg".into();
    assert_eq!(told(&renamed).unwrap(), "images/a.jpg was images/a.png");
    let mut read_otherwise = before.clone();
    read_otherwise.label.as_mut().unwrap().reading = LabelReading::promised(LabelKind::TrainIds);
    let other = told(&read_otherwise).unwrap();
    assert_eq!(
        other,
        "label of a was read as palette-ids and is as train-ids"
    );
    // A link that leads nowhere from here.
    assert_eq!(told(&listing("a", 0, Some(10))), None);
    let same = change(&before, &before, Some(("x", "x")));
    assert!(same.is_none());
    let other = change(&before, &before, Some(("x", "y"))).unwrap();
    assert!(other.what.contains("other bytes"), "{}", other.what);
}

#[test]
fn of_many_changes_the_first_ten_are_told_and_all_are_counted() {
    let planned: Vec<DatasetEntry> = (0..30)
        .map(|n| listing(&format!("{n:02}"), 1, None))
        .collect();
    let mut found: Vec<DatasetEntry> = (0..25)
        .map(|n| listing(&format!("{n:02}"), 2, None))
        .collect();
    found.push(listing("new", 1, None));
    let found = difference(&planned, &found, |before, now| {
        let listing = now.clone();
        change(before, now, None).map(|other| (other, ChangedInput::Content { listing }))
    });
    let told = found.summary("content", &planned);
    assert!(told[0].starts_with("25 contents changed (images/00.png had 1 bytes and has 2,"));
    assert!(told[0].ends_with(", and 15 more)"), "{}", told[0]);
    assert_eq!(told[1], "1 content added (new)");
    assert_eq!(
        told[2],
        "5 contents not listed any more (25, 26, 27, 28, 29)"
    );
}

//! Datasets whose files are gone, other ones, or not to be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use shared::dataset::entry::{DatasetFile, DatasetLabel, LabelKind, LabelReading};
use shared::source::{LocalSource, SourceFile};
use shared::storage::{StorageError, StorageErrorKind};

use super::*;

const SIZE: ImageSize = ImageSize {
    width: 8,
    height: 8,
    latent_width: 1,
    latent_height: 1,
};

fn listing(name: &str) -> DatasetEntry {
    let file = |path: String| DatasetFile {
        path: path.into(),
        size_bytes: 4,
    };
    DatasetEntry {
        name: name.to_owned(),
        image: file(format!("images/{name}.png")),
        label: Some(DatasetLabel {
            file: file(format!("labels/{name}.png")),
            reading: LabelReading::promised(LabelKind::PaletteIds),
        }),
    }
}

/// Returns a dataset of files that are no images, of which `a` and `b` are listed.
fn dataset() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["images", "labels"] {
        fs::create_dir(root.path().join(folder)).unwrap();
        for name in ["a", "b"] {
            fs::write(root.path().join(folder).join(format!("{name}.png")), "text").unwrap();
        }
    }
    root
}

async fn load(source: Arc<dyn Source>) -> Unusable {
    let datasets = Datasets {
        content_classes: None,
        style_classes: None,
        styles_sha256: BTreeMap::new(),
        style: Arc::clone(&source),
        content: source,
    };
    let loaded = datasets.load(InputKind::Content, &listing("a"), SIZE).await;
    loaded.err().expect("text is no image")
}

fn class(unusable: &Unusable) -> Option<FailureClass> {
    match unusable {
        Unusable::Quarantine(why) => Some(why.class),
        Unusable::Away(_) => None,
    }
}

#[tokio::test]
async fn a_style_with_other_bytes_of_the_same_number_is_another_one() {
    let root = tempfile::tempdir().unwrap();
    let png = imaging::encode_png(ndarray::Array3::zeros((8, 8, 3)).view()).unwrap();
    fs::write(root.path().join("a.png"), &png).unwrap();
    let source: Arc<dyn Source> = Arc::new(LocalSource::new(root.path()));
    let style = DatasetEntry {
        name: "a".to_owned(),
        image: DatasetFile {
            path: "a.png".into(),
            size_bytes: png.len() as u64,
        },
        label: None,
    };
    let sha256 = |bytes: &[u8]| {
        let files = (shared::digest::sha256(bytes), None::<String>);
        shared::digest::sha256_of_json(&files)
    };
    let load = async |planned: &[u8]| {
        let datasets = Datasets {
            content_classes: None,
            style_classes: None,
            styles_sha256: BTreeMap::from([("a".to_owned(), sha256(planned))]),
            style: Arc::clone(&source),
            content: Arc::clone(&source),
        };
        datasets
            .load(InputKind::Style, &style, SIZE)
            .await
            .map(drop)
    };
    assert!(load(&png).await.is_ok());
    let other = load(&vec![0; png.len()]).await.unwrap_err();
    assert_eq!(class(&other), Some(FailureClass::Changed));
}

async fn class_after(change: impl FnOnce(PathBuf)) -> (Option<FailureClass>, String) {
    let root = dataset();
    change(root.path().to_owned());
    let unusable = load(Arc::new(LocalSource::new(root.path()))).await;
    let text = match &unusable {
        Unusable::Quarantine(why) => why.reason.clone(),
        Unusable::Away(reason) => reason.clone(),
    };
    (class(&unusable), text)
}

#[tokio::test]
async fn a_file_that_is_gone_while_its_neighbours_are_there_is_missing() {
    for file in ["images/a.png", "labels/a.png"] {
        let (class, reason) = class_after(|root| fs::remove_file(root.join(file)).unwrap()).await;
        assert_eq!(class, Some(FailureClass::Missing));
        assert!(
            reason.contains(file) && reason.contains("put it back"),
            "{reason}"
        );
    }
    let in_its_place = |root: PathBuf| {
        fs::remove_file(root.join("images/a.png")).unwrap();
        fs::create_dir(root.join("images/a.png")).unwrap();
    };
    assert_eq!(
        class_after(in_its_place).await.0,
        Some(FailureClass::Missing)
    );
    let broken_link = |root: PathBuf| {
        fs::remove_file(root.join("images/a.png")).unwrap();
        std::os::unix::fs::symlink("/no/such/file", root.join("images/a.png")).unwrap();
    };
    assert_eq!(
        class_after(broken_link).await.0,
        Some(FailureClass::Missing)
    );
}

#[tokio::test]
async fn a_file_whose_name_no_file_can_have_is_a_bad_input_and_not_waited_for() {
    let root = dataset();
    let source: Arc<dyn Source> = Arc::new(LocalSource::new(root.path()));
    let datasets = Datasets {
        content_classes: None,
        style_classes: None,
        styles_sha256: BTreeMap::new(),
        style: Arc::clone(&source),
        content: source,
    };
    let label = |name: &str| {
        let mut listing = listing("a");
        if let Some(label) = &mut listing.label {
            label.file.path = format!("labels/{name}.png").into();
        }
        listing
    };
    let long = "x".repeat(300);
    for (listing, words) in [
        (listing(&long), "longer than the file system takes"),
        (listing("a\0b"), "no file can have this name"),
    ] {
        let loaded = datasets.load(InputKind::Content, &listing, SIZE).await;
        let unusable = loaded.err().expect("it cannot be read");
        assert_eq!(class(&unusable), Some(FailureClass::BadInput));
        let said = format!("{unusable:?}");
        assert!(said.contains(words), "{said}");
    }
    fs::write(root.path().join("images/a.png"), "text").unwrap();
    let loaded = datasets.load(InputKind::Content, &label(&long), SIZE).await;
    let unusable = loaded.err().expect("its label cannot be read");
    assert_eq!(class(&unusable), Some(FailureClass::BadInput));
    let said = format!("{unusable:?}");
    assert!(
        said.contains("cannot read") && said.contains("labels"),
        "{said}"
    );
}

#[tokio::test]
async fn a_folder_that_is_gone_or_empty_is_a_dataset_that_is_away() {
    for folder in ["images", "labels", ""] {
        let remove = |root: PathBuf| fs::remove_dir_all(root.join(folder)).unwrap();
        let (class, reason) = class_after(remove).await;
        assert_eq!(class, None, "{folder:?}: {reason}");
        assert!(reason.contains("is the dataset mounted?"), "{reason}");
    }
    let empty = |root: PathBuf| {
        fs::remove_file(root.join("images/a.png")).unwrap();
        fs::remove_file(root.join("images/b.png")).unwrap();
        // What lies where a dataset is mounted is no part of it.
        fs::write(root.join("images/README"), "mount here").unwrap();
    };
    assert_eq!(class_after(empty).await.0, None);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_another_size_than_was_listed_is_not_taken_for_the_one_that_was() {
    for text in ["", "tex", "longer"] {
        let change = |root: PathBuf| fs::write(root.join("images/a.png"), text).unwrap();
        let (class, reason) = class_after(change).await;
        assert_eq!(class, Some(FailureClass::Changed), "{reason}");
        let sizes = format!("has {} bytes and had 4", text.len());
        assert!(
            reason.contains(&sizes) && reason.contains("images/a.png"),
            "{reason}"
        );
    }
    let (class, _) = class_after(|_| {}).await;
    assert_eq!(
        class,
        Some(FailureClass::BadInput),
        "it is as it was listed"
    );
}

/// A dataset that refuses, or that is away from one look to the next.
#[derive(Debug)]
struct Refusing {
    source: LocalSource,
    kind: StorageErrorKind,
    /// Whether the first read of a file is refused and no other.
    once: bool,
    has_refused: AtomicBool,
}

#[async_trait]
impl Source for Refusing {
    async fn list(&self, folder: &Path) -> Result<Vec<SourceFile>, StorageError> {
        self.source.list(folder).await
    }

    async fn read(&self, path: &Path) -> Result<Bytes, StorageError> {
        let is_refused = path == Path::new("images/a.png");
        let is_again = is_refused && self.has_refused.swap(true, Ordering::Relaxed);
        if is_refused && !(self.once && is_again) {
            return Err(StorageError {
                kind: self.kind,
                operation: "read",
                path: self.locate(path),
                source: None,
            });
        }
        self.source.read(path).await
    }

    async fn fetch(&self, path: &Path, to: &Path) -> Result<(), StorageError> {
        self.source.fetch(path, to).await
    }

    fn locate(&self, path: &Path) -> String {
        self.source.locate(path)
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_read_or_does_not_answer_is_away_also_while_its_neighbours_are_there()
 {
    let root = dataset();
    let refusing = |kind, once| {
        Arc::new(Refusing {
            source: LocalSource::new(root.path()),
            kind,
            once,
            has_refused: AtomicBool::new(false),
        })
    };
    for kind in [StorageErrorKind::Denied, StorageErrorKind::Unavailable] {
        let unusable = load(refusing(kind, false)).await;
        assert_eq!(class(&unusable), None, "{kind:?}: {unusable:?}");
    }
    // Gone for one moment, and there when it is looked for again.
    let unusable = load(refusing(StorageErrorKind::NotFound, true)).await;
    assert_eq!(class(&unusable), None, "{unusable:?}");
}

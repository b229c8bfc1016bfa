//! A small dataset with settings in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use shared::manifest::{self, ManifestRow};
use tempfile::TempDir;

use crate::images::Picture;
use crate::program::{Outcome, synth2real};
use crate::{device, golden_model, repository, stored};

/// Name of every project's run.
pub const RUN: &str = "small";

/// The styles of a project, in the order of their names.
pub const STYLES: [&str; 3] = ["night_000001", "night_000002", "snow_000002"];

/// A dataset, settings and a storage root in a temporary folder.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    settings: toml::Table,
}

impl Project {
    /// Returns a project with contents `00001`, `00002`, ... in the layout of GTA5 and the first of [`STYLES`].
    ///
    /// Its settings take two of four steps with the golden model.
    ///
    /// # Panics
    ///
    /// If the folder cannot be made.
    #[must_use]
    pub fn new(contents: usize, styles: usize) -> Self {
        let project = Self::empty();
        for number in 1..=contents {
            let name = format!("{number:05}");
            project.add_content(&name, |picture| picture, |label| label);
        }
        for style in &STYLES[..styles] {
            project.add_style(style, &style.replace("night_000002", "night_000001"));
        }
        project
    }

    /// Returns a project as [`Self::new`] does whose labels are judged, with images that a segmenter finds every label in.
    ///
    /// # Panics
    ///
    /// If the folder cannot be made.
    #[must_use]
    pub fn drawn(contents: usize, styles: usize) -> Self {
        let mut project = Self::new(0, styles);
        for number in 1..=contents {
            project.add_drawn_content(&format!("{number:05}"));
        }
        project.judge_labels();
        project
    }

    /// Returns a project without any files but its settings.
    ///
    /// # Panics
    ///
    /// If the folder cannot be made.
    #[must_use]
    pub fn empty() -> Self {
        let model = golden_model();
        let settings = format!(
            r#"
            run = {{ name = "{RUN}", root = "out" }}
            content = {{ root = "gta5", layout = "gta5" }}
            style = {{ root = "style" }}
            method = {{ steps = 4, skip = 2, class_adain_steps = "1.." }}
            model = {{ path = "{}" }}
            limits = {{ max_failed = 1.0 }}
            engine = {{ threads = 1 }}
            "#,
            model.display()
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut project = Self {
            settings: settings.parse().expect("valid settings"),
            folder,
        };
        project.set("engine.device", device().as_deref().unwrap_or("cpu"));
        project
    }

    /// Adds a content whose image and label are changed; each number in a name gives another scene.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn add_content(
        &self,
        name: &str,
        image: impl FnOnce(Picture) -> Picture,
        label: impl FnOnce(Picture) -> Picture,
    ) {
        let columns = 16 * name.parse::<u32>().unwrap_or_default();
        let scene = |name| Picture::input(name).shifted(columns);
        let image = image(scene("00001.png")).encode();
        let label = label(scene("00001_label.png")).encode();
        self.write(&format!("gta5/images/{name}.png"), &image);
        self.write(&format!("gta5/labels/{name}.png"), &label);
    }

    /// Adds a content whose image is its label in the colours of its classes, at the size of the golden model.
    fn add_drawn_content(&self, name: &str) {
        let columns = 16 * name.parse::<u32>().unwrap_or_default();
        let label = Picture::input("00001_label.png").shifted(columns);
        let label = label.cropped(256, 128);
        self.write(&format!("gta5/labels/{name}.png"), &label.encode());
        let image = label.in_colours().encode();
        self.write(&format!("gta5/images/{name}.png"), &image);
    }

    /// Adds a style that shows one of the golden styles, `night_000001` or `snow_000002`.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn add_style(&self, name: &str, shows: &str) {
        let (image, label) = if shows.starts_with("night") {
            ("_rgb_anon", "_gt_labelColor")
        } else {
            ("_leftImg8bit", "_gtFine_color")
        };
        for (kind, suffix) in [("images", image), ("labels", label)] {
            let columns = if name == shows { 0 } else { 64 };
            let picture = Picture::input(&format!("{shows}{suffix}.png")).shifted(columns);
            self.write(
                &format!("style/{kind}/{name}{suffix}.png"),
                &picture.encode(),
            );
        }
    }

    /// Writes a file below the project's folder.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, relative: &str, bytes: &[u8]) {
        let path = self.path(relative);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a writable folder");
        fs::write(&path, bytes).expect("a writable file");
    }

    /// Returns a path in the project's folder.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Returns a path in the run's folder.
    #[must_use]
    pub fn stored(&self, relative: &str) -> PathBuf {
        let root = self.settings["run"]["root"].as_str().expect("a root");
        self.path(root).join("runs").join(RUN).join(relative)
    }

    /// Writes a setting such as `method.steps`.
    ///
    /// # Panics
    ///
    /// If the key is no `table.key`.
    pub fn set(&mut self, key: &str, value: impl Into<toml::Value>) {
        set_key(&mut self.settings, key, value);
        self.write_settings();
    }

    /// Has the run made by a method without a model, at the size of the golden model.
    pub fn make_without_model(&mut self, method: &str) {
        self.settings.remove("model");
        self.set("method.method", method);
        self.set("method.width", 256);
        self.set("method.height", 128);
    }

    fn write_settings(&self) {
        let text = toml::to_string(&self.settings).expect("settings are TOML");
        self.write("run.toml", text.as_bytes());
    }

    /// Returns the settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.path("run.toml")
    }

    /// Has outputs judged with the features of the demo, against the contents.
    ///
    /// # Panics
    ///
    /// If their statistics cannot be made.
    pub fn judge_by_demo_features(&mut self) {
        let features = repository("infra/demo/features");
        self.set("quality.features", features.display().to_string());
        self.set("quality.reference", "photographs.npz");
        let _ = self
            .reference_stats("gta5/images", "photographs.npz")
            .exits(0);
    }

    /// Has labels judged by a segmenter that takes each pixel for the class whose colour is nearest. An item is doubtful that
    /// keeps any less of its content's agreement than all.
    pub fn judge_labels(&mut self) {
        let segmenter = repository("tests/fixtures/segmenter");
        self.set("quality.segmenter", segmenter.display().to_string());
        self.set("quality.min_label_agreement", 1.0);
    }

    /// Makes statistics of some images with the features of the demo.
    #[must_use]
    pub fn reference_stats(&self, images: &str, out: &str) -> Outcome {
        let mut command = synth2real();
        command
            .arg("reference-stats")
            .arg("--images")
            .arg(self.path(images));
        command
            .arg("--model")
            .arg(repository("infra/demo/features"));
        Outcome::of(command.arg("--out").arg(self.path(out)))
    }

    /// Returns `synth2real run` on the project.
    #[must_use]
    pub fn run_command(&self) -> Command {
        let mut command = synth2real();
        command.arg("run").arg(self.settings());
        command
    }

    /// Runs it.
    #[must_use]
    pub fn run(&self) -> Outcome {
        Outcome::of(&mut self.run_command())
    }

    /// Runs a command that takes the run's name, such as `audit`.
    #[must_use]
    pub fn about_run(&self, command: &[&str]) -> Outcome {
        let mut words = synth2real();
        words.args(command).arg(RUN);
        let root = self.settings["run"]["root"].as_str().expect("a root");
        Outcome::of(words.arg("--root").arg(self.path(root)))
    }

    /// Returns the rows of the run's manifest.
    #[must_use]
    pub fn rows(&self) -> Vec<ManifestRow> {
        stored::rows(&self.stored("manifest.parquet"))
    }

    /// Returns the rows of the run's shards, which have no revisions, with all that only shards have.
    ///
    /// # Panics
    ///
    /// If they cannot be read.
    #[must_use]
    pub fn shard_rows(&self) -> Vec<ManifestRow> {
        let folder = self.stored("shards");
        let shards = stored::paths(&folder).into_iter();
        shards
            .flat_map(|shard| {
                let bytes = fs::read(folder.join(shard)).expect("a readable file");
                manifest::read_with_features(bytes.into()).expect("a shard")
            })
            .collect()
    }

    /// Returns the digests of the run's pictures.
    #[must_use]
    pub fn pictures(&self) -> std::collections::BTreeMap<String, String> {
        stored::pictures(&self.stored(""))
    }

    /// Returns the row of an item.
    ///
    /// # Panics
    ///
    /// If it has none.
    #[must_use]
    pub fn row(&self, content: &str, style: &str) -> ManifestRow {
        let mut rows = self.rows().into_iter();
        let row = rows.find(|row| row.item.content == content && row.item.style == style);
        row.unwrap_or_else(|| panic!("{content} in {style} has no row"))
    }

    /// Returns whether nothing lies below the storage root.
    #[must_use]
    pub fn stored_nothing(&self) -> bool {
        stored::paths(Path::new(&self.path("out"))).is_empty()
    }
}

/// Writes a setting such as `method.steps` into settings.
///
/// # Panics
///
/// If the key is no `table.key`.
pub(crate) fn set_key(settings: &mut toml::Table, key: &str, value: impl Into<toml::Value>) {
    let (table, key) = key.split_once('.').expect("table.key");
    let table = settings.entry(table).or_insert(toml::Table::new().into());
    let table = table.as_table_mut().expect("a table");
    table.insert(key.to_owned(), value.into());
}

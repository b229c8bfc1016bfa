//! `synth2real demo`: the example that comes with the program, copied into a folder and converted there; some of it by other
//! methods as well, which its contact sheet shows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use shared::{blocking, console, shutdown};

use super::compare::{self, CompareArgs};
use super::files::{self, Created};
use super::run::here::FINISHING;
use super::run::{self, RunArgs};
use super::{CliError, Outcome, path};

/// Where the demo lies below the folder that the program was installed into.
const INSTALLED: &str = "share/synth2real/demo";
/// Where it lies in a checkout.
const CHECKED_OUT: &str = "infra/demo";
/// Its settings. Everything else that it needs lies in folders beside them.
const SETTINGS: &str = "run.toml";
/// The storage root in these settings, and in those of a copy.
const ROOT: &str = r#"root = "../../out""#;
const OWN_ROOT: &str = r#"root = "out""#;
/// What is compared with the demo's own method, as `compare` takes it, without the labels of styles; and of how many contents
/// in how many styles. `make demo` has the same.
const COMPARED: [&str; 2] = ["method=ast,reinhard", "use_labels=false"];
const COMPARED_ITEMS: (usize, usize) = (2, 3);

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The folder for the demo's images and model, and for what is made of them; it is made if it is not there
    #[arg(value_name = "DIR", default_value = "synth2real-demo", value_parser = path())]
    folder: PathBuf,
}

pub(super) async fn main(args: DemoArgs) -> Result<Outcome, CliError> {
    let folder = args.folder;
    let target = folder.clone();
    let settings = blocking::run(move || copy(&find()?, &target)).await?;
    let stop = shutdown::on_signal(FINISHING);
    let run = RunArgs::of(settings.clone());
    let mut outcome = run::until(Some(stop.child_token()), run).await?;
    if matches!(outcome, Outcome::Done) {
        let compared = CompareArgs::for_contact_sheet(settings, &COMPARED, COMPARED_ITEMS);
        outcome = compare::until(Some(stop), compared).await?;
    }
    if matches!(outcome, Outcome::Done) {
        let root = folder.join("out");
        console::tell(format_args!(
            "to see more: `synth2real report demo --root {root}`, and `synth2real serve --root {root}` with a browser",
            root = root.display()
        ));
    }
    Ok(outcome)
}

/// Returns the folder with the demo.
fn find() -> Result<PathBuf, CliError> {
    let known = |place: io::Result<PathBuf>| place.map_err(CliError::environment);
    let (program, here) = (
        known(std::env::current_exe())?,
        known(std::env::current_dir())?,
    );
    of_program(&program, &here).ok_or_else(|| {
        CliError::Environment(format!(
            "the demo is not there: neither {INSTALLED} where {} is installed, nor {CHECKED_OUT} of a checkout about it or in \
             this folder; install the package synth2real, or call this in a checkout",
            program.display()
        ))
    })
}

/// Returns the demo that is installed with a program, or that of the checkout which it was built in or which this folder is.
fn of_program(program: &Path, here: &Path) -> Option<PathBuf> {
    let prefix = program.ancestors().nth(2);
    let installed = prefix.map(|prefix| prefix.join(INSTALLED));
    let checkouts = program.ancestors().skip(1).chain([here]);
    let checkouts = checkouts.map(|folder| folder.join(CHECKED_OUT));
    let mut places = installed.into_iter().chain(checkouts);
    places.find(|place| place.join(SETTINGS).is_file())
}

/// Copies the demo into a folder, where what is there already must be the same; returns the settings there, whose storage
/// root is in the folder.
fn copy(demo: &Path, folder: &Path) -> Result<PathBuf, CliError> {
    let unread = |error: io::Error| {
        CliError::Environment(format!("cannot read the demo {}: {error}", demo.display()))
    };
    for file in files_below(demo).map_err(unread)? {
        let bytes = fs::read(demo.join(&file)).map_err(unread)?;
        create(&folder.join(&file), &bytes)?;
    }
    let text = fs::read_to_string(demo.join(SETTINGS)).map_err(unread)?;
    if !text.contains(ROOT) {
        let settings = demo.join(SETTINGS);
        return Err(CliError::Environment(format!(
            "{} has no line {ROOT}: it is that of another version, so install the package synth2real anew",
            settings.display()
        )));
    }
    let settings = folder.join(SETTINGS);
    create(&settings, text.replacen(ROOT, OWN_ROOT, 1).as_bytes())?;
    Ok(settings)
}

/// Returns the files in folders of a demo, sorted, by their paths below it.
fn files_below(demo: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(demo.join(&folder))? {
            let path = folder.join(entry?.file_name());
            if demo.join(&path).is_dir() {
                folders.push(path);
            } else if folder != Path::new("") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Writes a file that is not there, with the folder that it is in. One that is there must be the same.
fn create(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    fs::create_dir_all(files::folder_of(path)).map_err(|error| {
        CliError::Environment(format!("cannot write {}: {error}", path.display()))
    })?;
    match files::create(path, bytes, None)? {
        Created::New | Created::AlreadyThere => Ok(()),
        Created::Another => Err(CliError::Usage(format!(
            "{} is there and is not the demo's: choose another folder, remove it, or convert what is there by `synth2real run`",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(relative: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(relative)
    }

    #[test]
    fn the_demo_of_a_checkout_compares_the_same() {
        let makefile = fs::read_to_string(repository("Makefile")).unwrap();
        let (contents, styles) = COMPARED_ITEMS;
        let [methods, labels] = COMPARED;
        let arguments = format!(
            "compare {CHECKED_OUT}/{SETTINGS} --contact-sheet --contents {contents} --styles {styles} \\\n\
             \t\t--vary {methods} --vary {labels}\n"
        );
        assert!(makefile.contains(&arguments), "no {arguments}");
    }

    /// Writes files with their own names in them.
    fn write(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
    }

    #[test]
    fn an_installed_demo_goes_before_one_of_a_checkout_and_that_before_one_of_this_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let program = at("checkout/target/release/synth2real");
        let found = || of_program(&program, &at("here"));
        assert_eq!(found(), None);
        for (settings, place) in [
            ("here/infra/demo/run.toml", "here/infra/demo"),
            ("checkout/infra/demo/run.toml", "checkout/infra/demo"),
            (
                "checkout/target/share/synth2real/demo/run.toml",
                "checkout/target/share/synth2real/demo",
            ),
        ] {
            write(folder.path(), &[settings]);
            assert_eq!(found(), Some(at(place)));
        }
    }

    #[test]
    fn the_demo_is_copied_with_results_beside_it_and_copied_again_without_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let (demo, copied) = (repository(CHECKED_OUT), folder.path().join("new/demo"));
        let settings = copy(&demo, &copied).unwrap();
        let text = fs::read_to_string(&settings).unwrap();
        assert!(
            text.contains("\n[run]\nname = \"demo\"\nroot = \"out\"\n"),
            "{text}"
        );
        let files = files_below(&demo).unwrap();
        assert!(files.contains(&"model/model.json".into()), "{files:?}");
        assert_eq!(files_below(&copied).unwrap(), files);
        assert!(!copied.join("contact-sheet.png").exists());

        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let before = modified(&copied.join("model/model.json"));
        fs::remove_file(copied.join("data/gta5/images/00001.png")).unwrap();
        copy(&demo, &copied).unwrap();
        assert_eq!(modified(&copied.join("model/model.json")), before);
        assert_eq!(files_below(&copied).unwrap(), files);
    }

    #[test]
    fn what_is_there_and_is_not_the_demos_is_named_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (demo, copied) = (folder.path().join("demo"), folder.path().join("copied"));
        write(&demo, &["data/a.png", "data/b.png"]);
        fs::write(demo.join(SETTINGS), ROOT).unwrap();
        write(&copied, &["data/b.png/below"]);
        let refused = copy(&demo, &copied).unwrap_err();
        assert!(matches!(refused, CliError::Usage(_)), "{refused}");
        assert!(
            refused.to_string().contains("data/b.png is there"),
            "{refused}"
        );

        fs::remove_dir_all(copied.join("data/b.png")).unwrap();
        fs::write(copied.join(SETTINGS), "root = \"s3\"").unwrap();
        let refused = copy(&demo, &copied).unwrap_err().to_string();
        assert!(refused.contains("run.toml is there"), "{refused}");
        let kept = fs::read_to_string(copied.join(SETTINGS)).unwrap();
        assert_eq!(kept, "root = \"s3\"");

        fs::write(demo.join(SETTINGS), "root = \"elsewhere\"").unwrap();
        let refused = copy(&demo, &copied).unwrap_err();
        assert!(matches!(refused, CliError::Environment(_)), "{refused}");
    }
}

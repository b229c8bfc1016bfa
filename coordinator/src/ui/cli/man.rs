//! `synth2real man`: the help of every command as pages for `man`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use shared::console;

use super::files::Named;
use super::{Cli, CliError, Outcome, files, path};

/// How the source of a page is called in its title, with the version behind it.
const SOURCE: &str = concat!("synth2real ", env!("CARGO_PKG_VERSION"));
/// More than stands in a page before the end of its title.
const MAX_HEAD: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder that the pages are written to, such as ~/.local/share/man/man1; it is made if it is not there
    #[arg(long, value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

pub(super) async fn main(args: ManArgs) -> Result<Outcome, CliError> {
    let pages = pages();
    write(&args.out, &pages)?;
    let (count, folder) = (pages.len(), args.out.display());
    console::print(format_args!("{count} pages in {folder}"))?;
    Ok(Outcome::Done)
}

/// Writes all pages into a folder, which is made if it is not there, or none if one cannot be written or would take the place
/// of a file that is no page of ours.
fn write(folder: &Path, pages: &[Page]) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|error| {
        let folder = folder.display();
        CliError::Usage(format!("--out {folder}: cannot make the folder: {error}"))
    })?;
    let places: Vec<PathBuf> = pages.iter().map(|page| folder.join(&page.name)).collect();
    let outputs: Vec<Named<'_>> = places
        .iter()
        .map(|place| ("--out", place.as_path()))
        .collect();
    files::check(&outputs, &[])?;
    if let Some(place) = places
        .iter()
        .find(|place| place.exists() && !is_page(place))
    {
        return Err(CliError::Usage(format!(
            "--out {}: a file is there that is no page of synth2real: choose another folder, or remove it",
            place.display()
        )));
    }
    for (page, place) in pages.iter().zip(&places) {
        files::write(place, &page.bytes)?;
    }
    Ok(())
}

/// Returns whether a file is a page that this program or another version of it has made, as its title says.
fn is_page(place: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(place).and_then(|file| file.take(MAX_HEAD).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    let mut titles = head.lines().filter(|line| line.starts_with(".TH "));
    read.is_ok() && titles.any(|title| title.contains("\"synth2real "))
}

/// A page of the manual.
struct Page {
    /// The name of its file.
    name: String,
    bytes: Vec<u8>,
}

/// Returns the pages of the programs that are known here, and of their commands.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for program in programs() {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        add(&program, &mut pages);
    }
    pages
}

#[cfg(feature = "embedded")]
fn programs() -> Vec<Command> {
    vec![Cli::command(), worker::arguments::Arguments::command()]
}

#[cfg(not(feature = "embedded"))]
fn programs() -> Vec<Command> {
    vec![Cli::command()]
}

fn add(command: &Command, pages: &mut Vec<Page>) {
    let man = Man::new(command.clone()).source(SOURCE);
    let mut bytes = Vec::new();
    man.render(&mut bytes)
        .expect("memory takes whatever is written");
    pages.push(Page {
        name: man.get_filename(),
        bytes,
    });
    let commands = command.get_subcommands();
    for command in commands.filter(|command| !command.is_hide_set()) {
        add(command, pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let pages = pages();
        let page = |name: &str| {
            let page = pages.iter().find(|page| page.name == name);
            let page = page.unwrap_or_else(|| panic!("no {name}"));
            String::from_utf8(page.bytes.clone()).unwrap()
        };
        for command in Cli::command().get_subcommands() {
            page(&format!("synth2real-{}.1", command.get_name()));
        }
        assert!(page("synth2real.1").contains("Exit codes"));
        // Dashes of options are escaped in a page.
        assert!(page("synth2real-status.1").contains("\\-\\-watch"));
        let worker = pages.iter().any(|page| page.name == "worker.1");
        assert_eq!(worker, cfg!(feature = "embedded"));
    }

    #[test]
    fn a_pipe_in_the_place_of_a_page_is_refused_before_any_page_is_written() {
        for through_link in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            let page = "synth2real-status.1";
            let pipe = if through_link { "pipe" } else { page };
            let made = std::process::Command::new("mkfifo").arg(at(pipe)).status();
            assert!(made.unwrap().success());
            if through_link {
                std::os::unix::fs::symlink(pipe, at(page)).unwrap();
            }
            let before = fs::read_dir(folder.path()).unwrap().count();

            let refused = write(folder.path(), &pages()).unwrap_err();
            assert!(matches!(refused, CliError::Usage(_)), "{refused}");
            let told = refused.to_string();
            assert!(
                told.contains(page) && told.contains("it is no file"),
                "{told}"
            );
            let kind = fs::metadata(at(page)).unwrap().file_type();
            assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind), "{kind:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
        }
    }

    #[test]
    fn pages_of_another_version_are_replaced_and_what_is_no_page_of_ours_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("man/man1");
        let (pages, page) = (pages(), out.join("synth2real-status.1"));
        write(&out, &pages).unwrap();
        let whole = fs::read_to_string(&page).unwrap();
        assert!(whole.contains(SOURCE), "{whole}");
        fs::write(&page, whole.replace(SOURCE, "synth2real 0.0.1")).unwrap();
        write(&out, &pages).unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), whole);

        let first = out.join(&pages[0].name);
        fs::remove_file(&first).unwrap();
        for foreign in ["", "notes", ".TH status 1 \"\" \"other 1.0\"\nsynth2real 1"] {
            fs::write(&page, foreign).unwrap();
            let refused = write(&out, &pages).unwrap_err();
            assert!(matches!(refused, CliError::Usage(_)), "{refused}");
            let told = refused.to_string();
            assert!(told.contains("synth2real-status.1"), "{told}");
            assert!(told.ends_with("choose another folder, or remove it"));
            assert_eq!(fs::read_to_string(&page).unwrap(), foreign);
            assert!(!first.exists(), "no page is written");
        }
    }
}

//! `synth2real man`: the help of every command as pages for `man`.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use shared::console;

use super::{Cli, CliError, Outcome, files, path};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder that the pages are written to, such as ~/.local/share/man/man1; it is made if it is not there
    #[arg(long, value_name = "DIR", value_parser = path())]
    out: PathBuf,
}

pub(super) async fn main(args: ManArgs) -> Result<Outcome, CliError> {
    let made = fs::create_dir_all(&args.out);
    made.map_err(|error| {
        let folder = args.out.display();
        CliError::Usage(format!("--out {folder}: cannot make the folder: {error}"))
    })?;
    let pages = pages();
    for page in &pages {
        files::write(&args.out.join(&page.name), &page.bytes)?;
    }
    let (count, folder) = (pages.len(), args.out.display());
    console::print(format_args!("{count} pages in {folder}"))?;
    Ok(Outcome::Done)
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
    let source = concat!("synth2real ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source);
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
}

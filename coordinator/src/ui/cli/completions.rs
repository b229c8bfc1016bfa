//! `synth2real completions`: what a shell completes.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::aot::{self, Bash, Fish, Zsh};
use shared::console;

use super::{Cli, CliError, Outcome};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// A shell that completes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) async fn main(args: CompletionsArgs) -> Result<Outcome, CliError> {
    console::print_lines(script(args.shell).trim_end())?;
    Ok(Outcome::Done)
}

/// Returns the script that a shell reads, made of the commands and options that there are.
fn script(shell: Shell) -> String {
    let (mut program, mut script) = (Cli::command(), Vec::new());
    let name = program.get_name().to_owned();
    match shell {
        Shell::Bash => aot::generate(Bash, &mut program, name, &mut script),
        Shell::Zsh => aot::generate(Zsh, &mut program, name, &mut script),
        Shell::Fish => aot::generate(Fish, &mut program, name, &mut script),
    }
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        let program = Cli::command();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in program.get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell:?} does not complete {name}");
            }
            // fish writes options without their dashes.
            assert!(script.contains("root"), "{shell:?}");
        }
    }
}

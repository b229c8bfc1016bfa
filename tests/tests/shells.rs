//! What shells complete, and pages of the manual: made of the commands that there are.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::program::{Outcome, synth2real};
use tests::promised;

/// Loads completions, has the last of the words after them completed as Bash does, and prints the answers.
const ASK: &str = r#"
source "$1" && shift || exit 8
complete -p synth2real | grep -q -- '-F _synth2real' || exit 9
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_synth2real "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Returns what Bash completes the last of some words to, sorted.
fn completed(words: &[&str]) -> Vec<String> {
    let script = Outcome::of(synth2real().args(["completions", "bash"])).exits(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("synth2real.bash");
    fs::write(&file, script.stdout).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-c", ASK, "ask"])
        .arg(file);
    let outcome = Outcome::of(bash.args(words)).exits(0);
    assert_eq!(outcome.stderr, "", "{outcome}");
    let mut answers: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
    answers.sort();
    answers
}

#[test]
fn bash_completes_commands_and_their_options() {
    assert_eq!(
        completed(&["synth2real", "re"]),
        ["reference-stats", "report", "resume"]
    );
    assert_eq!(completed(&["synth2real", "status", "--w"]), ["--watch"]);
    let options = completed(&["synth2real", "doctor", "--"]);
    for option in ["--broker", "--json", "--root"] {
        assert!(options.iter().any(|there| there == option), "{options:?}");
    }
}

#[test]
fn completions_are_for_three_shells_and_no_other() {
    for (shell, words) in [
        ("zsh", "#compdef synth2real"),
        ("fish", "complete -c synth2real"),
    ] {
        let script = Outcome::of(synth2real().args(["completions", shell])).exits(0);
        assert!(script.stdout.contains(words), "{shell}: {script}");
    }
    let _ = Outcome::of(synth2real().args(["completions", "csh"])).exits(2);
}

/// How a page of the manual is looked at.
type Page = fn(&Path) -> Command;

/// A program that complains about mistakes in a page.
fn checker() -> Option<Page> {
    let is_there = |program: &str| {
        let asked = Command::new(program).arg("--version").output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let known: [(&str, Page); 2] = [("man", by_man), ("groff", by_groff)];
    let mut there = known.into_iter().filter(|(program, _)| is_there(program));
    there.next().map(|(_, check)| check)
}

fn by_man(page: &Path) -> Command {
    let mut man = Command::new("man");
    man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"])
        .arg(page);
    man.env("LC_ALL", "C.UTF-8")
        .env("MANROFFSEQ", "")
        .env("MANWIDTH", "80");
    man
}

fn by_groff(page: &Path) -> Command {
    let mut groff = Command::new("groff");
    groff
        .args(["-ww", "-man", "-Kutf8", "-Tutf8", "-z"])
        .arg(page);
    groff
}

#[test]
fn every_command_has_a_page_of_the_manual_without_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man/man1");
    let outcome = Outcome::of(synth2real().args(["man", "--out"]).arg(&out)).exits(0);
    let mut pages: Vec<_> = fs::read_dir(&out)
        .unwrap()
        .map(|page| page.unwrap().path())
        .collect();
    pages.sort();
    let told = format!("{} pages in ", pages.len());
    assert!(outcome.stdout.starts_with(&told), "{outcome}");
    for name in [
        "synth2real.1",
        "synth2real-run.1",
        "synth2real-doctor.1",
        "worker.1",
    ] {
        assert!(pages.iter().any(|page| page.ends_with(name)), "no {name}");
    }
    // Made again, they are the same.
    let before: Vec<_> = pages.iter().map(|page| fs::read(page).unwrap()).collect();
    let _ = Outcome::of(synth2real().args(["man", "--out"]).arg(&out)).exits(0);
    let after: Vec<_> = pages.iter().map(|page| fs::read(page).unwrap()).collect();
    assert_eq!(before, after);

    let how = "apt-get install man-db, or groff";
    let Some(checked) = promised::or_left_out("a program that reads pages", how, checker()) else {
        return;
    };
    for page in pages {
        let outcome = Outcome::of(&mut checked(&page)).exits(0);
        assert_eq!(outcome.stderr, "", "{}", page.display());
    }
}

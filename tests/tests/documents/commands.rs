//! Commands as documents show them, and what they are compared with: the programs' own help, the Makefile, and the sources
//! of what cannot be asked everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use tests::program::{self, Outcome};
use tests::repository;

use crate::markdown::Document;

/// Where a suite may be, by the option of cargo that names it.
const SUITES: [(&str, &[&str]); 2] = [
    (
        "--test",
        &[
            "shared/tests",
            "tests/corpus/tests",
            "tests/tests",
            "worker/engine/tests",
            "worker/imaging/tests",
            "worker/method/tests",
            "worker/tests",
        ],
    ),
    ("--bench", &["tests/benches", "worker/benches"]),
];

/// A command: program and arguments.
pub(crate) struct Shown {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

/// Returns the commands in a document's shell blocks and in backticks.
pub(crate) fn commands(document: &Document) -> Vec<Shown> {
    let blocks = document.blocks("sh").map(|body| body.replace("\\\n", " "));
    let lines: Vec<String> = blocks.chain(document.code()).collect();
    let lines = lines.iter().flat_map(|lines| lines.lines());
    lines.flat_map(commands_of_line).collect()
}

fn commands_of_line(line: &str) -> Vec<Shown> {
    let words = line.split_whitespace();
    let words: Vec<&str> = words.take_while(|word| !word.starts_with('#')).collect();
    let commands = words.split(|word| ["&&", "||", "|", ";"].contains(word));
    commands.filter_map(command).collect()
}

fn command(words: &[&str]) -> Option<Shown> {
    let is_before = |word: &&&str| word.contains('=') || word.ends_with("with-servers.sh");
    let mut words = words.iter().skip_while(is_before);
    let program = words.next()?.rsplit('/').next()?;
    let optional = |word: &&str| word.trim_matches(['[', ']', ';', '.', ',']).to_owned();
    Some(Shown {
        program: program.to_owned(),
        arguments: words.map(optional).collect(),
    })
}

impl Shown {
    /// Returns the options that it gives, without their values.
    fn options(&self) -> impl Iterator<Item = &str> {
        let options = self.arguments.iter().filter(|word| word.starts_with("--"));
        options.map(|word| word.split('=').next().unwrap_or(word))
    }

    /// Returns what follows an option, unless it stands for something.
    fn value_of(&self, option: &str) -> Option<&str> {
        let mut words = self.arguments.iter().skip_while(|word| *word != option);
        words
            .nth(1)
            .map(String::as_str)
            .filter(|name| is_name(name))
    }
}

/// Returns whether a word is itself: `NAME` stands for something.
fn is_name(word: &str) -> bool {
    let of_names = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter)
    };
    word.starts_with(|letter: char| letter.is_ascii_lowercase()) && word.chars().all(of_names)
}

/// What commands are compared with.
#[derive(Default)]
pub(crate) struct Known {
    /// The words in the help of a program, or of a command of it.
    help: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// Returns what is wrong with a command; nothing of what is none of ours.
    pub(crate) fn mistake(&mut self, shown: &Shown) -> Option<String> {
        match shown.program.as_str() {
            "synth2real" => {
                let verb = shown.arguments.first().filter(|word| is_name(word));
                let words: Vec<&str> = verb.into_iter().map(String::as_str).collect();
                self.unknown_to_help(shown, &words)
            }
            "worker" => self.unknown_to_help(shown, &[]),
            "make" => unknown_target(shown),
            "python" => unknown_to_python(shown),
            "cargo" => unknown_suite(shown),
            _ => None,
        }
    }

    fn unknown_to_help(&mut self, shown: &Shown, command: &[&str]) -> Option<String> {
        let mut name = shown.program.clone();
        for word in command {
            name.push(' ');
            name.push_str(word);
        }
        let help = self.help.entry(name.clone()).or_insert_with(|| {
            let mut help = match shown.program.as_str() {
                "synth2real" => program::synth2real(),
                other => Command::new(program::path_of(other)),
            };
            let outcome = Outcome::of(help.args(command).arg("--help")).exits(0);
            let between = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
            outcome.stdout.split(between).map(str::to_owned).collect()
        });
        let option = shown.options().find(|option| !help.contains(*option))?;
        Some(format!("{name} has no {option}"))
    }
}

fn unknown_target(shown: &Shown) -> Option<String> {
    let makefile = fs::read_to_string(repository("Makefile")).unwrap();
    let lines = makefile.lines();
    let rules = lines.filter(|line| line.starts_with(|letter: char| letter.is_ascii_lowercase()));
    let rules = rules.filter_map(|line| line.split_once(':'));
    let targets: BTreeSet<&str> = rules.flat_map(|(names, _)| names.split(' ')).collect();
    let words = shown.arguments.iter().map(String::as_str);
    let mut wanted = words.filter(|word| is_name(word));
    let unknown = wanted.find(|word| !targets.contains(word))?;
    Some(format!("the Makefile has no target {unknown}"))
}

fn unknown_to_python(shown: &Shown) -> Option<String> {
    let module = shown.value_of("-m")?;
    let package = module.split('.').next()?;
    if !["baseline", "demo", "downstream", "onnx_export"].contains(&package) {
        return None;
    }
    let folder = repository("onnx-export").join(module.replace('.', "/"));
    let files = [
        folder.join("cli.py"),
        folder.join("__main__.py"),
        folder.with_extension("py"),
    ];
    let Some(source) = files.iter().find_map(|file| fs::read_to_string(file).ok()) else {
        return Some(format!("there is no module {module} to run"));
    };
    let is_unknown =
        |option: &&str| *option != "--help" && !source.contains(&format!("\"{option}\""));
    let option = shown.options().find(is_unknown)?;
    Some(format!("{module} has no {option}"))
}

fn unknown_suite(shown: &Shown) -> Option<String> {
    for (option, folders) in SUITES {
        let Some(name) = shown.value_of(option) else {
            continue;
        };
        let files = [format!("{name}.rs"), format!("{name}/main.rs")];
        let mut places = folders
            .iter()
            .flat_map(|folder| files.iter().map(move |file| format!("{folder}/{file}")));
        if !places.any(|place| repository(&place).is_file()) {
            return Some(format!("there is no suite {name} for {option}"));
        }
    }
    let package = shown.value_of("--package")?;
    let manifests = [
        format!("{package}/Cargo.toml"),
        format!("tests/{package}/Cargo.toml"),
        format!("worker/{package}/Cargo.toml"),
    ];
    let is_there = manifests.iter().any(|path| repository(path).is_file());
    (!is_there).then(|| format!("there is no package {package}"))
}

#[test]
fn a_mistake_in_a_command_is_found() {
    let mut known = Known::default();
    for (line, expected) in [
        ("make demo test", None),
        ("make FUZZ_SECONDS=60 fuzz  # a minute", None),
        ("make it", Some("no target it")),
        ("target/release/synth2real run gta5.toml --dashboard", None),
        ("synth2real status RUN --wait", Some("status has no --wait")),
        (
            "A=b worker --settings FILE",
            Some("worker has no --settings"),
        ),
        ("python -m onnx_export CHECKPOINT --out DIR", None),
        (
            "python -m onnx_export.features --resizes 1",
            Some("no --resizes"),
        ),
        ("python -m demo.nowhere", Some("no module demo.nowhere")),
        ("infra/with-servers.sh cargo test --test queue NAME", None),
        (
            "cargo nextest run --package shared --test nowhere",
            Some("no suite nowhere"),
        ),
        ("cargo bench --bench speeds", Some("no suite speeds")),
        ("cargo test --package share", Some("no package share")),
        ("ls --nothing", None),
    ] {
        let mistakes: Vec<String> = commands_of_line(line)
            .iter()
            .filter_map(|shown| known.mistake(shown))
            .collect();
        match expected {
            Some(words) => assert!(mistakes.concat().contains(words), "{line}: {mistakes:?}"),
            None => assert!(mistakes.is_empty(), "{line}: {mistakes:?}"),
        }
    }
}

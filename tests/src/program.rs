//! The built `synth2real` and how it ended.

use std::fs::File;
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything that should happen soon, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Returns the path of the built `synth2real`.
///
/// # Panics
///
/// If it has not been built.
#[must_use]
pub fn path() -> PathBuf {
    path_of("synth2real")
}

/// Returns the path of a built program.
///
/// # Panics
///
/// If it has not been built.
#[must_use]
pub fn path_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let folder = test.ancestors().nth(2).expect("a test lies in deps/");
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is not there: run `cargo build --workspace` first",
        program.display()
    );
    program
}

/// Returns a command of the built program, with nothing from the environment that would change what it does.
#[must_use]
pub fn synth2real() -> Command {
    let mut command = Command::new(path());
    for variable in [
        "SYNTH2REAL_ROOT",
        "SYNTH2REAL_BROKER_URL",
        "SYNTH2REAL_DASHBOARD_TOKEN",
        "SYNTH2REAL_LISTEN",
        "SYNTH2REAL_VECTORS",
        "SYNTH2REAL_TRIAL",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Returns a pipe whose reader has gone.
///
/// # Panics
///
/// If there is no room for one.
#[must_use]
pub fn unread_pipe() -> PipeWriter {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output();
        output.expect("the program starts").into()
    }

    /// Returns itself if the exit code is `code`.
    ///
    /// # Panics
    ///
    /// With everything the program said, if the exit code is another one.
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        self
    }

    /// Returns the last word of a command that did not do its work: one line, beside logs and progress.
    ///
    /// # Panics
    ///
    /// If it said nothing, or more than one line that is no log.
    #[must_use]
    pub fn complaint(&self) -> &str {
        let is_log = |line: &&str| line.starts_with('{') && line.ends_with('}');
        // A slow machine has time to tell how far it is: `1 of 4 images`.
        let is_progress = |line: &&str| {
            let count = line.split_once(" of ").map(|(count, _)| count.trim());
            count.is_some_and(|count| count.parse::<usize>().is_ok())
        };
        let lines = self.stderr.lines();
        let lines: Vec<&str> = lines
            .filter(|line| !is_log(line) && !is_progress(line))
            .collect();
        match lines[..] {
            [line] if line.starts_with("synth2real: ") => line,
            _ => panic!("expected one line of complaint: {self}"),
        }
    }

    /// Returns itself if its complaint has all of `words`.
    ///
    /// # Panics
    ///
    /// If one is missing.
    pub fn complains_about(&self, words: &[&str]) {
        let complaint = self.complaint();
        for word in words {
            assert!(complaint.contains(word), "no {word:?} in: {complaint}");
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or("a signal".to_owned(), |c| c.to_string());
        write!(
            f,
            "ended with {code}\nstdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        )
    }
}

/// A program that runs beside the test; it is killed when the test lets go of it.
#[derive(Debug)]
pub struct Running(Option<Child>);

impl Running {
    /// Starts a command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(Some(command.spawn().expect("the program starts")))
    }

    /// Starts a command that says everything into a file, however much that is.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_into(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).expect("a writable file");
        let both = log.try_clone().expect("a second handle");
        let command = command.stdin(Stdio::null()).stdout(both).stderr(log);
        Self(Some(command.spawn().expect("the program starts")))
    }

    /// Starts a command that says everything where it is not read: into pipes whose readers have gone.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start_unheard(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null());
        let command = command.stdout(unread_pipe()).stderr(unread_pipe());
        Self(Some(command.spawn().expect("the program starts")))
    }

    /// Waits until `condition` holds; returns false if the program ended before.
    ///
    /// # Panics
    ///
    /// If neither happens for a very long time.
    pub fn wait_until(&mut self, condition: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        let child = self.0.as_mut().expect("the program runs");
        loop {
            if condition() {
                return true;
            }
            if child.try_wait().expect("a child can be asked").is_some() {
                return false;
            }
            assert!(started.elapsed() < PATIENCE, "nothing happens");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Returns the names of the program's threads; none once it has ended.
    ///
    /// # Panics
    ///
    /// If it has been waited for.
    #[must_use]
    pub fn threads(&self) -> Vec<String> {
        let child = self.0.as_ref().expect("the program runs");
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id()));
        let names = tasks.into_iter().flatten().flatten();
        names
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    /// Sends a signal such as `INT`.
    ///
    /// # Panics
    ///
    /// If there is no `kill` command.
    pub fn signal(&self, name: &str) {
        let child = self.0.as_ref().expect("the program runs");
        let status = Command::new("kill")
            .args([format!("-{name}"), child.id().to_string()])
            .status();
        assert!(status.expect("kill can be run").success());
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// If waiting fails.
    #[must_use]
    pub fn end(mut self) -> Outcome {
        let child = self.0.take().expect("the program runs");
        child.wait_with_output().expect("a child can end").into()
    }

    /// Kills the program with SIGKILL.
    pub fn kill(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

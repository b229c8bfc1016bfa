//! Output of programs on standard output and standard error: results, progress and logs.
//!
//! The standard library's printing macros panic where what they print cannot be written, so a lint forbids them. Here
//!
//! - [`print()`] and [`print_lines`] are for commands whose work is to print: they end as other tools do when their reader
//!   goes away;
//! - [`tell`] and [`note`] are for words beside the work, on standard output and standard error: they never fail, and
//!   they never wait for a reader. What is not read in time is lost, and counted in the log;
//! - [`LogWriter`] takes logs as [`note`] does.
//!
//! Names of files and words of others reach no terminal as they are: a line is [one line](one_line), and where several are
//! printed at once, of control characters only the ends of lines and tabs are written.
//!
//! A descriptor that was closed before the program began is `/dev/null`: the runtime opens that in its place, so that no
//! file of ours is taken for standard output.

mod background_writer;
mod plain;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use clap::Parser;
use tracing_subscriber::fmt::MakeWriter;

use self::background_writer::{BackgroundWriter, write_patiently};
use self::plain::{plain, plain_json};
use crate::failure::chain;
use crate::wording::one_line;

/// Longest wait at the end of a program for what was told to be written.
const FINISH_WITHIN: Duration = Duration::from_secs(3);

/// The exit code of a program that SIGPIPE ends, as shells tell it.
const READER_GONE: u8 = 141;
/// The exit code where something around the program cannot be used.
const ENVIRONMENT: u8 = 3;

static STANDARD_OUTPUT: OnceLock<Arc<BackgroundWriter>> = OnceLock::new();
static STANDARD_ERROR: OnceLock<Arc<BackgroundWriter>> = OnceLock::new();

/// Why what a command was asked for did not reach its reader.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// The reader went away, as `head` does once it has its lines.
    #[error("the reader of standard output went away")]
    ReaderGone,
    /// It cannot be written.
    #[error("cannot write to standard output")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for PrintError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            Self::Failed(error)
        }
    }
}

impl PrintError {
    /// Returns the exit code that it leads to: 141, as of a tool that SIGPIPE ends, or 3.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ReaderGone => READER_GONE,
            Self::Failed(_) => ENVIRONMENT,
        }
    }
}

/// Prints a line that a command was asked for.
///
/// # Errors
///
/// [`PrintError`], which ends such a command.
pub fn print(line: impl Display) -> Result<(), PrintError> {
    write_out(&ended(line))
}

/// Prints several lines that a command was asked for, each of which is one line already.
///
/// # Errors
///
/// [`PrintError`], which ends such a command.
pub fn print_lines(lines: impl Display) -> Result<(), PrintError> {
    write_out(&plain(&format!("{lines}\n")))
}

/// Returns one line with its end, whatever names it holds.
fn ended(line: impl Display) -> String {
    format!("{}\n", one_line(&line.to_string()))
}

/// Prints JSON that a command was asked for.
///
/// # Errors
///
/// [`PrintError`], which ends such a command.
pub fn print_json(json: &str) -> Result<(), PrintError> {
    write_out(&plain_json(&format!("{json}\n")))
}

fn write_out(text: &str) -> Result<(), PrintError> {
    let mut output = io::stdout().lock();
    write_patiently(&mut output, text.as_bytes())?;
    flush_patiently(&mut output)?;
    Ok(())
}

fn flush_patiently(output: &mut impl Write) -> io::Result<()> {
    loop {
        match output.flush() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                background_writer::wait_for_reader();
            }
            flushed => return flushed,
        }
    }
}

/// Tells a line on standard output beside the work; it may be lost.
pub fn tell(line: impl Display) {
    let writer = STANDARD_OUTPUT.get_or_init(|| BackgroundWriter::start(duplicate(&io::stdout())));
    writer.push(ended(line).as_bytes());
}

/// Tells a line on standard error beside the work; it may be lost.
pub fn note(line: impl Display) {
    draw(&ended(line));
}

/// Puts characters on standard error as they are, such as those that draw a progress bar; they may be lost.
pub fn draw(text: &str) {
    standard_error().push(text.as_bytes());
}

fn standard_error() -> &'static BackgroundWriter {
    STANDARD_ERROR.get_or_init(|| BackgroundWriter::start(duplicate(&io::stderr())))
}

/// Returns a stream as a file of its own, so that a write that waits for its reader holds no lock of the runtime's.
fn duplicate(stream: &impl AsFd) -> Option<File> {
    stream.as_fd().try_clone_to_owned().ok().map(File::from)
}

/// Waits until what was told is written, at most some seconds: the last thing that a program does.
pub fn finish() {
    let deadline = Instant::now() + FINISH_WITHIN;
    for writer in [&STANDARD_OUTPUT, &STANDARD_ERROR] {
        if let Some(writer) = writer.get() {
            writer.flush(deadline);
        }
    }
}

/// Logs, written as [`note`] writes.
#[derive(Debug, Clone, Copy)]
pub struct LogWriter {
    is_json: bool,
}

impl LogWriter {
    /// Returns a writer of logs as text, whose fields are without control characters already.
    #[must_use]
    pub fn of_text() -> Self {
        Self { is_json: false }
    }

    /// Returns a writer of logs as JSON, an event at once.
    #[must_use]
    pub fn of_json() -> Self {
        Self { is_json: true }
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match str::from_utf8(bytes) {
            Ok(json) if self.is_json => standard_error().push(plain_json(json).as_bytes()),
            Ok(_) | Err(_) => standard_error().push(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

/// Returns the program's arguments.
///
/// # Errors
///
/// The exit code to end with, after help, version or a complaint was printed.
pub fn arguments<T: Parser>() -> Result<T, ExitCode> {
    arguments_of(std::env::args_os())
}

fn arguments_of<T: Parser>(words: impl IntoIterator<Item = OsString>) -> Result<T, ExitCode> {
    let words: Vec<OsString> = words.into_iter().collect();
    let is_plain = |word: &OsString| matches!(plain(&word.to_string_lossy()), Cow::Borrowed(_));
    let are_plain = words.iter().all(is_plain);
    let error = match T::try_parse_from(words) {
        Ok(arguments) => return Ok(arguments),
        Err(error) => error,
    };
    let printed = if are_plain {
        error.print().and_then(|()| io::stdout().flush())
    } else {
        // It repeats the words.
        draw(&plain(&error.render().to_string()));
        finish();
        Ok(())
    };
    if error.use_stderr() {
        return Err(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)));
    }
    Err(match printed.map_err(PrintError::from) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    })
}

/// Tells on standard error why printing failed, unless the reader went away: other tools are quiet about that.
fn complain(error: &PrintError) {
    match error {
        PrintError::ReaderGone => {}
        PrintError::Failed(_) => {
            note(chain(error));
            finish();
        }
    }
}

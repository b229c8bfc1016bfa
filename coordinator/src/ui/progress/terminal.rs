//! The terminal that bars are drawn on: like every other word beside the work, a bar waits for no reader.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};
use shared::console;
use terminal_size::{Height, Width};

/// Drawings a second, at most.
const DRAWINGS_PER_SECOND: u8 = 20;
/// The size of a terminal that does not tell it, as (columns, rows).
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Returns whether bars can be drawn on standard error.
pub(super) fn is_there() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    io::stderr().is_terminal() && !is_dumb
}

/// Returns where bars are drawn: on standard error if that is a terminal, else nowhere.
pub(super) fn target() -> ProgressDrawTarget {
    if is_there() {
        let terminal = Box::new(Terminal::default());
        ProgressDrawTarget::term_like_with_hz(terminal, DRAWINGS_PER_SECOND)
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// Standard error as a terminal, with what was drawn since it was flushed last.
#[derive(Debug, Default)]
struct Terminal(Mutex<String>);

impl Terminal {
    fn put(&self, text: &str) -> io::Result<()> {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.push_str(text);
        Ok(())
    }

    /// Moves the cursor by a number of places; `direction` is the letter that terminals know it by.
    fn shift(&self, places: usize, direction: char) -> io::Result<()> {
        match places {
            0 => Ok(()),
            _ => self.put(&format!("\x1b[{places}{direction}")),
        }
    }
}

fn size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(USUAL_SIZE, |(Width(columns), Height(rows))| (columns, rows))
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.shift(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.shift(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.shift(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.shift(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(&format!("{text}\n"))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        console::draw(&drawn);
        drawn.clear();
        Ok(())
    }
}

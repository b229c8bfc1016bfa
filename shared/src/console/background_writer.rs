//! A stream that is written by its own thread, so that a slow reader blocks only that thread.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What may wait for a reader; beyond it, what is told is lost. A pipe holds 64 KiB more.
const WAITING_MAX_BYTES: usize = 8 << 20;
/// Between two tries to write to a stream that does not wait by itself.
const TRY_EVERY: Duration = Duration::from_millis(5);

/// A stream with a buffer that its own thread writes out.
#[derive(Debug, Default)]
pub(super) struct BackgroundWriter {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Whether some of it is being written.
    writing: bool,
    /// Lines that were lost since the last write.
    lost: u64,
}

impl BackgroundWriter {
    /// Starts the thread that writes to a stream; without a stream, or a thread, everything is lost.
    pub(super) fn start(stream: Option<impl Write + Send + 'static>) -> Arc<Self> {
        let writer = Arc::new(Self::default());
        if let Some(stream) = stream {
            let own = Arc::clone(&writer);
            let thread = std::thread::Builder::new().name("console".to_owned());
            drop(thread.spawn(move || own.write_to(stream)));
        }
        writer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands bytes to the thread, all or none of them.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() + bytes.len() > WAITING_MAX_BYTES {
            state.lost += 1;
        } else {
            state.waiting.extend_from_slice(bytes);
            self.changed.notify_all();
        }
    }

    fn write_to(&self, mut stream: impl Write) {
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
            }
            let bytes = std::mem::take(&mut state.waiting);
            let lost = std::mem::take(&mut state.lost);
            state.writing = true;
            drop(state);
            // What cannot be written is lost: it is no reason to stop working.
            let _ = write_patiently(&mut stream, &bytes);
            if lost > 0 {
                tracing::warn!(lost, "lines were lost here: they were not read in time");
            }
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits until everything is written, or the deadline.
    pub(super) fn flush(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_busy = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.changed.wait_timeout_while(self.lock(), left, is_busy));
    }
}

/// Writes all bytes, also to a stream that another program has set not to wait.
pub(super) fn write_patiently(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for_reader(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits a little for a reader.
pub(super) fn wait_for_reader() {
    std::thread::sleep(TRY_EVERY);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// A stream that writes a byte at a time, and between them says that it would have to wait.
    struct Hesitant(mpsc::Sender<u8>, bool);

    impl Write for Hesitant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.send(bytes[0]).map_err(io::Error::other)?;
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_told_is_written_whole_and_in_order_to_a_stream_that_does_not_wait() {
        let (sender, receiver) = mpsc::channel();
        let writer = BackgroundWriter::start(Some(Hesitant(sender, false)));
        writer.push(b"one\n");
        writer.push(b"two\n");
        writer.flush(soon());
        let written: Vec<u8> = receiver.try_iter().collect();
        assert_eq!(written, b"one\ntwo\n");
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_neither_time_nor_memory() {
        let (mut reader, writer) = io::pipe().unwrap();
        let writer = BackgroundWriter::start(Some(writer));
        let line = [b'.'; 1000];
        // A pipe and what may wait, filled several times over.
        for _ in 0..20_000 {
            writer.push(&line);
        }
        let state = writer.lock();
        assert!(state.lost > 0 && state.waiting.len() <= WAITING_MAX_BYTES);
        drop(state);
        writer.flush(Instant::now());
        // It moves again: what waits is written.
        std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        writer.flush(soon());
        assert!(writer.lock().waiting.is_empty());
    }

    #[test]
    fn a_reader_that_went_away_and_a_stream_that_is_not_there_cost_nothing() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let writer = BackgroundWriter::start(Some(writer));
        writer.push(b"unread\n");
        writer.flush(soon());
        assert!(writer.lock().waiting.is_empty());

        let writer = BackgroundWriter::start(None::<io::PipeWriter>);
        writer.push(b"unwritten\n");
        writer.flush(Instant::now());
    }
}

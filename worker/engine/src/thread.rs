//! The thread that owns the engine: other threads send it work and wait.

use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

use crate::EngineError;
use crate::conversion::Converter;

type Job = Box<dyn FnOnce(&mut Converter) + Send>;

/// The engine's thread has ended, which only a defect in it can cause.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the engine stopped unexpectedly; its message is in the log")]
pub struct EngineGone;

/// A handle to the engine, which lives on a thread of its own.
#[derive(Debug, Clone)]
pub struct EngineThread {
    jobs: mpsc::Sender<Job>,
}

impl EngineThread {
    /// Starts the thread and loads the engine on it.
    ///
    /// # Errors
    ///
    /// What `load` gives.
    ///
    /// # Panics
    ///
    /// If the operating system has no thread left at start-up.
    pub async fn start(
        load: impl FnOnce() -> Result<Converter, EngineError> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (loaded, answer) = oneshot::channel();
        thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || match load() {
                Ok(mut converter) => {
                    let _ = loaded.send(Ok(()));
                    while let Ok(job) = inbox.recv() {
                        job(&mut converter);
                    }
                }
                Err(error) => {
                    let _ = loaded.send(Err(error));
                }
            })
            .expect("the operating system starts a thread");
        match answer.await {
            Ok(Ok(())) => Ok(Self { jobs }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Gone(EngineGone)),
        }
    }

    /// Runs `work` on the engine's thread, after what was sent before.
    ///
    /// # Errors
    ///
    /// [`EngineGone`] if the thread has ended.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Converter) -> T + Send + 'static,
    ) -> Result<T, EngineGone> {
        let (done, answer) = oneshot::channel();
        let span = tracing::Span::current();
        let job: Job = Box::new(move |converter| {
            let _ = done.send(span.in_scope(|| work(converter)));
        });
        self.jobs.send(job).map_err(|_| EngineGone)?;
        answer.await.map_err(|_| EngineGone)
    }
}

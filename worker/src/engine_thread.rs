//! The one thread that owns the engine; everybody else sends it work and waits.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use shared::warning::ItemWarning;
use tokio::sync::oneshot;

use crate::attempt::{AttemptError, LoadedInput, Made, MadeOutput, Maker, Progress, Quarantine};
use crate::conversion::{Converter, Source};
use crate::dataset::encode_png;
use crate::engine::EngineError;
use crate::method::denoise::{Observer, StepRecord};

type Job = Box<dyn FnOnce(&mut Converter) + Send>;

/// The engine's thread has ended, which only a defect in it can cause.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the engine stopped unexpectedly; its message is in the log")]
pub struct EngineGone;

/// A handle to the engine.
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

#[async_trait]
impl Maker for EngineThread {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        let name = name.to_owned();
        Ok(self
            .call(move |converter| converter.has_style(&name))
            .await?)
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        progress: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        let work = move |converter: &mut Converter| -> Result<u64, EngineError> {
            let before = converter.evaluations();
            let noise = converter.style_noise(&style.name);
            let source = Source {
                name: &style.name,
                file: &style.file,
                prepared: &style.prepared,
                noise: &noise,
            };
            converter.record_style(&source, &mut Steps(progress.as_ref()))?;
            Ok(converter.evaluations() - before)
        };
        Ok(self.call(work).await??)
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<Made, AttemptError> {
        self.call(move |converter| {
            let styles: Vec<&str> = styles.iter().map(String::as_str).collect();
            convert(converter, &content, &styles, progress.as_ref())
        })
        .await?
    }

    async fn warnings(
        &self,
        content: Arc<LoadedInput>,
        style: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        let warnings = self.call(move |converter| {
            converter.warnings_of_unrecorded(&content.prepared, &style.file, &style.prepared)
        });
        Ok(warnings.await?)
    }
}

fn convert(
    converter: &mut Converter,
    content: &LoadedInput,
    styles: &[&str],
    progress: &dyn Progress,
) -> Result<Made, AttemptError> {
    let noise = converter.content_noise(&content.name);
    let source = Source {
        name: &content.name,
        file: &content.file,
        prepared: &content.prepared,
        noise: &noise,
    };
    let converted = converter.convert(&source, styles, &mut Steps(progress))?;
    tracing::debug!(
        content = content.name,
        outputs = styles.len(),
        evaluations = converted.evaluations,
        in_unet_ms = milliseconds(converted.in_unet),
        in_attention_ms = milliseconds(converted.in_attention),
        "converted content"
    );
    let started = Instant::now();
    let mut outputs = Vec::with_capacity(styles.len());
    for (image, style) in converted.images.into_iter().zip(styles) {
        outputs.push(match image {
            Ok(image) => Ok(MadeOutput {
                png: encode_png(image.view()).map_err(AttemptError::Encode)?,
                warnings: converter.warnings(&content.prepared, style),
            }),
            Err(error) => Err(Quarantine::of(&error, error.class())),
        });
    }
    Ok(Made {
        outputs,
        evaluations: converted.evaluations,
        encode: converted.encode,
        denoise: converted.denoise,
        decode: converted.decode + started.elapsed(),
    })
}

fn milliseconds(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}

/// Passes steps on to progress.
struct Steps<'a>(&'a dyn Progress);

impl Observer for Steps<'_> {
    fn step(&mut self, _: &StepRecord<'_>) {
        self.0.output_step();
    }

    fn style_step(&mut self) {
        self.0.style_step();
    }
}

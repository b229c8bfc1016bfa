//! The translator as an attempt uses it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use engine::InputSize;
use engine::translator::{Translator, TranslatorContent, TranslatorStyle};
use imaging::{encode_png, tones};
use ndarray::Array3;
use shared::blocking;
use shared::failure::FailureClass;
use shared::network::TRANSLATOR_FILE;
use shared::run_record::RunRecord;
use shared::settings::EngineConfig;
use shared::warning::ItemWarning;

use super::RunContextError;
use super::networks::Wanted;
use super::recorded_styles::{RecordedStyle, RecordedStyles};
use crate::attempt::{
    AttemptError, ConversionBackend, ConvertedBatch, ConvertedOutput, LoadedInput, Progress,
    Quarantine,
};

/// Loads the translator of a run, and proves that it is the one that the run was planned with.
///
/// # Errors
///
/// [`RunContextError`] if it cannot be reached, cannot be used, or is another one.
pub(super) async fn load(
    run: &RunRecord,
    config: &EngineConfig,
) -> Result<Translator, RunContextError> {
    let planned = &run.frozen.model;
    let wanted = Wanted {
        at: run.inputs.model.as_ref(),
        planned: planned.sha256.as_deref(),
        file: TRANSLATOR_FILE,
        load: |folder, _, config, _| Translator::load(folder, config),
        contract: |translator: &Translator| &translator.contract,
    };
    let size = InputSize {
        width: planned.width,
        height: planned.height,
    };
    let translator = wanted.open(config, size).await?;
    translator.ok_or(RunContextError::NoModel)
}

/// A translator as the backend of conversions: one item at a time, away from the threads that wait for the network.
pub(super) struct TranslatorBackend {
    translator: Arc<Mutex<Translator>>,
    seed: u64,
    takes_style: bool,
    /// Their photographs, if the translator takes them.
    styles: RecordedStyles<Option<Array3<u8>>>,
}

impl TranslatorBackend {
    /// Returns a backend that keeps so many styles, of which no shard has more.
    pub(super) fn new(translator: Translator, seed: u64, max_styles: usize) -> Self {
        Self {
            takes_style: translator.takes_style(),
            translator: Arc::new(Mutex::new(translator)),
            seed,
            styles: RecordedStyles::new(max_styles),
        }
    }

    /// Returns what is said of a style that lends its colours; nothing where it lends none.
    async fn warning(&self, style: LoadedInput) -> (LoadedInput, Option<ItemWarning>) {
        if !self.takes_style {
            return (style, None);
        }
        blocking::run(move || {
            let warning = tones::style_warning(&style.file, style.prepared.image.view());
            (style, warning)
        })
        .await
    }
}

#[async_trait]
impl ConversionBackend for TranslatorBackend {
    async fn has_style(&self, name: &str) -> Result<bool, AttemptError> {
        Ok(self.styles.has(name))
    }

    async fn record_style(
        &self,
        style: LoadedInput,
        _progress: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        let (style, warning) = self.warning(style).await;
        self.styles.keep(RecordedStyle {
            name: style.name,
            lent: self.takes_style.then_some(style.prepared.image),
            warning,
        });
        Ok(0)
    }

    async fn convert(
        &self,
        content: Arc<LoadedInput>,
        styles: Vec<String>,
        progress: Arc<dyn Progress>,
    ) -> Result<ConvertedBatch, AttemptError> {
        let recorded = self.styles.of(&styles);
        let (translator, seed) = (Arc::clone(&self.translator), self.seed);
        let span = tracing::Span::current();
        blocking::run(move || {
            let _in_span = span.entered();
            // It is only read from: what panicked before has changed nothing.
            let mut translator = translator.lock().unwrap_or_else(PoisonError::into_inner);
            let pass = Pass {
                translator: &mut translator,
                content: &content,
                seed,
                translating: Duration::ZERO,
                encoding: Duration::ZERO,
            };
            pass.convert(&recorded, progress.as_ref())
        })
        .await
    }

    async fn warnings(
        &self,
        _content: Arc<LoadedInput>,
        style: LoadedInput,
    ) -> Result<Vec<ItemWarning>, AttemptError> {
        let (_, warning) = self.warning(style).await;
        Ok(warning.into_iter().collect())
    }
}

/// The outputs of a content as they are made.
struct Pass<'a> {
    translator: &'a mut Translator,
    content: &'a LoadedInput,
    seed: u64,
    translating: Duration,
    encoding: Duration,
}

impl Pass<'_> {
    /// Converts the content into each style; once for all, if its outputs do not differ from style to style.
    fn convert(
        mut self,
        styles: &[Arc<RecordedStyle<Option<Array3<u8>>>>],
        progress: &dyn Progress,
    ) -> Result<ConvertedBatch, AttemptError> {
        let started = Instant::now();
        let mut content = self
            .translator
            .content(&self.content.name, &self.content.prepared)?;
        let encode = started.elapsed();
        let num_made = if self.translator.differs_by_style() {
            styles.len()
        } else {
            styles.len().min(1)
        };
        let mut made = Vec::with_capacity(num_made);
        for style in &styles[..num_made] {
            made.push(self.translate(&mut content, style)?);
            progress.output_step();
        }
        (num_made..styles.len()).for_each(|_| progress.output_step());
        let outputs = styles.iter().zip(made.iter().cycle());
        let outputs = outputs.map(|(style, png)| {
            png.clone().map(|png| ConvertedOutput {
                png,
                warnings: style.warning.clone().into_iter().collect(),
            })
        });
        Ok(ConvertedBatch {
            outputs: outputs.collect(),
            evaluations: 0,
            encode,
            denoise: self.translating,
            in_unet: Duration::ZERO,
            in_content: Duration::ZERO,
            decode: self.encoding,
        })
    }

    /// Returns the file of an output, or why it is no image.
    fn translate(
        &mut self,
        content: &mut TranslatorContent,
        style: &RecordedStyle<Option<Array3<u8>>>,
    ) -> Result<Result<Vec<u8>, Quarantine>, AttemptError> {
        let started = Instant::now();
        let noise = self
            .translator
            .noise(self.seed, &self.content.name, &style.name);
        let taken = TranslatorStyle {
            name: &style.name,
            image: style.lent.as_ref().map(|image| image.view()),
            noise: noise.as_ref().map(|noise| noise.view()),
        };
        let image = self.translator.translate(content, taken);
        let translated = Instant::now();
        self.translating += translated - started;
        match image {
            Ok(image) => {
                let png = encode_png(image.view()).map_err(AttemptError::Encode)?;
                self.encoding += translated.elapsed();
                Ok(Ok(png))
            }
            Err(error) if error.class() == FailureClass::BadOutput => {
                Ok(Err(Quarantine::of(&error, error.class())))
            }
            Err(error) => Err(error.into()),
        }
    }
}

//! Evaluation of outputs, each by itself against its content: similarity, perceptual distance, features, agreement with the
//! label.
//!
//! Figures of pixels and tones are those of [`imaging`]; `labels`: what a segmenter says of labels; [`Networks::evaluate`]
//! gives all of it for one output; [`QualityEvaluator`] does that on a thread that may be busy.
//!
//! What several outputs are like together (FID, KID) is made from this by the coordinator.

mod labels;

use std::sync::{Arc, Mutex, PoisonError};

pub use labels::{LabelEvaluator, PredictionPictures};

use shared::failure::FailureClass;
use shared::item_metric::PerMetric;
use shared::manifest::Quality;
use shared::warning::{ItemWarning, WarningKind};

use engine::EngineError;
use engine::feature_extractor::FeatureExtractor;
use engine::perceptual_network::PerceptualNetwork;
use imaging::tones;
use imaging::{FigureError, InputError, NamedBytes, Prepared, decode_image, figures_of_pixels};
use shared::dataset::classes::NUM_CLASSES;

/// Why an output cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// It is no image.
    #[error(transparent)]
    Output(#[from] InputError),
    /// It is not of its content's size.
    #[error(transparent)]
    Pixels(#[from] FigureError),
    /// What was predicted for it cannot be encoded.
    #[error("a prediction cannot be encoded")]
    Prediction(#[source] InputError),
    /// A network failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl EvaluationError {
    /// Returns what the failure leads to.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            // It concerns one image: its shard fails, counted, and the others go on.
            Self::Output(_) | Self::Pixels(_) => FailureClass::Transient,
            Self::Prediction(_) => FailureClass::Unworkable,
            Self::Engine(error) => error.class(),
        }
    }
}

/// What the evaluation of an output gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Its figures.
    pub quality: Quality,
    /// What a segmenter predicted for it and its content, if it is doubtful.
    pub predictions: Option<PredictionPictures>,
    /// What a person should know about it and its content.
    pub warnings: Vec<ItemWarning>,
}

/// The networks of a run. Figures of pixels need none.
#[derive(Default)]
pub struct Networks {
    /// Whose features FID and KID compare.
    pub extractor: Option<FeatureExtractor>,
    /// Those that give metrics.
    pub perceptual: PerMetric<Option<PerceptualNetwork>>,
    /// What tells whether labels are still true.
    pub labels: Option<LabelEvaluator>,
}

/// Evaluates outputs one at a time, away from the threads that wait for the network.
#[derive(Clone, Default)]
pub struct QualityEvaluator {
    networks: Arc<Mutex<Networks>>,
}

impl QualityEvaluator {
    /// Returns an evaluator with these networks.
    #[must_use]
    pub fn new(networks: Networks) -> Self {
        Self {
            networks: Arc::new(Mutex::new(networks)),
        }
    }

    /// Runs `work` with the networks on a thread that may be busy, after what runs there now.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Networks) -> T + Send + 'static,
    ) -> T {
        let (networks, span) = (Arc::clone(&self.networks), tracing::Span::current());
        shared::blocking::run(move || {
            let _in_span = span.entered();
            // A network that panicked holds nothing that a later call could see half-made.
            work(&mut networks.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
    }
}

/// An output to be evaluated.
#[derive(Clone, Copy)]
pub struct OutputImage<'a> {
    /// The name of its content.
    pub content_name: &'a str,
    /// Its content.
    pub content: &'a Prepared,
    /// The PNG file, as it is stored.
    pub png: &'a [u8],
}

impl Networks {
    /// Returns the evaluation of an output. A network that gives no numbers for it leaves its figure out, with a warning: that
    /// says nothing against the image.
    ///
    /// # Errors
    ///
    /// [`EvaluationError`] if the file is no image of its content's size, or a network fails.
    pub fn evaluate(&mut self, output: OutputImage<'_>) -> Result<Evaluation, EvaluationError> {
        let content = output.content;
        let before = content.image.view();
        let after = decode_image(NamedBytes {
            name: "the output",
            bytes: output.png,
        })?;
        // It says so of an output of another size, which networks were not loaded for.
        let mut figures = figures_of_pixels(before, after.view())?;
        let mut warnings = tones::warnings(output.content_name, before, after.view());
        let features = match &mut self.extractor {
            Some(extractor) => figure(extractor.features(after.view()), &mut warnings)?,
            None => None,
        };
        for (metric, network) in self.perceptual.iter_mut() {
            if let Some(network) = network {
                let distance = network.distance(before, after.view());
                figures[metric] = figure(distance, &mut warnings)?;
            }
        }
        let mut shown = [false; NUM_CLASSES];
        for &train_id in &content.label {
            if let Some(shown) = shown.get_mut(usize::from(train_id)) {
                *shown = true;
            }
        }
        let mut quality = Quality {
            figures,
            train_ids: (0..)
                .zip(shown)
                .filter(|(_, shown)| *shown)
                .map(|(id, _)| id)
                .collect(),
            features,
            ..Quality::default()
        };
        let predictions = match &mut self.labels {
            Some(labels) => labels.evaluate(content, after.view(), &mut quality, &mut warnings)?,
            None => None,
        };
        Ok(Evaluation {
            quality,
            predictions,
            warnings,
        })
    }
}

/// Returns what a network gives, or a warning in its place if that is no figure.
fn figure<T>(
    given: Result<T, EngineError>,
    warnings: &mut Vec<ItemWarning>,
) -> Result<Option<T>, EngineError> {
    match given {
        Ok(figure) => Ok(Some(figure)),
        Err(error @ EngineError::NotJudged { .. }) => {
            warnings.push(ItemWarning {
                kind: WarningKind::NotEvaluated,
                text: error.to_string(),
            });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

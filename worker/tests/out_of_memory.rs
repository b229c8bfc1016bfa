//! An engine that runs out of memory makes fewer outputs at once.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ndarray::{Array2, Array3};
use shared::failure::FailureClass;
use shared::ids::ShardId;
use shared::listing::{LabelKind, Listed, Listing};
use shared::manifest::Quality;
use shared::storage::MemoryStorage;
use shared::task::ShardTask;
use worker::attempt::{
    Attempt, AttemptError, InputKind, Inputs, Judge, LoadedInput, Made, Maker, OutputsAtOnce,
    Progress, Provenance, ShardOutcome, Tools, Unusable,
};
use worker::dataset::{ImageSize, Prepared, encode_png};
use worker::engine::EngineError;
use worker::quality::QualityError;

const SIZE: ImageSize = ImageSize {
    width: 8,
    height: 4,
    latent_width: 1,
    latent_height: 1,
};

/// An engine whose memory is enough for some outputs, and which notes how many it was asked for.
struct Small {
    fits: usize,
    asked: Mutex<Vec<usize>>,
}

struct Handle(Arc<Small>);

#[async_trait]
impl Inputs for Handle {
    async fn load(&self, _: InputKind, listing: &Listing) -> Result<LoadedInput, Unusable> {
        let prepared = Prepared {
            image: Array3::zeros((1, 1, 3)),
            label: Array2::zeros((1, 1)),
            label_latent: Array2::zeros((1, 1)),
            stored_label: listing.name().as_bytes().to_vec(),
            warnings: Vec::new(),
        };
        Ok(LoadedInput {
            image_sha256: String::new(),
            name: listing.name().to_owned(),
            prepared,
            elapsed: Duration::ZERO,
        })
    }
}

#[async_trait]
impl Maker for Handle {
    async fn has_style(&self, _: &str) -> Result<bool, AttemptError> {
        Ok(true)
    }

    async fn record_style(
        &self,
        _: LoadedInput,
        _: Arc<dyn Progress>,
    ) -> Result<u64, AttemptError> {
        Ok(1)
    }

    async fn convert(
        &self,
        _: Arc<LoadedInput>,
        styles: Vec<String>,
        _: Arc<dyn Progress>,
    ) -> Result<Made, AttemptError> {
        self.0.asked.lock().unwrap().push(styles.len());
        if styles.len() > self.0.fits {
            return Err(AttemptError::Engine(EngineError::Run {
                part: "segment_0.onnx".to_owned(),
                source: ort::Error::new("Failed to allocate memory for requested buffer of size 1"),
            }));
        }
        let image = Array3::zeros((SIZE.height, SIZE.width, 3));
        Ok(Made {
            pngs: vec![encode_png(image.view()).unwrap(); styles.len()],
            warnings: vec![None; styles.len()],
            evaluations: 1,
            encode: Duration::ZERO,
            denoise: Duration::ZERO,
            decode: Duration::ZERO,
        })
    }

    async fn warning(
        &self,
        _: Arc<LoadedInput>,
        _: LoadedInput,
    ) -> Result<Option<String>, AttemptError> {
        Ok(None)
    }
}

#[async_trait]
impl Judge for Handle {
    async fn judge(&self, _: Arc<LoadedInput>, _: Bytes) -> Result<Quality, QualityError> {
        Ok(Quality {
            ssim: 1.0,
            lpips: None,
            train_ids: Vec::new(),
            features: None,
        })
    }
}

fn listings(prefix: &str, num: usize) -> Vec<Listing> {
    let listing = |number| {
        Listing::Pair(Listed {
            name: format!("{prefix}{number}"),
            image: PathBuf::new(),
            label: PathBuf::new(),
            label_kind: LabelKind::TrainIds,
        })
    };
    (0..num).map(listing).collect()
}

/// Makes a shard of two contents and five styles; returns how it ended and what the engine was asked for.
async fn made(fits: usize) -> (Result<usize, FailureClass>, Vec<usize>) {
    let engine = Arc::new(Small {
        fits,
        asked: Mutex::default(),
    });
    let handle = || Handle(Arc::clone(&engine));
    let tools = Tools {
        inputs: Arc::new(handle()),
        maker: Arc::new(handle()),
        judge: Arc::new(handle()),
        size: SIZE,
        outputs_at_once: OutputsAtOnce::default(),
    };
    let task = ShardTask {
        run: "small".parse().unwrap(),
        shard: ShardId(0),
        first_attempt: 1,
        repair: false,
        contents: listings("content", 2),
        styles: listings("style", 5),
        traceparent: None,
    };
    let provenance = Provenance {
        worker: "w".to_owned(),
        device: "cuda:0".to_owned(),
        seed: 1,
        config_hash: String::new(),
        model_sha256: String::new(),
    };
    let attempt = Attempt {
        task: &task,
        number: 1,
        storage: &MemoryStorage::new(),
        tools: &tools,
        provenance: &provenance,
        progress: Arc::new(()),
        stop: &AtomicBool::new(false),
    };
    let ended = match attempt.make().await {
        Ok(ShardOutcome::Committed(rows)) => Ok(rows.len()),
        Ok(ShardOutcome::Stopped) => Ok(0),
        Err(error) => Err(error.class()),
    };
    let asked = engine.asked.lock().unwrap().clone();
    (ended, asked)
}

#[tokio::test]
async fn what_did_not_fit_at_once_is_made_in_parts_and_not_tried_at_once_again() {
    let (ended, asked) = made(2).await;
    assert_eq!(ended, Ok(10));
    assert_eq!(asked, [5, 2, 2, 1, 2, 2, 1]);
}

#[tokio::test]
async fn a_single_output_that_does_not_fit_is_a_failure() {
    let (ended, asked) = made(0).await;
    assert_eq!(ended, Err(FailureClass::Resources));
    assert_eq!(asked, [5, 2, 1]);
}

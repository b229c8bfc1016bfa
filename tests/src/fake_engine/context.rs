//! Contexts of runs with the fake engine, and inputs that are as their names say.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use imaging::Prepared;
use ndarray::{Array2, Array3};
use shared::dataset::entry::DatasetEntry;
use shared::decision::ChangedInputs;
use shared::digest;
use shared::failure::FailureClass;
use shared::model::ImageSize;
use shared::platform::Platform;
use shared::run_record::RunRecord;
use worker::attempt::{InputKind, Inputs, LoadedInput, Quarantine, RunContext, Unusable};
use worker::run_context::{RunContextError, RunContextProvider};

use super::names::{AWAY, BAD, GONE};
use super::pictures::{SIZE, label};
use super::{FakeEngine, FakeEngineHandle};

/// Gives every run a context with the same fake engine.
#[derive(Debug, Clone)]
pub struct FakeContextProvider(pub Arc<FakeEngine>);

#[async_trait]
impl RunContextProvider for FakeContextProvider {
    async fn load(&self, _: &RunRecord, _: &ChangedInputs) -> Result<RunContext, RunContextError> {
        Ok(RunContext {
            inputs: Arc::new(FakeEngineHandle(Arc::clone(&self.0))),
            backend: Arc::new(FakeEngineHandle(Arc::clone(&self.0))),
            evaluator: Arc::new(FakeEngineHandle(Arc::clone(&self.0))),
            class_maps: None,
            size: SIZE,
            platform: Platform::default(),
            trial: None,
        })
    }

    fn device(&self) -> String {
        "fake".to_owned()
    }
}

#[async_trait]
impl Inputs for FakeEngineHandle {
    async fn load(
        &self,
        _: InputKind,
        listing: &DatasetEntry,
        _: ImageSize,
    ) -> Result<LoadedInput, Unusable> {
        let name = listing.name().to_owned();
        if name.starts_with(AWAY) && self.0.away.load(Ordering::Relaxed) {
            return Err(Unusable::Away(format!("{name} is away")));
        }
        let class = match name.as_str() {
            name if name.starts_with(BAD) => Some((FailureClass::BadInput, "damaged")),
            name if name.starts_with(GONE) => Some((FailureClass::Missing, "gone")),
            _ => None,
        };
        if let Some((class, how)) = class
            && !self.0.mended.load(Ordering::Relaxed)
        {
            return Err(Unusable::Quarantine(Quarantine {
                class,
                reason: format!("{name} is {how}"),
            }));
        }
        let prepared = Prepared {
            image: Array3::zeros((1, 1, 3)),
            label: Array2::zeros((1, 1)),
            label_latent: Array2::zeros((1, 1)),
            stored_label: Some(label(&name)),
            warnings: Vec::new(),
        };
        Ok(LoadedInput {
            image_sha256: digest::sha256(name.as_bytes()),
            file: format!("{name}.png"),
            name,
            prepared,
            elapsed: Duration::ZERO,
        })
    }
}

//! Contracts of models and networks, and noise.

use std::io::Cursor;
use std::path::PathBuf;

use method::schedule::Schedule;
use ndarray::Array4;
use shared::model::ModelContract;
use shared::network::{NetworkContract, TRANSLATOR_FILE, TranslatorShapes};
use shared::npz::NpzFile;

use super::SIZE;
use super::outcome::{Outcome, outcome, refused};

/// Steps of the noise.
const STEPS: usize = 2;

pub(super) fn noise(bytes: &[u8]) -> Outcome {
    let values = STEPS * 4 * SIZE.latent_height * SIZE.latent_width;
    let mut npz = match NpzFile::open(Cursor::new(bytes), (8 * values + (1 << 16)) as u64) {
        Ok(npz) => npz,
        Err(error) => return refused(&error),
    };
    let content: Result<Array4<f32>, _> = npz.by_name("content");
    let style: Result<Array4<f32>, _> = npz.by_name("style");
    outcome(content.and(style))
}

pub(super) fn model(bytes: &[u8]) -> Outcome {
    let contract = ModelContract::from_json(bytes, PathBuf::from("model"));
    if let Ok(contract) = &contract {
        let _ = (contract.image_size(), contract.num_bytes());
        let schedule = Schedule::new(&engine::conversion::schedule_constants(contract), 50, 30);
        if let Err(error) = schedule {
            return refused(&error);
        }
    }
    outcome(contract)
}

pub(super) fn network(bytes: &[u8], file: &str) -> Outcome {
    outcome(NetworkContract::from_json(
        bytes,
        PathBuf::from("network").join(file),
    ))
}

pub(super) fn translator(bytes: &[u8]) -> Outcome {
    let path = PathBuf::from("network").join(TRANSLATOR_FILE);
    let contract = NetworkContract::from_json(bytes, path);
    outcome(contract.and_then(|contract| TranslatorShapes::of(&contract)))
}

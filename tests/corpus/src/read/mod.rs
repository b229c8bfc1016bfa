//! The readers of the programs, as rows of the table name them.
//!
//! - `reads`: their names
//! - `outcome`: what becomes of a file
//! - `pictures`, `contracts`, `settings`, `records`: how each kind is read

mod contracts;
mod outcome;
mod pictures;
mod reads;
mod records;
mod settings;

use bytes::Bytes;
use coordinator::output::quality::reference::ReferenceStatistics;
use shared::dataset::entry::LabelKind;
use shared::item_metric::ItemMetric;
use shared::manifest;
use shared::model::ImageSize;
use shared::network::{FEATURES_FILE, SEGMENTER_FILE};
use shared::queue::message::{ControlRequest, Event, ShardTask};
use shared::settings::{RunConfig, WorkerConfig};

use self::contracts::{model, network, noise, translator};
pub use self::outcome::Outcome;
use self::outcome::outcome;
use self::pictures::{label, pair};
pub use self::reads::Reads;
pub use self::records::run;
use self::records::{decision, failed_attempt, plan, run_record, tally};
use self::settings::{overrides, settings};
use crate::files::scene;
use crate::targets::Target;

/// The size of the model that pictures are prepared for: an eighth of it is the latent's.
pub const SIZE: ImageSize = ImageSize {
    width: 32,
    height: 16,
    latent_width: 4,
    latent_height: 2,
};

/// Reads bytes and returns what became of them.
#[must_use]
pub fn read(reads: Reads, bytes: &[u8]) -> Outcome {
    match reads {
        Reads::Photograph => pair(bytes, &scene::label_png(), LabelKind::PaletteIds),
        Reads::PaletteLabel => label(bytes, LabelKind::PaletteIds),
        Reads::IdLabel => label(bytes, LabelKind::LabelIds),
        Reads::TrainIdLabel => label(bytes, LabelKind::TrainIds),
        Reads::ColourLabel => label(bytes, LabelKind::Colour),
        Reads::SynthiaLabel => label(bytes, LabelKind::SynthiaIds),
        Reads::CarlaLabel => label(bytes, LabelKind::CarlaTags),
        Reads::Reference => outcome(ReferenceStatistics::read(bytes)),
        Reads::Noise => noise(bytes),
        Reads::Model => model(bytes),
        Reads::Features => network(bytes, FEATURES_FILE),
        Reads::Perceptual => {
            let lpips = ItemMetric::Lpips.network().unwrap();
            network(bytes, lpips.contract)
        }
        Reads::Segmenter => network(bytes, SEGMENTER_FILE),
        Reads::Translator => translator(bytes),
        Reads::RunRecord => run_record(bytes),
        Reads::Plan => plan(bytes),
        Reads::Decision => decision(bytes),
        Reads::Tally => tally(bytes),
        Reads::FailedAttempt => failed_attempt(bytes),
        Reads::RunSettings => settings(bytes, RunConfig::load),
        Reads::WorkerSettings => settings(bytes, WorkerConfig::load),
        Reads::Overrides => overrides(bytes),
        Reads::Task => outcome(ShardTask::from_payload(bytes)),
        Reads::Event => outcome(serde_json::from_slice::<Event>(bytes)),
        Reads::Request => outcome(serde_json::from_slice::<ControlRequest>(bytes)),
        Reads::Shard => outcome(manifest::read_with_features(Bytes::copy_from_slice(bytes))),
    }
}

/// Reads bytes as each record of a run that storage holds, and goes on with what comes out.
pub fn stored(bytes: &[u8]) {
    for reads in Reads::ALL {
        if reads.target() == Target::Records {
            drop(read(reads, bytes));
        }
    }
}

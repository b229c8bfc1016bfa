//! The contracts of networks that judge outputs, `features.json`, `perceptual.json` and `segmenter.json`, of one that tells
//! the classes of photographs, `prior.json`, and of one that converts, `translator.json`: each network is one graph, and
//! onnx-export writes all of them.
//!
//! - `patches`: what a network of priors takes and gives; `translator`: what a translator does

mod patches;
mod translator;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::dataset::classes::NUM_CLASSES;
use crate::digest;
use crate::item_metric::PerMetric;
use crate::item_metric::keyed::published;
use crate::location::Location;
use crate::model::sizes::{MAX_SIDE, Size, check_graph};
use crate::model::{
    CheckpointInfo, ContractError, GraphFile, OpenError, TensorContract, check_graph_files,
};
use crate::read_file::{self, max_bytes};
use crate::source;
use crate::wording::{one_line, shortened};

pub use patches::{PRIOR_FEATURES, PRIOR_IMAGE, PatchShapes};
pub use translator::{
    TRANSLATOR_OUTPUT, Translation, TranslatorInput, TranslatorShapes, UnknownPixels, ValueRange,
};

/// The contract's version that this program reads.
const FORMAT_VERSION: u32 = 1;
/// A network's features; FID takes the square of them in memory.
const MAX_FEATURES: usize = 16_384;
/// Classes that a segmenter tells apart.
const MAX_CLASSES: usize = 1024;
/// Bytes of a class's name that a message shows.
const MOST_NAME_BYTES: usize = 60;
/// The file of a feature extractor's contract.
pub const FEATURES_FILE: &str = "features.json";
/// The file of a segmenter's contract.
pub const SEGMENTER_FILE: &str = "segmenter.json";
/// The file of the contract of a network of priors.
pub const PRIOR_FILE: &str = "prior.json";
/// The file of a translator's contract.
pub const TRANSLATOR_FILE: &str = "translator.json";

/// An exported network.
#[derive(Debug, Clone)]
pub struct NetworkContract {
    /// The contract's file.
    pub path: PathBuf,
    /// SHA-256 of the contract, which names the digest of every other file.
    pub sha256: String,
    /// What the contract says.
    pub network: Network,
}

/// The contents of a contract.
#[derive(Debug, Clone, Deserialize)]
pub struct Network {
    /// Version of the format.
    pub format_version: u32,
    /// The program that wrote it.
    pub producer: String,
    /// The network's name.
    pub name: String,
    /// The checkpoint it was made from.
    pub source: CheckpointInfo,
    /// Whether FID of its features can be compared with published FID.
    #[serde(default)]
    pub published_fid: bool,
    /// Whether its figures can be compared with published ones of a metric.
    #[serde(flatten, deserialize_with = "published::deserialize")]
    pub published: PerMetric<bool>,
    /// To what size the graph resizes images; none if it takes them as they are.
    pub resize: Option<Resize>,
    /// Number of features of an image; none for networks that compare images.
    pub num_features: Option<usize>,
    /// The classes of a segmenter, in the order of its class indices; none for networks that are none.
    pub classes: Option<Vec<NetworkClass>>,
    /// How the graph itself scales the channels of images, for people; none if that is not said.
    pub normalisation: Option<Normalisation>,
    /// What the numbers of a translator mean; none for other networks.
    pub translation: Option<Translation>,
    /// The graph.
    #[serde(flatten)]
    pub graph: GraphFile,
}

/// A class that a segmenter tells apart.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkClass {
    /// Its name.
    pub name: String,
    /// The train id of the class that labels have for it; none if it is none of them.
    #[serde(deserialize_with = "Option::deserialize")]
    pub train_id: Option<u8>,
}

/// What a graph takes from the channels of images in 0..1, and divides them by.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// What is taken from each channel.
    pub mean: [f64; 3],
    /// What each is divided by.
    pub std: [f64; 3],
}

/// How a graph resizes images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The filter's name.
    pub filter: String,
}

impl std::fmt::Display for Resize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.filter)
    }
}

impl Network {
    /// Returns whether the figures of a network whose contract is the file `contract` can be compared with published ones.
    #[must_use]
    pub fn is_published(&self, contract: &str) -> bool {
        if contract == FEATURES_FILE {
            return self.published_fid;
        }
        self.published.iter().any(|(metric, &is_published)| {
            let network = metric.network();
            is_published && network.is_some_and(|network| network.contract == contract)
        })
    }
}

impl Network {
    /// Returns which size is out of its bounds, if one is.
    pub(crate) fn check_sizes(&self) -> Result<(), String> {
        let resize = self.resize.as_ref();
        let sizes = [
            ("num_features", self.num_features, MAX_FEATURES),
            ("resize.width", resize.map(|to| to.width), MAX_SIDE),
            ("resize.height", resize.map(|to| to.height), MAX_SIDE),
        ];
        for (key, value, max) in sizes {
            if let Some(value) = value {
                Size { key, value, max }.check()?;
            }
        }
        check_graph(&self.graph)
    }

    /// Returns what is wrong with the classes, if something is: which segmenters must have and say of labels.
    fn check_classes(&self, is_segmenter: bool) -> Result<(), String> {
        let Some(classes) = &self.classes else {
            return if is_segmenter {
                Err("must say its classes; export the segmenter again".to_owned())
            } else {
                Ok(())
            };
        };
        let (key, value, max) = ("classes", classes.len(), MAX_CLASSES);
        let size = Size { key, value, max }.check();
        size.map_err(|told| format!("{told}; export the segmenter again"))?;
        let is_label = |train_id: u8| usize::from(train_id) < NUM_CLASSES;
        for (index, class) in classes.iter().enumerate() {
            if let Some(train_id) = class.train_id.filter(|&train_id| !is_label(train_id)) {
                let name = shortened(&one_line(&class.name), MOST_NAME_BYTES);
                return Err(format!(
                    "maps its class {index}, {name}, onto the train id {train_id}, which must be 0 to {}, or null for what \
                     is no class of labels; export the segmenter again with another table (--classes)",
                    NUM_CLASSES - 1
                ));
            }
        }
        if classes.iter().all(|class| class.train_id.is_none()) {
            return Err(format!(
                "maps none of its {} classes onto a train id, so it can judge no label; export the segmenter again with a \
                 table of classes (--classes)",
                classes.len()
            ));
        }
        Ok(())
    }
}

impl NetworkContract {
    /// Reads a contract: [`FEATURES_FILE`] of a folder, or what a metric names its network's.
    ///
    /// # Errors
    ///
    /// [`ContractError::Unusable`] naming the file and what is wrong with it, [`ContractError::Away`] if its folder cannot be
    /// read.
    pub fn load(folder: &Path, file: &str) -> Result<Self, ContractError> {
        let path = folder.join(file);
        match read_file::read(&path, max_bytes::CONTRACT) {
            Ok(bytes) => Self::from_json(&bytes, path),
            Err(error) => Err(ContractError::unreadable(folder, path, error)),
        }
    }

    /// Reads the bytes of a contract that lies at `path`.
    ///
    /// # Errors
    ///
    /// [`ContractError::Unusable`] naming the file and what is wrong with it.
    pub fn from_json(bytes: &[u8], path: PathBuf) -> Result<Self, ContractError> {
        let refuse = |reason: String| ContractError::Unusable {
            path: path.clone(),
            reason,
        };
        let network: Network = serde_json::from_slice(bytes).map_err(|e| {
            refuse(format!(
                "is no contract that this version reads ({e}); export the network again"
            ))
        })?;
        if network.format_version != FORMAT_VERSION {
            return Err(refuse(format!(
                "has format version {}, this program reads {FORMAT_VERSION}; export the network again",
                network.format_version
            )));
        }
        network.check_sizes().map_err(refuse)?;
        network.check_translation().map_err(refuse)?;
        let is_segmenter = path.ends_with(SEGMENTER_FILE);
        network.check_classes(is_segmenter).map_err(refuse)?;
        check_graph_files(&network.graph).map_err(refuse)?;
        Ok(Self {
            sha256: digest::sha256(bytes),
            path,
            network,
        })
    }

    /// Reads a contract of the network at a location. Its other files are left to what loads it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] naming the file.
    pub async fn open(at: &Location, file: &str) -> Result<Self, OpenError> {
        match at {
            Location::Folder(folder) => Ok(Self::load(folder, file)?),
            Location::Bucket(_) => {
                let json = source::open(at).await?.read(Path::new(file)).await?;
                let path = PathBuf::from(at.to_string()).join(file);
                Ok(Self::from_json(&json, path)?)
            }
        }
    }

    /// Returns an error about this contract.
    pub fn refuse(&self, reason: impl Into<String>) -> ContractError {
        ContractError::Unusable {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// Refuses a graph with other names than these.
    ///
    /// # Errors
    ///
    /// [`ContractError`] naming the names that are expected.
    pub fn expect(&self, inputs: &[&str], output: &str) -> Result<(), ContractError> {
        let graph = &self.network.graph;
        let named = |tensors: &[TensorContract], names: &[&str]| {
            tensors.len() == names.len()
                && names
                    .iter()
                    .all(|name| tensors.iter().any(|tensor| tensor.name == *name))
        };
        if named(&graph.inputs, inputs) && named(&graph.outputs, &[output]) {
            return Ok(());
        }
        let inputs = inputs.join(", ");
        Err(self.refuse(format!(
            "must have the inputs {inputs} and the output {output}; export the network again"
        )))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns what is said of a contract in a file that has these classes, if it is refused.
    fn refusal(file: &str, classes: Option<Value>) -> Option<String> {
        let mut contract = json!({
            "format_version": FORMAT_VERSION,
            "producer": "a test",
            "name": "nearest colour",
            "source": {"name": "none", "sha256": "0"},
            "file": "segmenter.onnx",
            "sha256": "0",
            "inputs": [],
            "outputs": [],
            "normalisation": {"mean": [0.5, 0.5, 0.5], "std": [1.0, 1.0, 1.0]},
        });
        if let Some(classes) = classes {
            contract["classes"] = classes;
        }
        let bytes = serde_json::to_vec(&contract).unwrap();
        let read = NetworkContract::from_json(&bytes, Path::new("networks").join(file));
        read.err().map(|error| error.to_string())
    }

    fn class(train_id: Value) -> Value {
        json!({"name": "way\nof sand", "train_id": train_id})
    }

    #[test]
    fn a_segmenter_says_which_of_its_classes_is_which_of_labels() {
        let of_segmenter = |classes| refusal(SEGMENTER_FILE, classes);
        let mapped = json!([class(json!(null)), class(json!(0)), class(json!(18))]);
        assert_eq!(of_segmenter(Some(mapped)), None);
        assert_eq!(refusal(FEATURES_FILE, None), None);
        for (classes, words) in [
            (None, "must say its classes"),
            (Some(json!([])), "classes 0, which must be 1 to 1024"),
            (
                Some(json!(vec![class(json!(0)); MAX_CLASSES + 1])),
                "classes 1025, which must be 1 to 1024",
            ),
            (Some(json!([class(json!(null))])), "none of its 1 classes"),
            (
                Some(json!([class(json!(0)), class(json!(19))])),
                "its class 1, way\\nof sand, onto the train id 19, which must be 0 to 18",
            ),
            (Some(json!([class(json!(256))])), "256"),
            (Some(json!([class(json!(-1))])), "-1"),
            (Some(json!([{"train_id": 0}])), "name"),
            (Some(json!([{"name": "road"}])), "train_id"),
            (
                Some(json!([{"name": "road", "train_id": 0, "colour": "grey"}])),
                "colour",
            ),
        ] {
            let told = of_segmenter(classes).expect(words);
            assert!(told.contains(words), "no {words:?}: {told}");
            assert!(told.contains(SEGMENTER_FILE), "{told}");
            assert!(told.contains("export the"), "{told}");
        }
    }
}

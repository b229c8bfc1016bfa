//! The golden model with some weights exchanged, and a contract that has the digests of what is there.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use shared::digest;
use tempfile::TempDir;

use crate::golden_model;

/// A copy of the golden model.
#[derive(Debug)]
pub struct ChangedModel(TempDir);

/// Weights of 32 bits in a file of external data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// The tensor's name in its graph.
    pub name: String,
    /// Where they begin.
    pub offset: usize,
    /// Their bytes.
    pub num_bytes: usize,
}

impl ChangedModel {
    /// Returns a copy in which nothing is changed.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn copied() -> Self {
        let model = Self(tempfile::tempdir().expect("a temporary folder"));
        copy(&golden_model(), model.0.path());
        model
    }

    /// Returns a model of which `part`, such as `unet/segment_3`, has other weights.
    ///
    /// # Panics
    ///
    /// If there is no such part.
    #[must_use]
    pub fn with_data(part: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let model = Self::copied();
        let data = model.0.path().join(format!("{part}.data"));
        let mut bytes = fs::read(&data).expect("the part's weights");
        let before = digest::sha256(&bytes);
        change(&mut bytes);
        fs::write(&data, &bytes).expect("a writable file");
        model.with_contract(|json| json.replace(&before, &digest::sha256(&bytes)))
    }

    /// Returns a model of which one value of a tensor of `part` is another.
    ///
    /// # Panics
    ///
    /// If there is no such part.
    #[must_use]
    pub fn with_value(part: &str, weights: &Weights, value: f32) -> Self {
        Self::with_data(part, |bytes| {
            let place = weights.offset + weights.num_bytes / 8 * 4;
            bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
        })
    }

    /// Returns the model with another contract.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn with_contract(self, change: impl FnOnce(String) -> String) -> Self {
        let contract = self.0.path().join("model.json");
        let json = fs::read_to_string(&contract).expect("the model's contract");
        fs::write(&contract, change(json)).expect("a writable file");
        self
    }

    /// Returns its folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

/// Returns the weights of a part of the golden model that are in its file of external data.
///
/// # Panics
///
/// If there is no such part.
#[must_use]
pub fn weights(part: &str) -> Vec<Weights> {
    const FLOAT: i32 = 1;
    let graph = fs::read(golden_model().join(format!("{part}.onnx"))).expect("the part's graph");
    let model = Model::decode(graph.as_slice()).expect("a graph");
    let initializers = model.graph.into_iter().flat_map(|graph| graph.initializers);
    let external =
        initializers.filter(|tensor| tensor.data_type == FLOAT && !tensor.external_data.is_empty());
    let weights = external.map(|tensor| {
        let number = |key: &str| {
            let entry = tensor.external_data.iter().find(|entry| entry.key == key);
            entry
                .and_then(|entry| entry.value.parse().ok())
                .unwrap_or(0)
        };
        Weights {
            offset: number("offset"),
            num_bytes: number("length"),
            name: tensor.name.clone(),
        }
    });
    weights.collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let copied = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &copied);
        } else {
            fs::copy(&entry, &copied).expect("a copied file");
        }
    }
}

/// What of an ONNX file is looked at.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "5")]
    initializers: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

//! One ONNX file as a session whose inputs and outputs are those of the contract.

use std::collections::HashMap;
use std::path::Path;

use ort::ep;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};

use super::EngineError;
use super::contract::{Dimension, Part, TensorContract};
use super::runtime::Runtime;

/// Tensors by name.
pub(super) type Tensors = HashMap<String, DynValue>;

/// A part of the model, ready to run.
pub(super) struct PartSession {
    name: String,
    session: Session,
    inputs: Vec<String>,
}

impl PartSession {
    /// Loads a part and refuses it where it differs from its contract.
    pub(super) fn load(runtime: &Runtime, folder: &Path, part: &Part) -> Result<Self, EngineError> {
        let path = folder.join(&part.file);
        let refuse = |reason: String| EngineError::Model {
            path: path.clone(),
            reason,
        };
        let session = build(runtime, &path)
            .map_err(|e| refuse(format!("cannot be loaded: {}", first_line(&e))))?;
        for (kind, expected, found) in [
            ("input", &part.inputs, session.inputs()),
            ("output", &part.outputs, session.outputs()),
        ] {
            compare(kind, expected, found).map_err(refuse)?;
        }
        let inputs = part.inputs.iter().map(|input| input.name.clone()).collect();
        Ok(Self {
            name: part.file.clone(),
            session,
            inputs,
        })
    }

    /// Runs the part on the tensors that it names among `tensors`.
    pub(super) fn run(&mut self, tensors: &Tensors) -> Result<Tensors, EngineError> {
        let inputs: Vec<(&str, SessionInputValue<'_>)> = self
            .inputs
            .iter()
            .filter_map(|name| {
                tensors
                    .get(name)
                    .map(|tensor| (name.as_str(), SessionInputValue::from(tensor)))
            })
            .collect();
        match self.session.run(inputs) {
            Ok(outputs) => Ok(outputs
                .into_iter()
                .map(|(name, tensor)| (name.to_owned(), tensor))
                .collect()),
            Err(source) => Err(EngineError::Run {
                part: self.name.clone(),
                source,
            }),
        }
    }

    /// Returns the names of the tensors that the part reads.
    pub(super) fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Returns an error of this part.
    pub(super) fn error(&self, source: ort::Error) -> EngineError {
        EngineError::Run {
            part: self.name.clone(),
            source,
        }
    }
}

fn build(runtime: &Runtime, path: &Path) -> ort::Result<Session> {
    // Without an arena each part gives its working memory back, so the peak is that of one part and not of all.
    let cpu = ep::CPU::default().with_arena_allocator(false).build();
    Session::builder(runtime.environment())?
        .with_execution_providers([cpu])?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .commit_from_file(path)
}

fn compare(kind: &str, expected: &[TensorContract], found: &[Outlet]) -> Result<(), String> {
    for tensor in expected {
        let Some(outlet) = found.iter().find(|outlet| outlet.name() == tensor.name) else {
            return Err(format!(
                "has no {kind} {}, which the contract names",
                tensor.name
            ));
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Err(format!("has an {kind} {} that is no tensor", tensor.name));
        };
        let free = |dimension: &Dimension, found: i64| match dimension {
            Dimension::Fixed(fixed) => *fixed == found,
            Dimension::Free(_) => found == -1,
        };
        let same_shape = tensor.shape.len() == shape.len()
            && tensor
                .shape
                .iter()
                .zip(shape.iter())
                .all(|(e, f)| free(e, *f));
        if dtype_name(ty) != tensor.dtype || !same_shape {
            return Err(format!(
                "has {kind} {} as {} {shape:?}, the contract says {} {:?}",
                tensor.name,
                dtype_name(ty),
                tensor.dtype,
                tensor.shape
            ));
        }
    }
    match found
        .iter()
        .find(|outlet| expected.iter().all(|tensor| tensor.name != outlet.name()))
    {
        Some(outlet) => Err(format!(
            "has an {kind} {} that the contract does not name",
            outlet.name()
        )),
        None => Ok(()),
    }
}

fn dtype_name(dtype: &TensorElementType) -> String {
    match dtype {
        TensorElementType::Float32 => "float32".to_owned(),
        TensorElementType::Float16 => "float16".to_owned(),
        TensorElementType::Int64 => "int64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn first_line(error: &ort::Error) -> String {
    error
        .message()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

//! Whether the inputs and outputs of a loaded graph are those of its contract.

use ort::value::{Outlet, TensorElementType, ValueType};

use shared::model::{Dimension, TensorContract};

/// Compares the tensors of a contract with a graph's, all of them inputs or all outputs, as `kind` says; what differs is an
/// error that names the tensor and goes on after the graph's name.
pub(super) fn compare(
    kind: &str,
    expected: &[TensorContract],
    found: &[Outlet],
) -> Result<(), String> {
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

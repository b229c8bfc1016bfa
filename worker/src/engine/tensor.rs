//! Tensors of ONNX Runtime as arrays of `f32`, whatever precision the model computes in.

use half::f16;
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis};
use ort::memory::AllocationDevice;
use ort::value::{DynTensorValueType, DynValue, Tensor};

use super::contract::Precision;
use super::session::Tensors;

/// Returns a `(channels, height, width)` array as a tensor with a batch of one.
pub(super) fn from_array(
    array: ArrayView3<'_, f32>,
    precision: Precision,
) -> ort::Result<DynValue> {
    let batch = array.insert_axis(Axis(0));
    Ok(match precision {
        Precision::Fp32 => Tensor::from_array(batch.as_standard_layout().into_owned())?.into_dyn(),
        Precision::Fp16 => Tensor::from_array(batch.mapv(f16::from_f32))?.into_dyn(),
    })
}

/// Returns an RGB image `(height, width, 3)` as a tensor `(1, 3, height, width)` in 0..1.
pub(super) fn from_image(image: ArrayView3<'_, u8>) -> ort::Result<DynValue> {
    let planes = image.permuted_axes([2, 0, 1]);
    let unit = planes.mapv(|value| f32::from(value) / 255.0);
    from_array(unit.view(), Precision::Fp32)
}

/// Returns the numbers of the tensor of a name, in order.
pub(super) fn values(tensors: &Tensors, name: &str) -> ort::Result<Vec<f32>> {
    let value = tensors
        .get(name)
        .ok_or_else(|| ort::Error::new(format!("no {name} came out")))?;
    Ok(to_f32(value)?.into_iter().collect())
}

/// Returns `(tokens, width)` as a tensor with a batch of one.
pub(super) fn from_tokens(tokens: Array2<f32>, precision: Precision) -> ort::Result<DynValue> {
    let batch = tokens.insert_axis(Axis(0));
    Ok(match precision {
        Precision::Fp32 => Tensor::from_array(batch)?.into_dyn(),
        Precision::Fp16 => Tensor::from_array(batch.mapv(f16::from_f32))?.into_dyn(),
    })
}

/// Returns a tensor's first element of the batch as `(tokens, width)`.
pub(super) fn to_tokens(value: &DynValue) -> ort::Result<Array2<f32>> {
    let array = to_f32(value)?;
    let (rows, columns) = (dimension(array.shape(), 1), dimension(array.shape(), 2));
    into_shape(array, (rows, columns))
}

/// Returns a tensor's first element of the batch as `(channels, height, width)`.
pub(super) fn to_array(value: &DynValue) -> ort::Result<Array3<f32>> {
    let array = to_f32(value)?;
    let shape = (
        dimension(array.shape(), 1),
        dimension(array.shape(), 2),
        dimension(array.shape(), 3),
    );
    let array: Array4<f32> = into_shape(array, (1, shape.0, shape.1, shape.2))?;
    Ok(array.index_axis_move(Axis(0), 0))
}

/// Returns the numbers of a tensor, brought here from the device where it is on another one.
fn to_f32(value: &DynValue) -> ort::Result<ndarray::ArrayD<f32>> {
    let tensor = value.view().downcast::<DynTensorValueType>()?;
    if tensor.memory_info().is_cpu_accessible() {
        read_f32(value)
    } else {
        read_f32(&tensor.to(AllocationDevice::CPU, 0)?.into_dyn())
    }
}

fn read_f32(value: &DynValue) -> ort::Result<ndarray::ArrayD<f32>> {
    match value.try_extract_array::<f32>() {
        Ok(array) => Ok(array.to_owned()),
        Err(_) => Ok(value.try_extract_array::<f16>()?.mapv(f32::from)),
    }
}

fn dimension(shape: &[usize], axis: usize) -> usize {
    shape.get(axis).copied().unwrap_or(1)
}

fn into_shape<D: ndarray::Dimension>(
    array: ndarray::ArrayD<f32>,
    shape: impl ndarray::IntoDimension<Dim = D>,
) -> ort::Result<ndarray::Array<f32, D>> {
    array
        .into_shape_with_order(shape.into_dimension())
        .map_err(ort::Error::wrap)
}

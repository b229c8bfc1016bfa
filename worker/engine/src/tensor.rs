//! Tensors of ONNX Runtime as arrays of `f32`, whatever precision the model computes in.
//!
//! They must be in the host's memory: reading one that is on another device is an error.

use std::collections::HashMap;

use half::{bf16, f16};
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, CowArray, Ix2};
use ort::memory::AllocationDevice;
use ort::value::{DynTensorRef, DynValue, Tensor, TensorElementType, ValueType};

use shared::model::Precision;

/// Tensors by name.
pub(super) type Tensors = HashMap<String, DynValue>;

/// Returns a length, a place or a timestep as ONNX has it.
pub(super) fn whole(number: usize) -> ort::Result<i64> {
    i64::try_from(number).map_err(ort::Error::wrap)
}

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

/// Returns numbers as a tensor `(1, numbers)`.
pub(super) fn from_numbers(numbers: Vec<f32>) -> ort::Result<DynValue> {
    let shape = [1, numbers.len()];
    Ok(Tensor::from_array((shape, numbers))?.into_dyn())
}

/// Returns the numbers of the tensor of a name, in order.
pub(super) fn values(tensors: &Tensors, name: &str) -> ort::Result<Vec<f32>> {
    let value = tensors
        .get(name)
        .ok_or_else(|| ort::Error::new(format!("no {name} came out")))?;
    Ok(to_f32(value)?.into_iter().collect())
}

/// A tensor `(1, height, width)` of class indices.
pub(super) struct Indices<'a> {
    pub(super) shape: [usize; 3],
    /// In order.
    pub(super) values: &'a [i64],
}

/// Returns the class indices in the tensor of a name.
pub(super) fn indices<'a>(tensors: &'a Tensors, name: &str) -> ort::Result<Indices<'a>> {
    let value = tensors
        .get(name)
        .ok_or_else(|| ort::Error::new(format!("no {name} came out")))?;
    let (_, values) = value.try_extract_tensor::<i64>()?;
    Ok(Indices {
        shape: shape(value)?,
        values,
    })
}

/// Returns `(tokens, width)` as a tensor with a batch of one.
pub(super) fn from_tokens(tokens: Array2<f32>, precision: Precision) -> ort::Result<DynValue> {
    let batch = tokens.insert_axis(Axis(0));
    Ok(match precision {
        Precision::Fp32 => Tensor::from_array(batch)?.into_dyn(),
        Precision::Fp16 => Tensor::from_array(batch.mapv(f16::from_f32))?.into_dyn(),
    })
}

/// Tokens `(tokens, width)`: those of a tensor where it is one of `f32`, else a copy.
pub(super) type Tokens<'a> = CowArray<'a, f32, Ix2>;

/// Returns the tokens of a tensor `(1, tokens, width)`.
pub(super) fn tokens(value: &DynValue) -> ort::Result<Tokens<'_>> {
    let [_, tokens, width] = shape(value)?;
    if !is_of(value, TensorElementType::Float32) {
        return Ok(into_shape::<Ix2>(to_f32(value)?, (tokens, width))?.into());
    }
    let array = value
        .try_extract_array::<f32>()?
        .into_shape_with_order((tokens, width))
        .map_err(ort::Error::wrap)?;
    Ok(array.into())
}

/// Returns the shape of a tensor of `N` dimensions.
pub(super) fn shape<const N: usize>(value: &DynValue) -> ort::Result<[usize; N]> {
    let ValueType::Tensor { shape, .. } = value.dtype() else {
        return Err(ort::Error::new("a value is no tensor"));
    };
    let lengths = shape.iter().map(|&length| usize::try_from(length));
    let lengths = lengths.collect::<Result<Vec<usize>, _>>();
    <[usize; N]>::try_from(lengths.map_err(ort::Error::wrap)?).map_err(|lengths| {
        ort::Error::new(format!(
            "a tensor has shape {lengths:?}, which should have {N} dimensions"
        ))
    })
}

/// Returns the precision of a layer's tensor, of which there are two.
pub(super) fn precision(value: &DynValue) -> Precision {
    if is_of(value, TensorElementType::Float16) {
        Precision::Fp16
    } else {
        Precision::Fp32
    }
}

/// Returns the element type of tensors of a precision.
pub(super) fn element(precision: Precision) -> TensorElementType {
    match precision {
        Precision::Fp32 => TensorElementType::Float32,
        Precision::Fp16 => TensorElementType::Float16,
    }
}

fn as_tensor(value: &DynValue) -> ort::Result<DynTensorRef<'_>> {
    value.view().downcast()
}

/// Returns whether a tensor is in the memory of a GPU.
pub(super) fn is_on_gpu(value: &DynValue) -> ort::Result<bool> {
    let tensor = as_tensor(value)?;
    Ok(tensor.memory_info().allocation_device() == AllocationDevice::CUDA)
}

/// Returns where the numbers of a tensor are, in the memory of its device.
pub(super) fn address(value: &DynValue) -> ort::Result<u64> {
    Ok(as_tensor(value)?.data_ptr().addr() as u64)
}

fn is_of(value: &DynValue, expected: TensorElementType) -> bool {
    matches!(value.dtype(), ValueType::Tensor { ty, .. } if *ty == expected)
}

/// The numbers of a tensor that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Fp32,
    Fp16,
    /// The upper halves of those of single precision.
    Bf16,
}

impl Element {
    /// Returns the bytes that a number takes.
    pub(super) fn num_bytes(self) -> usize {
        match self {
            Self::Fp32 => 4,
            Self::Fp16 | Self::Bf16 => 2,
        }
    }
}

impl From<Precision> for Element {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Fp16 => Self::Fp16,
        }
    }
}

/// Returns the bytes of a tensor's numbers, the lowest first; those of single precision are rounded to bfloat16, if it is to
/// be of these.
pub(super) fn bytes(value: &DynValue, element: Element) -> ort::Result<Vec<u8>> {
    Ok(match element {
        Element::Fp32 => {
            let (_, numbers) = value.try_extract_tensor::<f32>()?;
            let numbers = numbers.iter();
            numbers.flat_map(|number| number.to_le_bytes()).collect()
        }
        Element::Fp16 => {
            let (_, numbers) = value.try_extract_tensor::<f16>()?;
            bytes_of_halves(numbers.iter().map(|number| number.to_bits()))
        }
        Element::Bf16 => match value.try_extract_tensor::<f32>() {
            Ok((_, numbers)) => bytes_of_halves(numbers.iter().map(|number| upper_half(*number))),
            Err(_) => {
                let (_, numbers) = value.try_extract_tensor::<bf16>()?;
                bytes_of_halves(numbers.iter().map(|number| number.to_bits()))
            }
        },
    })
}

fn bytes_of_halves(halves: impl Iterator<Item = u16>) -> Vec<u8> {
    halves.flat_map(u16::to_le_bytes).collect()
}

/// Returns the tensor whose numbers [`bytes`](bytes()) gave, `(1, tokens, width)`.
pub(super) fn from_bytes(
    bytes: &[u8],
    shape: [usize; 3],
    element: Element,
) -> ort::Result<DynValue> {
    let (halves, _) = bytes.as_chunks::<2>();
    let halves = halves.iter().map(|half| u16::from_le_bytes(*half));
    Ok(match element {
        Element::Fp32 => {
            let (words, _) = bytes.as_chunks::<4>();
            let numbers: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
            Tensor::from_array((shape, numbers))?.into_dyn()
        }
        Element::Fp16 => {
            let numbers: Vec<f16> = halves.map(f16::from_bits).collect();
            Tensor::from_array((shape, numbers))?.into_dyn()
        }
        Element::Bf16 => {
            let numbers: Vec<bf16> = halves.map(bf16::from_bits).collect();
            Tensor::from_array((shape, numbers))?.into_dyn()
        }
    })
}

/// Returns the upper half of a number that is rounded as the operands of products are.
fn upper_half(number: f32) -> u16 {
    (kernels::bf16::rounded(number).to_bits() >> 16) as u16
}

/// Returns a tensor `(1, channels, height, width)` as `(channels, height, width)`.
pub(super) fn to_array(value: &DynValue) -> ort::Result<Array3<f32>> {
    let [_, channels, height, width] = shape(value)?;
    let array: Array4<f32> = into_shape(to_f32(value)?, (1, channels, height, width))?;
    Ok(array.index_axis_move(Axis(0), 0))
}

/// Returns the numbers of a tensor.
fn to_f32(value: &DynValue) -> ort::Result<ndarray::ArrayD<f32>> {
    match value.try_extract_array::<f32>() {
        Ok(array) => Ok(array.to_owned()),
        Err(_) if is_of(value, TensorElementType::Bfloat16) => {
            Ok(value.try_extract_array::<bf16>()?.mapv(f32::from))
        }
        Err(_) => Ok(value.try_extract_array::<f16>()?.mapv(f32::from)),
    }
}

/// Returns a copy of a tensor `(1, tokens, width)` as [`kept`] does, with its numbers rounded as the operands of products are.
pub(super) fn kept_rounded(value: &DynValue) -> ort::Result<DynValue> {
    let shape: [usize; 3] = shape(value)?;
    let (_, numbers) = value.try_extract_tensor::<f32>()?;
    let rounded = numbers
        .iter()
        .map(|number| bf16::from_bits(upper_half(*number)));
    Ok(Tensor::from_array((shape, rounded.collect::<Vec<_>>()))?.into_dyn())
}

/// Returns a copy of a tensor `(1, tokens, width)` on the host, in memory of its own: a tensor that stays in the arena splits
/// what is free there, and then nothing large fits.
pub(super) fn kept(value: &DynValue) -> ort::Result<DynValue> {
    let shape: [usize; 3] = shape(value)?;
    Ok(match value.try_extract_tensor::<f32>() {
        Ok((_, numbers)) => Tensor::from_array((shape, numbers.to_vec()))?.into_dyn(),
        Err(_) => {
            let (_, numbers) = value.try_extract_tensor::<f16>()?;
            Tensor::from_array((shape, numbers.to_vec()))?.into_dyn()
        }
    })
}

fn into_shape<D: ndarray::Dimension>(
    array: ndarray::ArrayD<f32>,
    shape: impl ndarray::IntoDimension<Dim = D>,
) -> ort::Result<ndarray::Array<f32, D>> {
    array
        .into_shape_with_order(shape.into_dimension())
        .map_err(ort::Error::wrap)
}

#[cfg(test)]
mod tests {
    use shared::settings::EngineConfig;

    use super::*;
    use crate::runtime::Runtime;

    #[test]
    fn a_tensor_of_another_number_of_dimensions_is_told_with_its_shape() {
        let _runtime = Runtime::load(&EngineConfig::default()).unwrap();
        let zeros = Array3::<f32>::zeros((2, 3, 4));
        let image = from_array(zeros.view(), Precision::Fp32).unwrap();
        assert_eq!(shape::<4>(&image).unwrap(), [1, 2, 3, 4]);
        let error = tokens(&image).unwrap_err();
        assert!(
            error
                .message()
                .contains("[1, 2, 3, 4], which should have 3"),
            "{error}"
        );
    }
}

//! The lower median of many numbers and that of their distances from it, exactly and without sorting: how many are smaller
//! than a number is counted for each bit of the median.
//!
//! The bits are those of single precision: the exponent's first, by factors, then the others, by terms; each candidate is a
//! number that single precision has. Nothing depends on the order of a sum: ones are counted along rows in fp32, which has
//! all whole numbers up to 2^24, and the counts of rows are added in double precision. A graph has all steps one after the
//! other, so that the host waits for none of them.

use ort::operator::Attribute;

use crate::builder::{Builder, Name};

/// Halvings of the exponents between the smallest normal number's and that of 2.
const EXPONENTS: [i32; 7] = [64, 32, 16, 8, 4, 2, 1];
/// Bits of a number beside sign and exponent.
const FRACTION_BITS: i32 = 23;
/// The longest rows whose ones are counted exactly.
const MAX_COLUMNS: usize = 1 << f32::MANTISSA_DIGITS;
/// Numbers of ONNX's TensorProto.DataType.
const FP32: i64 = 1;
const DOUBLE: i64 = 11;

/// Numbers of 0 to 1, in matrices of equally long rows.
pub(super) struct Spread {
    /// `(rows, columns)` each.
    parts: Vec<Name>,
    /// The position of the lower median in order, in double precision.
    rank: Name,
}

/// The lower median of numbers, and the lower median of their distances from it, `(1)` of fp32 each.
pub(super) struct MedianDeviation {
    pub(super) median: Name,
    pub(super) deviation: Name,
}

impl MedianDeviation {
    /// Adds what finds them in `num` numbers of 0 to 1, in matrices of so many columns. Numbers smaller than the smallest
    /// normal one count as 0.
    pub(super) fn of(
        graph: &mut Builder,
        parts: Vec<Name>,
        num: usize,
        columns: usize,
    ) -> ort::Result<Self> {
        if columns > MAX_COLUMNS {
            return Err(ort::Error::new(format!(
                "the median of rows of {columns} numbers was asked for, and at most {MAX_COLUMNS} are counted exactly"
            )));
        }
        let rank = graph.constant(&[1], &[((num - 1) / 2) as f64])?;
        let spread = Spread { parts, rank };
        let median = spread.lower_median(graph)?;
        let deviation = spread.distances(graph, &median)?.lower_median(graph)?;
        Ok(Self { median, deviation })
    }
}

impl Spread {
    /// Returns the numbers' distances from another.
    fn distances(self, graph: &mut Builder, from: &Name) -> ort::Result<Self> {
        let mut parts = Vec::new();
        for part in &self.parts {
            let apart = graph.op("Sub", &[part, from], [])?;
            parts.push(graph.op("Abs", &[&apart], [])?);
        }
        Ok(Self { parts, ..self })
    }

    fn lower_median(&self, graph: &mut Builder) -> ort::Result<Name> {
        let least = number(graph, f32::MIN_POSITIVE)?;
        // The largest power of two that is not larger than the median.
        let mut power = least.clone();
        for exponents in EXPONENTS {
            let factor = number(graph, 2.0_f32.powi(exponents))?;
            let larger = graph.op("Mul", &[&power, &factor], [])?;
            power = self.larger_if_reached(graph, &larger, &power)?;
        }
        let mut found = power.clone();
        for bit in 1..=FRACTION_BITS {
            let share = number(graph, 2.0_f32.powi(-bit))?;
            let term = graph.op("Mul", &[&power, &share], [])?;
            let larger = graph.op("Add", &[&found, &term], [])?;
            found = self.larger_if_reached(graph, &larger, &found)?;
        }
        let is_positive = self.reaches(graph, &least)?;
        let zero = number(graph, 0.0)?;
        graph.op("Where", &[&is_positive, &found, &zero], [])
    }

    fn larger_if_reached(
        &self,
        graph: &mut Builder,
        larger: &Name,
        smaller: &Name,
    ) -> ort::Result<Name> {
        let reaches = self.reaches(graph, larger)?;
        graph.op("Where", &[&reaches, larger, smaller], [])
    }

    /// Returns whether the median is a number or larger: not more are smaller than its position.
    fn reaches(&self, graph: &mut Builder, least: &Name) -> ort::Result<Name> {
        let columns = graph.whole(&[1])?;
        let keepdims = || Attribute::new("keepdims", 0_i64);
        let mut counts = Vec::new();
        for part in &self.parts {
            let smaller = graph.op("Less", &[part, least], [])?;
            let ones = as_ones(graph, &smaller)?;
            counts.push(graph.op("ReduceSum", &[&ones, &columns], [keepdims()?])?);
        }
        let counts = match counts.as_slice() {
            [one] => one.clone(),
            several => {
                let several: Vec<&Name> = several.iter().collect();
                graph.op("Concat", &several, [Attribute::new("axis", 0_i64)?])?
            }
        };
        let counts = graph.op("Cast", &[&counts], [Attribute::new("to", DOUBLE)?])?;
        let rows = graph.whole(&[0])?;
        let count = graph.op("ReduceSum", &[&counts, &rows], [])?;
        graph.op("LessOrEqual", &[&count, &self.rank], [])
    }
}

/// Returns 1 of fp32 where something is true, else 0.
pub(super) fn as_ones(graph: &mut Builder, are: &Name) -> ort::Result<Name> {
    graph.op("Cast", &[are], [Attribute::new("to", FP32)?])
}

fn number(graph: &mut Builder, number: f32) -> ort::Result<Name> {
    graph.constant(&[1], &[number])
}

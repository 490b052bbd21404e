//! Rows put together by segment, and sparse tensors made dense.
//!
//! Sources: `tf.math.segment_*`, `tf.math.unsorted_segment_*`, `tf.sparse.segment_*` and `tf.compat.v1.sparse_to_dense` in
//! TensorFlow's API documentation; ScatterND in <https://onnx.ai/onnx/operators/onnx__ScatterND.html>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::gather::rank_vector;
use crate::ops::reduce::lower::reduce::integer_extremes;
use crate::tensor::DType;

/// How the rows of a segment are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    /// Each row has the number of its segment, in ascending order; the last one tells how many there are.
    Sorted,
    /// Each element has the number of its segment, in any order, and their count is an input.
    Unsorted,
    /// As sorted ones, of rows that another input picks.
    Sparse,
    /// As sparse ones, and their count is an input.
    NumberedSparse,
}

/// How the rows of a segment are combined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    Sum,
    Mean,
    /// The sum, divided by the square root of the count.
    SqrtN,
    Prod,
    Max,
    Min,
}

/// The least and greatest finite number of a type.
fn extremes(dtype: DType) -> [f64; 2] {
    if let Some(extremes) = integer_extremes(dtype) {
        return extremes;
    }
    let greatest = match dtype {
        DType::Float64 => f64::MAX,
        DType::Float16 => half::f16::MAX.to_f64(),
        DType::BFloat16 => half::bf16::MAX.to_f64(),
        _ => f64::from(f32::MAX),
    };
    [-greatest, greatest]
}

/// Rows are written to the index of their segment, where they add up or the greatest or least stays. Rows without a segment
/// go to an additional row, which is cut off.
pub fn segment(cx: &mut Lowering<'_>, node: NodeRef<'_>, segments: Segments, combine: Combine) -> Result<()> {
    let is_unsorted = segments == Segments::Unsorted;
    let (indices_index, ids_index, count_index) = match segments {
        Segments::Sorted => (None, 1, None),
        Segments::Unsorted => (None, 1, Some(2)),
        Segments::Sparse => (Some(1), 2, None),
        Segments::NumberedSparse => (Some(1), 2, Some(3)),
    };
    let data = cx.input_of(node, 0)?;
    let ids_input = cx.input_of(node, ids_index)?;
    let dtype = cx.dtype(data);
    let mut rows = cx.in_tensorflow_layout(data)?;
    let ids = cx.in_tensorflow_layout(ids_input)?;
    let is_vector = !is_unsorted || cx.shape(ids_input).rank() == Some(1);
    let ids_rank =
        if is_vector { cx.vector(node, "axes", &[1]) } else { rank_vector(cx, node, ids_input, &ids) };
    let mut optional = |index: Option<usize>| {
        index.map(|index| cx.in_tensorflow_layout(cx.input_of(node, index)?)).transpose()
    };
    let (indices, count) = (optional(indices_index)?, optional(count_index)?);
    let mut steps = Steps { cx, node };
    if let Some(indices) = indices {
        rows = steps.op_with("Gather", &[&rows, &indices], "axis", 0);
    }
    let flat = steps.ints(&[-1]);
    let (ids, shape) = (steps.cast(&ids, DType::Int64), steps.op("Shape", &[&rows]));
    let to = steps.ints(&[i64::MAX]);
    let rest = steps.op("Slice", &[&shape, &ids_rank, &to]);
    let ids = steps.op("Reshape", &[&ids, &flat]);
    if !is_vector {
        let size = steps.op("Size", &[&ids]);
        let size = steps.op("Reshape", &[&size, &flat]);
        let shape = steps.op_with("Concat", &[&size, &rest], "axis", 0);
        rows = steps.op_with("Reshape", &[&rows, &shape], "allowzero", 1);
    }
    let (zero, one) = (steps.int(0), steps.int(1));
    let count = match count {
        Some(count) => {
            let count = steps.cast(&count, DType::Int64);
            steps.op("Reshape", &[&count, &flat])
        }
        None => {
            // Without rows there are no segments.
            let none = steps.ints(&[-1]);
            let all = steps.op_with("Concat", &[&none, &ids], "axis", 0);
            let keep = vec![("keepdims", Attribute::Int(0))];
            let last = steps.cx.step(node, "last", "ReduceMax", vec![all], keep);
            let count = steps.op("Add", &[&last, &one]);
            steps.op("Reshape", &[&count, &flat])
        }
    };
    let is_none = steps.op("Less", &[&ids, &zero]);
    let ids = steps.op("Where", &[&is_none, &count, &ids]);
    let behind = steps.ints(&[-1]);
    let positions = steps.op("Unsqueeze", &[&ids, &behind]);
    let all = steps.op("Add", &[&count, &one]);
    let shape = steps.op_with("Concat", &[&all, &rest], "axis", 0);
    let [least, greatest] = extremes(dtype);
    let (reduction, start) = match combine {
        Combine::Max => ("max", least),
        Combine::Min => ("min", greatest),
        Combine::Prod => ("mul", 1.0),
        Combine::Sum | Combine::Mean | Combine::SqrtN => ("add", 0.0),
    };
    let scatter = |steps: &mut Steps<'_, '_, '_>, start: &String, values: &String, reduction: &str| {
        let inputs = vec![start.clone(), positions.clone(), values.clone()];
        let attributes = vec![("reduction", Attribute::Text(reduction.to_owned()))];
        steps.cx.step(node, "scattered", "ScatterND", inputs, attributes)
    };
    let start = steps.number(dtype, start);
    let start = steps.op("Expand", &[&start, &shape]);
    let mut result = scatter(&mut steps, &start, &rows, reduction);
    let counts_matter = match combine {
        Combine::Sum | Combine::Prod => false,
        Combine::Mean | Combine::SqrtN => true,
        // The greatest of no elements is 0 here, and the least number where segments are not sorted.
        Combine::Max | Combine::Min => !is_unsorted,
    };
    if counts_matter {
        let (none, each) = (steps.number(dtype, 0.0), steps.number(dtype, 1.0));
        let nones = steps.op("Expand", &[&none, &all]);
        let ids_shape = steps.op("Shape", &[&ids]);
        let ones = steps.op("Expand", &[&each, &ids_shape]);
        let counts = scatter(&mut steps, &nones, &ones, "add");
        // The counts get as many axes as the rows.
        let rest_count = steps.op("Shape", &[&rest]);
        let unit = steps.ints(&[1]);
        let units = steps.op("Expand", &[&unit, &rest_count]);
        let shape = steps.op_with("Concat", &[&flat, &units], "axis", 0);
        let counts = steps.op("Reshape", &[&counts, &shape]);
        if matches!(combine, Combine::Max | Combine::Min) {
            let is_any = steps.op("Greater", &[&counts, &none]);
            result = steps.op("Where", &[&is_any, &result, &none]);
        } else {
            let counts = steps.op("Max", &[&counts, &each]);
            let divisor = if combine == Combine::SqrtN { steps.op("Sqrt", &[&counts]) } else { counts };
            result = steps.op("Div", &[&result, &divisor]);
        }
    }
    let first = steps.ints(&[0]);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Slice", vec![result, first.clone(), count, first], layout, vec![]);
    Ok(())
}

/// Values at indices, and a default elsewhere. One index may be given as a scalar, indices of a vector as a vector.
pub fn sparse_to_dense(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let [positions, shape, values, default] = [0, 1, 2, 3].map(|index| cx.input_of(node, index));
    let (positions, values_input) = (positions?, values?);
    let rank = cx.rank(node, positions)?;
    let values_rank = cx.rank(node, values_input)?;
    let (name, shape) = (cx.in_tensorflow_layout(positions)?, cx.in_tensorflow_layout(shape?)?);
    let (values, default) = (cx.in_tensorflow_layout(values_input)?, cx.in_tensorflow_layout(default?)?);
    let mut steps = Steps { cx, node };
    let (name, shape) = (steps.cast(&name, DType::Int64), steps.cast(&shape, DType::Int64));
    let column = steps.ints(&[-1, 1]);
    let positions = if rank == 2 { name } else { steps.op("Reshape", &[&name, &column]) };
    let dense = steps.op("Expand", &[&default, &shape]);
    let values = if values_rank == 0 {
        let positions_shape = steps.op("Shape", &[&positions]);
        let (from, to) = (steps.ints(&[0]), steps.ints(&[1]));
        let count = steps.op("Slice", &[&positions_shape, &from, &to]);
        steps.op("Expand", &[&values, &count])
    } else {
        values
    };
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "ScatterND", vec![dense, positions, values], layout, vec![]);
    Ok(())
}

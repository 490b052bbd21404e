//! Ops that make fewer numbers of many: along axes, and in segments.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;

use super::{Op, checks, op};
use crate::graph::{Shape, TensorType};
use crate::ops::infer::{like_first_input, one};

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("All")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::all, &["Cast", "ReduceProd"])
        .fold(eval::flags),
    op("Any")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::any, &["Not", "Cast", "ReduceProd"])
        .fold(eval::flags),
    op("ArgMax")
        .shape(shape::arg)
        .lower(lower::reduce::arg, &["ArgMax", "Cast"])
        .eval(|node, inputs| super::array::eval::order::arg(node, inputs, |a, b| a > b)),
    op("ArgMin")
        .shape(shape::arg)
        .lower(lower::reduce::arg, &["ArgMin", "Cast"])
        .eval(|node, inputs| super::array::eval::order::arg(node, inputs, |a, b| a < b)),
    op("Cumprod")
        .shape(like_first_input)
        .check(|inputs, _| checks::in_range(inputs, 1))
        .lower(lower::reduce::cumprod, &["Where", "ReduceProd"])
        .eval(|node, inputs| super::array::eval::order::accumulate(node, inputs, 1.0, |a, b| a * b)),
    op("Cumsum")
        .shape(like_first_input)
        .check(|inputs, _| checks::in_range(inputs, 1))
        .lower(lower::reduce::cumsum, &["CumSum"])
        .eval(|node, inputs| super::array::eval::order::accumulate(node, inputs, 0.0, |a, b| a + b)),
    op("EuclideanNorm")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::plain, &["ReduceL2"]),
    op("L2Loss")
        .shape(|inputs, _| Ok(vec![TensorType::new(inputs.dtype(0)?, Shape::scalar())]))
        .lower(lower::reduce::l2_loss, &["ReduceSumSquare", "Mul"]),
    op("LogSoftmax")
        .shape(like_first_input)
        .lower(lower::reduce::softmax, &["LogSoftmax"])
        .eval(|_, inputs| super::math::eval::functions::softmax(inputs, |x, sum| x - sum.ln())),
    op("Max")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::plain, &["ReduceMax"])
        .note("ONNX Runtime may lose NaN, and computes 0 for no integers")
        .fold(eval::numbers)
        .float16(),
    op("Mean")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::plain, &["ReduceMean"])
        .note("ONNX Runtime computes 0 for an open axis without elements")
        .fold(eval::numbers)
        .float16(),
    op("Min")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::plain, &["ReduceMin"])
        .note("ONNX Runtime may lose NaN, and computes 0 for no integers")
        .fold(eval::numbers),
    op("Prod")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::plain, &["ReduceProd"])
        .fold(eval::numbers),
    op("SegmentMax").shape(shape::segment).lower(lower::segment::segment, &["ScatterND", "Where"]).since(18),
    op("SegmentMean").shape(shape::segment).lower(lower::segment::segment, &["ScatterND", "Div"]).since(16),
    op("SegmentMin").shape(shape::segment).lower(lower::segment::segment, &["ScatterND", "Where"]).since(18),
    op("SegmentProd").shape(shape::segment).lower(lower::segment::segment, &["ScatterND"]).since(16),
    op("SegmentSum").shape(shape::segment).lower(lower::segment::segment, &["ScatterND"]).since(16),
    op("Softmax")
        .shape(like_first_input)
        .lower(lower::reduce::softmax, &["Softmax"])
        .eval(|_, inputs| super::math::eval::functions::softmax(inputs, |x, sum| x.exp() / sum))
        .float16(),
    op("SparseSegmentMean")
        .shape(shape::segment)
        .lower(lower::segment::segment, &["Gather", "ScatterND", "Div"])
        .since(16),
    op("SparseSegmentMeanWithNumSegments")
        .shape(shape::numbered_segment)
        .lower(lower::segment::segment, &["Gather", "ScatterND", "Div"])
        .since(16),
    op("SparseSegmentSqrtN")
        .shape(shape::segment)
        .lower(lower::segment::segment, &["Gather", "ScatterND", "Sqrt", "Div"])
        .since(16),
    op("SparseSegmentSqrtNWithNumSegments")
        .shape(shape::numbered_segment)
        .lower(lower::segment::segment, &["Gather", "ScatterND", "Sqrt", "Div"])
        .since(16),
    op("SparseSegmentSum")
        .shape(shape::segment)
        .lower(lower::segment::segment, &["Gather", "ScatterND"])
        .since(16),
    op("SparseSegmentSumWithNumSegments")
        .shape(shape::numbered_segment)
        .lower(lower::segment::segment, &["Gather", "ScatterND"])
        .since(16),
    op("SparseToDense")
        .shape(|inputs, _| one(inputs.dtype(2)?, inputs.described_shape(1)?))
        .lower(lower::segment::sparse_to_dense, &["Expand", "ScatterND"]),
    op("Sum")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::plain, &["ReduceSum"])
        .fold(eval::numbers),
    op("UnsortedSegmentMax")
        .shape(shape::numbered_segment)
        .check(check::segments)
        .lower(lower::segment::segment, &["ScatterND"])
        .since(18),
    op("UnsortedSegmentMin")
        .shape(shape::numbered_segment)
        .check(check::segments)
        .lower(lower::segment::segment, &["ScatterND"])
        .since(18),
    op("UnsortedSegmentProd")
        .shape(shape::numbered_segment)
        .check(check::segments)
        .lower(lower::segment::segment, &["ScatterND"])
        .since(16),
    op("UnsortedSegmentSum")
        .shape(shape::numbered_segment)
        .check(check::segments)
        .lower(lower::segment::segment, &["ScatterND"])
        .since(16),
];

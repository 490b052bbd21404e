//! Ops that make fewer numbers of many: along axes, and in segments.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::segment::{Combine, Segments, segment};
use super::{Op, by_parts, checks, op};
use crate::graph::{Shape, TensorType};
use crate::ops::complex::products::of_elements;
use crate::ops::infer::{like_first_input, one};

/// Ops that make one number of many along axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    Sum,
    Mean,
    Prod,
    Max,
    Min,
    EuclideanNorm,
}

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("All")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::all, &["Cast", "ReduceProd"])
        .fold(|node, inputs| eval::flags(node, inputs, true, |a, b| a && b)),
    op("Any")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(lower::reduce::any, &["Not", "Cast", "ReduceProd"])
        .fold(|node, inputs| eval::flags(node, inputs, false, |a, b| a || b)),
    op("ArgMax")
        .shape(shape::arg)
        .lower(lower::reduce::arg, &["ArgMax", "Cast"])
        .note("ONNX Runtime computes the place of a NaN, which TensorFlow ignores")
        .eval(|node, inputs| super::array::eval::order::arg(node, inputs, |a, b| a > b)),
    op("ArgMin")
        .shape(shape::arg)
        .lower(lower::reduce::arg, &["ArgMin", "Cast"])
        .note("ONNX Runtime computes the place of a NaN, which TensorFlow ignores")
        .eval(|node, inputs| super::array::eval::order::arg(node, inputs, |a, b| a < b)),
    op("Cumprod")
        .complex(|cx, node| of_elements(cx, node, lower::running::cumprod, lower::running::cumsum))
        .shape(like_first_input)
        .check(|inputs, _| checks::in_range(inputs, 1))
        .lower(lower::running::cumprod, &["Where", "ReduceProd"])
        .eval(|node, inputs| super::array::eval::order::accumulate(node, inputs, 1.0, |a, b| a * b)),
    by_parts("Cumsum")
        .shape(like_first_input)
        .check(|inputs, _| checks::in_range(inputs, 1))
        .lower(lower::running::cumsum, &["CumSum"])
        .eval(|node, inputs| super::array::eval::order::accumulate(node, inputs, 0.0, |a, b| a + b)),
    op("CumulativeLogsumexp")
        .shape(like_first_input)
        .check(|inputs, _| checks::in_range(inputs, 1))
        .lower(lower::log_sum::cumulative, &["ReduceMax", "Exp", "ReduceSum", "Log", "Where"])
        .note("a NaN makes all sums after it NaN"),
    op("EuclideanNorm")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(|cx, node| lower::reduce::numbers(cx, node, Reduction::EuclideanNorm), &["ReduceL2"])
        .eval(|node, inputs| eval::numbers(node, inputs, Reduction::EuclideanNorm)),
    op("L2Loss")
        .shape(|inputs, _| Ok(vec![TensorType::new(inputs.dtype(0)?, Shape::scalar())]))
        .lower(lower::reduce::l2_loss, &["ReduceSumSquare", "Mul"])
        .eval(eval::l2_loss),
    op("LogSoftmax")
        .shape(like_first_input)
        .lower(lower::reduce::softmax, &["LogSoftmax"])
        .eval(|_, inputs| super::math::eval::functions::softmax(inputs, |x, sum| x - sum.ln())),
    op("Max")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(|cx, node| lower::reduce::numbers(cx, node, Reduction::Max), &["ReduceMax", "ArgMax", "GatherElements"])
        .note("ONNX Runtime may lose NaN, and computes 0 for no integers; it is wrong about int64 of 2^31 and more along open axes")
        .fold(|node, inputs| eval::numbers(node, inputs, Reduction::Max))
        .float16(),
    by_parts("Mean")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(|cx, node| lower::reduce::numbers(cx, node, Reduction::Mean), &["ReduceMean"])
        .note("ONNX Runtime computes 0 for an open axis without elements")
        .fold(|node, inputs| eval::numbers(node, inputs, Reduction::Mean))
        .float16(),
    op("Min")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(|cx, node| lower::reduce::numbers(cx, node, Reduction::Min), &["ReduceMin", "ArgMin", "GatherElements"])
        .note("ONNX Runtime may lose NaN, and computes 0 for no integers; it is wrong about int64 of 2^31 and more along open axes")
        .fold(|node, inputs| eval::numbers(node, inputs, Reduction::Min)),
    op("Prod")
        .complex(|cx, node| of_elements(cx, node, |cx, node| lower::reduce::numbers(cx, node, Reduction::Prod), |cx, node| lower::reduce::numbers(cx, node, Reduction::Sum)))
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(|cx, node| lower::reduce::numbers(cx, node, Reduction::Prod), &["ReduceProd"])
        .fold(|node, inputs| eval::numbers(node, inputs, Reduction::Prod)),
    op("SegmentMax")
        .shape(shape::segment)
        .lower(|cx, node| segment(cx, node, Segments::Sorted, Combine::Max), &["ScatterND", "Where"]),
    by_parts("SegmentMean")
        .shape(shape::segment)
        .lower(|cx, node| segment(cx, node, Segments::Sorted, Combine::Mean), &["ScatterND", "Div"]),
    op("SegmentMin")
        .shape(shape::segment)
        .lower(|cx, node| segment(cx, node, Segments::Sorted, Combine::Min), &["ScatterND", "Where"]),
    op("SegmentProd")
        .complex(|cx, node| of_elements(cx, node, |cx, node| segment(cx, node, Segments::Sorted, Combine::Prod), |cx, node| segment(cx, node, Segments::Sorted, Combine::Sum)))
        .shape(shape::segment)
        .lower(|cx, node| segment(cx, node, Segments::Sorted, Combine::Prod), &["ScatterND"]),
    by_parts("SegmentSum")
        .shape(shape::segment)
        .lower(|cx, node| segment(cx, node, Segments::Sorted, Combine::Sum), &["ScatterND"]),
    op("Softmax")
        .shape(like_first_input)
        .lower(lower::reduce::softmax, &["Softmax"])
        .eval(|_, inputs| super::math::eval::functions::softmax(inputs, |x, sum| x.exp() / sum))
        .float16(),
    op("SparseSegmentMean").shape(shape::segment).lower(
        |cx, node| segment(cx, node, Segments::Sparse, Combine::Mean),
        &["Gather", "ScatterND", "Div"],
    ),
    op("SparseSegmentMeanWithNumSegments").shape(shape::numbered_sparse_segment).lower(
        |cx, node| segment(cx, node, Segments::NumberedSparse, Combine::Mean),
        &["Gather", "ScatterND", "Div"],
    ),
    op("SparseSegmentSqrtN").shape(shape::segment).lower(
        |cx, node| segment(cx, node, Segments::Sparse, Combine::SqrtN),
        &["Gather", "ScatterND", "Sqrt", "Div"],
    ),
    op("SparseSegmentSqrtNWithNumSegments").shape(shape::numbered_sparse_segment).lower(
        |cx, node| segment(cx, node, Segments::NumberedSparse, Combine::SqrtN),
        &["Gather", "ScatterND", "Sqrt", "Div"],
    ),
    op("SparseSegmentSum")
        .shape(shape::segment)
        .lower(|cx, node| segment(cx, node, Segments::Sparse, Combine::Sum), &["Gather", "ScatterND"]),
    op("SparseSegmentSumWithNumSegments").shape(shape::numbered_sparse_segment).lower(
        |cx, node| segment(cx, node, Segments::NumberedSparse, Combine::Sum),
        &["Gather", "ScatterND"],
    ),
    op("SparseToDense")
        .shape(|inputs, _| one(inputs.dtype(2)?, inputs.described_shape(1)?))
        .lower(lower::segment::sparse_to_dense, &["Expand", "ScatterND"]),
    by_parts("Sum")
        .shape(shape::reduce)
        .check(checks::distinct_axes)
        .lower(|cx, node| lower::reduce::numbers(cx, node, Reduction::Sum), &["ReduceSum"])
        .fold(|node, inputs| eval::numbers(node, inputs, Reduction::Sum)),
    op("UnsortedSegmentMax")
        .also(&["SegmentMaxV2"])
        .shape(shape::unsorted_segment)
        .check(check::segments)
        .lower(|cx, node| segment(cx, node, Segments::Unsorted, Combine::Max), &["ScatterND"]),
    op("UnsortedSegmentMin")
        .also(&["SegmentMinV2"])
        .shape(shape::unsorted_segment)
        .check(check::segments)
        .lower(|cx, node| segment(cx, node, Segments::Unsorted, Combine::Min), &["ScatterND"]),
    op("UnsortedSegmentProd")
        .also(&["SegmentProdV2"])
        .complex(|cx, node| of_elements(cx, node, |cx, node| segment(cx, node, Segments::Unsorted, Combine::Prod), |cx, node| segment(cx, node, Segments::Unsorted, Combine::Sum)))
        .shape(shape::unsorted_segment)
        .check(check::segments)
        .lower(|cx, node| segment(cx, node, Segments::Unsorted, Combine::Prod), &["ScatterND"]),
    by_parts("UnsortedSegmentSum")
        .also(&["SegmentSumV2"])
        .shape(shape::unsorted_segment)
        .check(check::segments)
        .lower(|cx, node| segment(cx, node, Segments::Unsorted, Combine::Sum), &["ScatterND"]),
];

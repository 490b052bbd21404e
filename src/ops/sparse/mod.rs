//! Sparse and ragged tensors, and sets.

pub mod lower;
pub mod shape;

use self::lower::arithmetic::{self, Reduction, Union};
use self::lower::groups::{self, First, Rows};
use self::lower::order;
use super::{Op, op};
use crate::ops::infer::by_definition;

/// What set operations on sparse tensors become.
const SETS: &[&str] = &["Unique", "TopK", "Equal", "Compress", "ScatterND", "CumSum"];

/// What counts in rows become.
const COUNTS: &[&str] = &["Unsqueeze", "TopK", "Gather", "Equal", "Compress", "CumSum", "ScatterND"];

/// What a reduction to a sparse tensor becomes.
const REDUCED: &[&str] = &["Where", "ScatterND", "NonZero", "GatherND", "Compress"];

/// What a union of two sparse tensors becomes.
const UNION: &[&str] = &["Concat", "TopK", "Gather", "Equal", "Where", "Compress"];

const IN_ORDER: &str = "indices in order, each of them once";

/// What is done without ops of strings.
const PREPARE: &str = "compute its result before the model runs, and let the model begin there";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("DenseCountSparseOutput")
        .shape(|inputs, _| shape::sparse::counts(inputs, inputs.shape(0)?.rank()))
        .lower(|cx, node| groups::sparse_counts(cx, node, Rows::Dense), COUNTS),
    op("DenseToDenseSetOperation")
        .shape(shape::sparse::set_operation)
        .lower(lower::sets::set_operation, &["Concat", "TopK", "Equal", "CumSum", "NonZero", "GatherND"])
        .note("integers; ONNX Runtime sorts no tensors without rows"),
    op("DenseToSparseSetOperation")
        .shape(|inputs, _| shape::sparse::set_operation_of(inputs, 1))
        .lower(|cx, node| groups::set_operation(cx, node, First::Dense), SETS),
    op("EditDistance")
        .shape(shape::sparse::edit_distance)
        .lower(lower::edit_distance::edit_distance, &["Loop", "Min", "Gather", "Equal", "Where", "ScatterND"])
        .note("indices in order"),
    op("RaggedBincount")
        .shape(|inputs, _| shape::sparse::bincount(inputs, Some(2), 2))
        .lower(|cx, node| groups::bincount(cx, node, Rows::Ragged), &["CumSum", "ScatterND"]),
    op("RaggedCountSparseOutput")
        .shape(|inputs, _| shape::sparse::counts(inputs, Some(2)))
        .lower(|cx, node| groups::sparse_counts(cx, node, Rows::Ragged), COUNTS),
    op("RaggedGather")
        .shape(shape::ragged::gather)
        .lower(lower::ragged::gather, &["Gather", "CumSum", "NonZero"]),
    op("RaggedRange")
        .shape(shape::ragged::range)
        .lower(lower::ragged::range, &["CumSum", "NonZero", "Gather"]),
    op("RaggedTensorToSparse")
        .shape(shape::ragged::to_sparse)
        .lower(lower::ragged::to_sparse, &["NonZero", "Gather", "Concat"]),
    op("RaggedTensorToTensor")
        .shape(shape::ragged::to_tensor)
        .lower(lower::ragged::to_tensor, &["NonZero", "Gather", "ScatterND"]),
    op("SetSize").shape(shape::sparse::set_size).lower(groups::set_size, SETS),
    op("SparseAdd")
        .shape(shape::sparse::sum)
        .lower(|cx, node| arithmetic::union(cx, node, Union::Sum), UNION)
        .note(IN_ORDER),
    op("SparseBincount")
        .shape(shape::sparse::bincount_of_sparse)
        .lower(|cx, node| groups::bincount(cx, node, Rows::Sparse), &["ScatterND"]),
    op("SparseConcat").shape(shape::sparse::concat).lower(order::concat, &["Concat", "TopK", "Gather"]),
    op("SparseCountSparseOutput")
        .shape(shape::sparse::counts_of_sparse)
        .lower(|cx, node| groups::sparse_counts(cx, node, Rows::Sparse), COUNTS),
    op("SparseCross")
        .also(&["SparseCrossHashed", "SparseCrossV2"])
        .shape(by_definition)
        .refused("ONNX has no hash function", PREPARE),
    op("SparseDenseCwiseAdd")
        .shape(shape::sparse::like_values)
        .lower(|cx, node| arithmetic::with_dense(cx, node, "Add"), &["Expand", "GatherND", "Add"]),
    op("SparseDenseCwiseDiv")
        .shape(shape::sparse::like_values)
        .lower(|cx, node| arithmetic::with_dense(cx, node, "Div"), &["Expand", "GatherND", "Div"]),
    op("SparseDenseCwiseMul")
        .shape(shape::sparse::like_values)
        .lower(|cx, node| arithmetic::with_dense(cx, node, "Mul"), &["Expand", "GatherND", "Mul"]),
    op("SparseFillEmptyRows")
        .shape(shape::sparse::fill_empty_rows)
        .lower(lower::sparse::fill_empty_rows, &["ScatterElements", "NonZero", "TopK", "Gather"]),
    op("SparseReduceMax")
        .shape(shape::sparse::reduce)
        .lower(|cx, node| arithmetic::reduce(cx, node, Reduction::Max), &["Where", "ScatterND", "Reshape"]),
    op("SparseReduceMaxSparse")
        .shape(shape::sparse::reduce_to_sparse)
        .lower(|cx, node| arithmetic::reduce_to_sparse(cx, node, Reduction::Max), REDUCED),
    op("SparseReduceSum")
        .shape(shape::sparse::reduce)
        .lower(|cx, node| arithmetic::reduce(cx, node, Reduction::Sum), &["Where", "ScatterND", "Reshape"]),
    op("SparseReduceSumSparse")
        .shape(shape::sparse::reduce_to_sparse)
        .lower(|cx, node| arithmetic::reduce_to_sparse(cx, node, Reduction::Sum), REDUCED),
    op("SparseReorder").shape(shape::sparse::reorder).lower(order::reorder, &["TopK", "Gather"]),
    op("SparseReshape")
        .shape(shape::sparse::reshape)
        .lower(lower::sparse::reshape, &["ReduceProd", "Mul", "ReduceSum", "Div", "Mod"]),
    op("SparseSlice").shape(shape::sparse::slice).lower(order::slice, &["Sub", "Less", "Compress"]),
    op("SparseSoftmax")
        .shape(shape::sparse::like_values)
        .lower(arithmetic::softmax, &["ScatterND", "Softmax", "GatherND"]),
    op("SparseSparseMaximum")
        .shape(shape::sparse::union)
        .lower(|cx, node| arithmetic::union(cx, node, Union::Maximum), UNION)
        .note(IN_ORDER),
    op("SparseSparseMinimum")
        .shape(shape::sparse::union)
        .lower(|cx, node| arithmetic::union(cx, node, Union::Minimum), UNION)
        .note(IN_ORDER),
    op("SparseSplit").shape(shape::sparse::split).lower(order::split, &["Sub", "Less", "Compress"]),
    op("SparseTensorDenseAdd").shape(shape::sparse::like_dense).lower(arithmetic::to_dense, &["ScatterND"]),
    op("SparseTensorDenseMatMul")
        .shape(shape::sparse::matrix_product)
        .lower(arithmetic::matrix_product, &["Gather", "Mul", "ScatterND"]),
    op("SparseToSparseSetOperation")
        .shape(|inputs, _| shape::sparse::set_operation_of(inputs, 3))
        .lower(|cx, node| groups::set_operation(cx, node, First::Sparse), SETS),
];

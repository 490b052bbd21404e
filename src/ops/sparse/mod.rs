//! Sparse and ragged tensors, and sets.

pub mod lower;
pub mod shape;

use super::{Op, op};

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("DenseToDenseSetOperation")
        .shape(shape::sparse::set_operation)
        .lower(lower::sets::set_operation, &["Concat", "TopK", "Equal", "CumSum", "NonZero", "GatherND"])
        .note("integers; ONNX Runtime sorts no tensors without rows"),
    op("RaggedGather")
        .shape(shape::ragged::gather)
        .lower(lower::ragged::gather, &["Gather", "CumSum", "NonZero"])
        .note("vectors of indices"),
    op("RaggedRange")
        .shape(shape::ragged::range)
        .lower(lower::ragged::range, &["CumSum", "NonZero", "Gather"]),
    op("RaggedTensorToSparse")
        .shape(shape::ragged::to_sparse)
        .lower(lower::ragged::to_sparse, &["NonZero", "Gather", "Concat"])
        .note("one value per index"),
    op("RaggedTensorToTensor")
        .shape(shape::ragged::to_tensor)
        .lower(lower::ragged::to_tensor, &["NonZero", "Gather", "ScatterND"]),
    op("SparseFillEmptyRows")
        .shape(shape::sparse::fill_empty_rows)
        .lower(lower::sparse::fill_empty_rows, &["ScatterElements", "NonZero", "TopK", "Gather"])
        .note("a known number of axes"),
    op("SparseReshape")
        .shape(shape::sparse::reshape)
        .lower(lower::sparse::reshape, &["ReduceProd", "Mul", "ReduceSum", "Div", "Mod"])
        .note("known numbers of axes"),
];

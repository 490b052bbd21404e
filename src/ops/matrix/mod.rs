//! Products and other ops of matrices.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;

use super::{Op, by_parts, op};
use crate::ops::complex::products;
use crate::ops::infer::like_first_input;

const OVER_NOTHING: &str = "of several products over no elements, ONNX Runtime computes the first alone";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("BatchMatMul")
        .also(&["BatchMatMulV2", "BatchMatMulV3"])
        .complex(|cx, node| products::of_matrices(cx, node, ["adj_x", "adj_y"], true))
        .shape(shape::batch_matmul)
        .check(check::batch_matmul)
        .lower(lower::product::batch_matmul, &["MatMul"])
        .note(OVER_NOTHING)
        .eval(|node, inputs| eval::product(inputs, node.bool("adj_x", false), node.bool("adj_y", false)))
        .float16(),
    op("Einsum")
        .shape(shape::einsum)
        .lower(lower::product::einsum, &["Einsum"])
        .complex(|cx, node| products::einsum(cx, node, lower::product::einsum)),
    op("MatMul")
        .complex(|cx, node| products::of_matrices(cx, node, ["transpose_a", "transpose_b"], false))
        .shape(shape::matmul)
        .lower(lower::product::matmul, &["Gemm", "MatMul"])
        .eval({
            |node, inputs| {
                eval::product(inputs, node.bool("transpose_a", false), node.bool("transpose_b", false))
            }
        })
        .float16(),
    by_parts("MatrixBandPart")
        .also(&["BatchMatrixBandPart"])
        .shape(like_first_input)
        .lower(lower::product::band_part, &["Trilu", "Where"])
        .eval(eval::band_part),
    op("MatrixDeterminant")
        .complex_too()
        .also(&["BatchMatrixDeterminant"])
        .shape(shape::determinant)
        .lower(crate::ops::linalg::lower::factors::determinant, &["Det", "Loop"])
        .note("of float32, NaN or infinite where a product of elements is too large for it, and NaN of NaN, where TensorFlow has 0"),
    op("MatrixInverse")
        .complex(crate::ops::linalg::lower::solve::matrix_inverse)
        .also(&["BatchMatrixInverse"])
        .shape(like_first_input)
        .lower(lower::inverse::inverse, &["Loop", "ArgMax", "Where", "Div", "Mul", "Sub", "MatMul"])
        .note("of a singular matrix infinities and NaN, where TensorFlow has an error"),
];

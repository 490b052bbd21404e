//! Products and other functions of matrices.
//!
//! Sources: `tf.linalg` and `tf.einsum` in TensorFlow's API documentation; Gemm, MatMul, Einsum, Trilu and Det in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::flatten::matrix_for;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::{int_vector, reshaped};
use crate::tensor::DType;

/// A product of matrices: Gemm, which can also have a bias, or MatMul for types that Gemm does not have.
pub fn matmul(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    if !matches!(cx.dtype(a), DType::Float32 | DType::Float64 | DType::Float16) {
        return products(cx, node, [("transpose_a", a), ("transpose_b", b)]);
    }
    let matrix = matrix_for(cx, a, b)?;
    let inputs = vec![cx.in_tensorflow_layout(a)?, matrix];
    let mut attributes = vec![];
    for (tensorflow, onnx) in [("transpose_a", "transA"), ("transpose_b", "transB")] {
        if node.bool(tensorflow, false) {
            attributes.push((onnx, Attribute::Int(1)));
        }
    }
    cx.emit(node, "Gemm", inputs, Layout::tensorflow(2), attributes);
    Ok(())
}

pub fn batch_matmul(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (a, b) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    products(cx, node, [("adj_x", a), ("adj_y", b)])
}

/// MatMul, whose factors are transposed first if their attributes are set.
fn products(cx: &mut Lowering<'_>, node: NodeRef<'_>, factors: [(&str, TensorRef); 2]) -> Result<()> {
    let mut inputs = vec![];
    for (attribute, factor) in factors {
        let mut name = if node.bool(attribute, false) {
            match cx.shape(factor).rank() {
                Some(0 | 1) => return Err(node.error("a factor has fewer than two axes")),
                Some(rank) => {
                    let axes = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
                    cx.in_layout(factor, &Layout::of_axes(axes)?)?
                }
                None => {
                    let name = cx.in_tensorflow_layout(factor)?;
                    transposed(&mut Steps { cx, node }, &name)
                }
            }
        } else {
            cx.in_tensorflow_layout(factor)?
        };
        // Products of bytes may be int32.
        if cx.dtype(factor) != cx.dtype(node.into()) {
            name = cx.cast(node, name, cx.dtype(node.into()));
        }
        inputs.push(name);
    }
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "MatMul", inputs, layout, vec![]);
    Ok(())
}

/// Matrices of unknown rank with their rows as columns. All axes before the matrices become one.
fn transposed(steps: &mut Steps<'_, '_, '_>, matrices: &String) -> String {
    let shape = steps.op("Shape", &[matrices]);
    let (first, from, end) = (steps.ints(&[0]), steps.ints(&[-2]), steps.ints(&[i64::MAX]));
    let batch = steps.op("Slice", &[&shape, &first, &from, &first]);
    let size = steps.op("Slice", &[&shape, &from, &end, &first]);
    let count = steps.reduce("ReduceProd", &batch, &[0], true);
    let three = steps.op_with("Concat", &[&count, &size], "axis", 0);
    let folded = reshaped(steps, matrices, &three);
    let turned = steps.transpose(&folded, &[0, 2, 1]);
    let swapped = steps.ints(&[1, 0]);
    let size = steps.op("Gather", &[&size, &swapped]);
    let shape = steps.op_with("Concat", &[&batch, &size], "axis", 0);
    reshaped(steps, &turned, &shape)
}

pub fn einsum(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let Some(equation) = node.text("equation") else { return Err(node.error("it has no equation")) };
    let inputs: Result<Vec<String>> =
        node.inputs.iter().map(|&input| cx.in_tensorflow_layout(input)).collect();
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let attributes = vec![("equation", Attribute::Text(equation.to_owned()))];
    cx.emit(node, "Einsum", inputs?, layout, attributes);
    Ok(())
}

/// The diagonals from `lower` below to `upper` above the main one; a negative number keeps all of that side.
pub fn band_part(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let bounds = [cx.known_integers(node, 1)?, cx.known_integers(node, 2)?];
    let [Some(&[lower]), Some(&[upper])] = [bounds[0].as_deref(), bounds[1].as_deref()] else {
        return open_band_part(cx, node);
    };
    let mut name = cx.in_tensorflow_layout(input)?;
    for (is_kept, upper_side, k) in [(lower >= 0, 1, lower.saturating_neg()), (upper >= 0, 0, upper)] {
        if is_kept {
            let k = cx.scalar(node, "k", DType::Int64, k as f64);
            name = cx.step(node, "band", "Trilu", vec![name, k], vec![("upper", Attribute::Int(upper_side))]);
        }
    }
    let layout = Layout::tensorflow_of(cx.shape(input));
    cx.emit(node, "Identity", vec![name], layout, vec![]);
    Ok(())
}

/// The same where the model computes how many diagonals are kept: everything outside of them is chosen to be zero.
fn open_band_part(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let bounds = [int_vector(cx, node, 1)?, int_vector(cx, node, 2)?];
    let dtype = cx.dtype(input);
    let mut steps = Steps { cx, node };
    let (rows, columns) = (steps.length(&name, -2), steps.length(&name, -1));
    let [rows, columns] = [&rows, &columns].map(|count| steps.positions(count));
    let (behind, zero) = (steps.ints(&[1]), steps.int(0));
    let rows = steps.op("Unsqueeze", &[&rows, &behind]);
    let below = steps.op("Sub", &[&rows, &columns]);
    let above = steps.op("Sub", &[&columns, &rows]);
    let mut sides = vec![];
    for (distance, bound) in [&below, &above].into_iter().zip(&bounds) {
        let (is_outside, is_cut) =
            (steps.op("Greater", &[distance, bound]), steps.op("GreaterOrEqual", &[bound, &zero]));
        sides.push(steps.op("And", &[&is_outside, &is_cut]));
    }
    let is_outside = steps.op("Or", &[&sides[0], &sides[1]]);
    let layout = Layout::tensorflow_of(steps.cx.shape(input));
    let nothing = steps.number(dtype, 0.0);
    cx.emit(node, "Where", vec![is_outside, nothing, name], layout, vec![]);
    Ok(())
}

pub fn determinant(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let name = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Det", vec![name], layout, vec![]);
    Ok(())
}

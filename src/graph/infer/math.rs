//! Arithmetic, matrix products and reductions (`tensorflow/core/ops/math_ops.cc`).

use super::array::like_first_input;
use super::{InferenceFunction, Inputs};
use crate::error::Result;
use crate::graph::{Node, Shape, TensorType};
use crate::tensor::DType;

/// The inference functions of this family.
pub fn function(op: &str) -> Option<InferenceFunction> {
    Some(match op {
        "Add" | "AddV2" | "Sub" | "Mul" | "Div" | "RealDiv" | "Maximum" | "Minimum" | "FloorDiv"
        | "FloorMod" | "Mod" | "TruncateDiv" | "TruncateMod" | "DivNoNan" | "MulNoNan" | "Xdivy"
        | "Xlogy" | "Pow" | "Atan2" | "SquaredDifference" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor"
        | "LeftShift" | "RightShift" => broadcast,
        "Equal" | "NotEqual" | "Less" | "LessEqual" | "Greater" | "GreaterEqual" | "LogicalAnd"
        | "LogicalOr" | "LogicalXor" => compare,
        "IsNan" | "IsInf" | "IsFinite" => flags,
        "Cast" => cast,
        "Select" | "SelectV2" => select,
        "AddN" => add_n,
        "MatMul" => matmul,
        "BatchMatMul" | "BatchMatMulV2" | "BatchMatMulV3" => batch_matmul,
        "Einsum" => einsum,
        "MatrixDeterminant" => determinant,
        "Mean" | "Sum" | "Max" | "Min" | "Prod" | "All" | "Any" | "EuclideanNorm" => reduce,
        "L2Loss" => |inputs, _| Ok(vec![TensorType::new(inputs.dtype(0)?, Shape::scalar())]),
        "ArgMax" | "ArgMin" => arg,
        "ClipByValue" | "Relu" | "Relu6" | "Elu" | "Selu" | "Softplus" | "Softsign" | "LeakyRelu"
        | "Sigmoid" | "Tanh" | "Exp" | "Log" | "Sqrt" | "Rsqrt" | "Square" | "Neg" | "Abs" | "Acos"
        | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "Ceil" | "Cos" | "Cosh" | "Erf" | "Erfc"
        | "Expm1" | "Floor" | "Inv" | "Invert" | "Log1p" | "LogicalNot" | "Reciprocal" | "Rint" | "Round"
        | "Sign" | "Sin" | "Sinh" | "Tan" | "MatrixInverse" => like_first_input,
        _ => return None,
    })
}

/// Two inputs, broadcast against each other as NumPy does.
pub fn broadcast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    match a.broadcast_with(b) {
        Some(shape) => Ok(vec![TensorType::new(inputs.dtype(0)?, shape)]),
        None => Err(node.error(format!("shapes {a} and {b} do not broadcast"))),
    }
}

pub fn matmul(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    let (a_inner, a_outer) = if node.bool("transpose_a", false) { (0, 1) } else { (1, 0) };
    let (b_inner, b_outer) = if node.bool("transpose_b", false) { (1, 0) } else { (0, 1) };
    let is_matrix = |shape: &Shape| shape.rank().is_none_or(|rank| rank == 2);
    let inner = (a.dim(a_inner), b.dim(b_inner));
    if !is_matrix(a) || !is_matrix(b) || matches!(inner, (Some(a), Some(b)) if a != b) {
        return Err(node.error(format!("matrices of shapes {a} and {b} cannot be multiplied")));
    }
    let shape = Shape::new(vec![a.dim(a_outer), b.dim(b_outer)]);
    Ok(vec![TensorType::new(inputs.dtype(0)?, shape)])
}

pub fn reduce(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let keep = node.bool("keep_dims", false);
    let (Some(dims), axes) = (inputs.shape(0)?.dims(), inputs.integers(1)?) else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let Some(axes) = axes else {
        let shape = if keep { Shape::of_rank(dims.len()) } else { Shape::UNKNOWN };
        return Ok(vec![TensorType::new(dtype, shape)]);
    };
    let mut reduced = vec![false; dims.len()];
    for axis in axes {
        reduced[inputs.checked_axis(axis, dims.len())?] = true;
    }
    let left = dims.iter().zip(reduced).filter_map(|(&dim, reduced)| match (reduced, keep) {
        (false, _) => Some(dim),
        (true, true) => Some(Some(1)),
        (true, false) => None,
    });
    Ok(vec![TensorType::new(dtype, Shape::new(left.collect()))])
}

/// The shape that two shapes broadcast to; open where they cannot be compared.
fn broadcast_shape(inputs: &Inputs<'_>, node: &Node) -> Result<Shape> {
    Ok(broadcast(inputs, node)?.swap_remove(0).shape)
}

fn compare(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    // Tensors that do not broadcast may be compared, and differ.
    let shape = match node.bool("incompatible_shape_error", true) {
        true => broadcast_shape(inputs, node)?,
        false => broadcast_shape(inputs, node).unwrap_or(Shape::UNKNOWN),
    };
    Ok(vec![TensorType::new(DType::Bool, shape)])
}

fn flags(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    Ok(vec![TensorType::new(DType::Bool, inputs.shape(0)?.clone())])
}

fn cast(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("DstT").ok_or_else(|| node.error("it has no DstT"))?;
    Ok(vec![TensorType::new(dtype, inputs.shape(0)?.clone())])
}

fn select(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let chosen = inputs.tensor_type(1)?;
    if node.op == "Select" {
        return Ok(vec![chosen.clone()]);
    }
    let shapes = [inputs.shape(0)?, &chosen.shape, inputs.shape(2)?];
    let shape = shapes.into_iter().try_fold(Shape::scalar(), |all, shape| all.broadcast_with(shape));
    match shape {
        Some(shape) => Ok(vec![TensorType::new(chosen.dtype, shape)]),
        None => Err(node.error("its inputs do not broadcast")),
    }
}

fn add_n(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let first = inputs.tensor_type(0)?;
    let known = (0..node.inputs.len()).filter_map(|index| inputs.tensor_type(index).ok());
    let known = known.into_iter().find(|input| input.shape.fully_known().is_some());
    Ok(vec![known.unwrap_or(first).clone()])
}

fn batch_matmul(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let (a, b) = (inputs.tensor_type(0)?, inputs.shape(1)?);
    let dtype = node.dtype("Tout").unwrap_or(a.dtype);
    let (Some([a_batch @ .., a_rows, a_columns]), Some([b_batch @ .., b_rows, b_columns])) =
        (a.shape.dims(), b.dims())
    else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let rows = if node.bool("adj_x", false) { a_columns } else { a_rows };
    let columns = if node.bool("adj_y", false) { b_rows } else { b_columns };
    let batch = Shape::new(a_batch.to_vec()).broadcast_with(&Shape::new(b_batch.to_vec()));
    let Some(batch) = batch.as_ref().and_then(Shape::dims) else {
        return Err(node.error(format!("batches of shapes {} and {b} do not broadcast", a.shape)));
    };
    Ok(vec![TensorType::new(dtype, Shape::new([batch, &[*rows, *columns]].concat()))])
}

/// The letters of an equation stand for axes, an ellipsis for those that broadcast.
fn einsum(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = inputs.dtype(0)?;
    let unknown = || Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    let Some((terms, result)) = node.text("equation").and_then(|equation| equation.split_once("->")) else {
        return unknown();
    };
    if terms.contains('.') {
        return unknown();
    }
    let mut lengths = hashbrown::HashMap::new();
    for (index, term) in terms.split(',').enumerate() {
        let letters: Vec<char> = term.chars().filter(|c| !c.is_whitespace()).collect();
        match inputs.shape(index)?.dims() {
            Some(dims) if dims.len() == letters.len() => {
                for (letter, dim) in letters.iter().zip(dims) {
                    let known = lengths.entry(*letter).or_insert(*dim);
                    *known = known.or(*dim);
                }
            }
            Some(dims) => {
                return Err(
                    node.error(format!("its term {term} names not the {} axes of input {index}", dims.len()))
                );
            }
            None => {}
        }
    }
    let dims = result.chars().filter(|c| !c.is_whitespace()).map(|c| lengths.get(&c).copied().flatten());
    Ok(vec![TensorType::new(dtype, Shape::new(dims.collect()))])
}

fn determinant(inputs: &Inputs<'_>, _: &Node) -> Result<Vec<TensorType>> {
    let input = inputs.tensor_type(0)?;
    let shape = match input.shape.dims() {
        Some([batch @ .., _, _]) => Shape::new(batch.to_vec()),
        _ => Shape::UNKNOWN,
    };
    Ok(vec![TensorType::new(input.dtype, shape)])
}

fn arg(inputs: &Inputs<'_>, node: &Node) -> Result<Vec<TensorType>> {
    let dtype = node.dtype("output_type").unwrap_or(DType::Int64);
    let Some(dims) = inputs.shape(0)?.dims() else {
        return Ok(vec![TensorType::new(dtype, Shape::UNKNOWN)]);
    };
    let shape = match inputs.axis(1, dims.len())? {
        Some(axis) => {
            let mut dims = dims.to_vec();
            dims.remove(axis);
            Shape::new(dims)
        }
        None => Shape::of_rank(dims.len().saturating_sub(1)),
    };
    Ok(vec![TensorType::new(dtype, shape)])
}
